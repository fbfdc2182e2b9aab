"""The cluster enforces NetworkPolicies: an allowed call works, a forbidden one fails, and soon."""

from __future__ import annotations

from typing import Any

import pytest

from data_platform.checks.base import Deadline
from tests.cluster.given import Given, Room

pytestmark = pytest.mark.timeout(3600)

#: What a refused connection says; "connection refused" would mean that nobody listens.
REFUSED = "no route to host"
#: Seconds until a new policy is enforced: it takes tenths of one, and more on a busy machine.
SOON = 60.0
#: Of one call, which is answered or refused at once.
PATIENCE = "20s"
PORTS = [{"name": "web", "containerPort": 8080}, {"name": "other", "containerPort": 9090}]
DENY_ALL: dict[str, Any] = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
DNS = {
    "to": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}],
    "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53}],
}


class NotYetError(Exception):
    """It is not so yet."""


class Talk:
    """A server and two clients in one namespace."""

    def __init__(self, room: Room) -> None:
        self.room = room
        pod = room.pod("server", "serve", "8080", "9090", ports=PORTS)
        self.server = str(pod["status"]["podIP"])
        self.friend = str(room.pod("friend", labels={"role": "friend"})["status"]["podIP"])
        room.pod("stranger")

    def policy(self, name: str, spec: dict[str, Any]) -> None:
        """Make or change a policy."""
        meta = {"name": name}
        self.room.apply({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec})

    def reaches(self, client: str, port: int = 8080, verb: str = "dial") -> bool:
        """Whether a client reaches the server now."""
        code, said = self.room.call(client, verb, f"{self.server}:{port}", PATIENCE)
        assert code == 0 or REFUSED in said, said
        return code == 0

    def soon(self, client: str, *, reaches: bool, port: int = 8080) -> None:
        """Wait until a client reaches the server, or does not any more."""

        def look() -> None:
            if self.reaches(client, port) != reaches:
                raise NotYetError(f"{client} reaches: {not reaches}")

        Deadline(SOON).retry(look, on=NotYetError)


@pytest.fixture
def talk(room: Room) -> Talk:
    return Talk(room)


def test_without_a_policy_everybody_reaches_everybody(talk: Talk) -> None:
    assert talk.reaches("friend")
    assert talk.reaches("stranger")
    assert talk.reaches("stranger", 9090, "echo")


def test_default_deny_and_an_exception_by_label_and_port(talk: Talk) -> None:
    talk.policy("deny", DENY_ALL)
    talk.soon("friend", reaches=False)
    server = {"matchLabels": {"app": "server"}}
    friend = {"matchLabels": {"role": "friend"}}
    talk.policy(
        "in", {"podSelector": server, "ingress": [{"from": [{"podSelector": friend}], "ports": [{"port": 8080}]}]}
    )
    # The client's own way out is still closed.
    assert not talk.reaches("friend")
    talk.policy(
        "out", {"podSelector": friend, "policyTypes": ["Egress"], "egress": [{"to": [{"podSelector": server}]}]}
    )
    talk.soon("friend", reaches=True)
    assert not talk.reaches("friend", 9090)
    assert not talk.reaches("stranger")


def test_a_namespace_is_named_by_its_labels(talk: Talk, given: Given) -> None:
    other = Room(given.client, f"{talk.room.name}-b", talk.room.image)
    meta = {"name": other.name, "labels": {"team": talk.room.name}}
    given.client.server_side_apply({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
    try:
        other.pod("guest")
        peer = {"namespaceSelector": {"matchLabels": {"team": talk.room.name}}}
        talk.policy("in", {"podSelector": {"matchLabels": {"app": "server"}}, "ingress": [{"from": [peer]}]})
        talk.soon("stranger", reaches=False)
        assert other.call("guest", "dial", f"{talk.server}:8080")[0] == 0
    finally:
        given.client.delete("v1", "Namespace", other.name)


def test_named_ports_are_those_of_the_pod(talk: Talk) -> None:
    talk.policy("in", {"podSelector": {"matchLabels": {"app": "server"}}, "ingress": [{"ports": [{"port": "other"}]}]})
    talk.soon("friend", reaches=False)
    assert talk.reaches("friend", 9090)
    egress = [{"to": [{"podSelector": {}}], "ports": [{"port": "web"}]}]
    talk.policy("out", {"podSelector": {"matchLabels": {"app": "friend"}}, "policyTypes": ["Egress"], "egress": egress})
    talk.soon("friend", reaches=False, port=9090)


def test_a_block_of_addresses_has_exceptions(talk: Talk) -> None:
    block = {"cidr": "10.244.0.0/16", "except": [f"{talk.friend}/32"]}
    server = {"matchLabels": {"app": "server"}}
    talk.policy("in", {"podSelector": server, "ingress": [{"from": [{"ipBlock": block}]}]})
    talk.soon("friend", reaches=False)
    assert talk.reaches("stranger")


def test_probes_of_an_isolated_pod_succeed(talk: Talk) -> None:
    talk.policy("deny", DENY_ALL)
    talk.soon("friend", reaches=False)
    # It is ready when a probe has reached it, and not before.
    probe = {"httpGet": {"path": "/", "port": "web"}, "periodSeconds": 1}
    pod = talk.room.pod("probed", "serve", "8080", ports=PORTS[:1], readinessProbe=probe)
    code, said = talk.room.call("stranger", "dial", f"{pod['status']['podIP']}:8080", PATIENCE)
    assert (code, REFUSED in said) == (1, True), said


def test_names_and_services_pass_an_allowed_way_out(talk: Talk) -> None:
    spec = {"selector": {"app": "server"}, "ports": [{"port": 80, "targetPort": 8080}]}
    talk.room.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "server"}, "spec": spec})
    server = {"matchLabels": {"app": "server"}}
    # A policy sees the pod behind a service, and the pod's port.
    egress = [DNS, {"to": [{"podSelector": server}], "ports": [{"port": 8080}]}]
    talk.policy("out", {"podSelector": {"matchLabels": {"app": "friend"}}, "policyTypes": ["Egress"], "egress": egress})

    # It counts: before, every way was open.
    talk.soon("friend", reaches=False, port=9090)

    def look() -> None:
        code, said = talk.room.call("friend", "get", "http://server/")
        if code:
            raise NotYetError(said)

    Deadline(SOON).retry(look, on=NotYetError)


def test_the_api_server_is_reached_only_where_that_is_allowed(talk: Talk, given: Given) -> None:
    target = ("dial", "kubernetes.default.svc.cluster.local:443", PATIENCE)
    assert talk.room.call("friend", *target)[0] == 0
    friend = {"matchLabels": {"app": "friend"}}
    talk.policy("out", {"podSelector": friend, "policyTypes": ["Egress"], "egress": [DNS]})
    talk.soon("friend", reaches=False)
    code, said = talk.room.call("friend", *target)
    assert code == 1
    assert REFUSED in said
    node = given.client.get("v1", "Node", "node")
    assert node is not None
    address = node["status"]["addresses"][0]["address"]
    api = {"to": [{"ipBlock": {"cidr": f"{address}/32"}}], "ports": [{"port": 6443}]}
    talk.policy("out", {"podSelector": friend, "policyTypes": ["Egress"], "egress": [DNS, api]})

    def look() -> None:
        code, said = talk.room.call("friend", *target)
        if code:
            raise NotYetError(said)

    Deadline(SOON).retry(look, on=NotYetError)


def test_a_policy_counts_soon_and_so_does_its_end(talk: Talk, given: Given) -> None:
    talk.policy("deny", DENY_ALL)
    talk.soon("friend", reaches=False)
    given.client.delete("networking.k8s.io/v1", "NetworkPolicy", "deny", talk.room.name)
    talk.soon("friend", reaches=True)


def test_a_new_pod_has_its_policies_from_its_first_moment(talk: Talk) -> None:
    talk.policy("deny", DENY_ALL)
    talk.soon("friend", reaches=False)
    # It dials as the first thing that it does, before the API knows its address.
    for number in range(3):
        spec = talk.room.pod_spec("dial", f"{talk.server}:8080", PATIENCE) | {"restartPolicy": "Never"}
        name = f"early-{number}"
        talk.room.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
        talk.room.wait_for(name, "Failed")
        assert REFUSED in talk.room.client.logs(name, talk.room.name)


def test_a_label_that_changes_opens_and_closes_the_way(talk: Talk, given: Given) -> None:
    server = {"matchLabels": {"app": "server"}}
    peer = {"podSelector": {"matchLabels": {"role": "friend"}}}
    talk.policy("in", {"podSelector": server, "ingress": [{"from": [peer]}]})
    talk.soon("stranger", reaches=False)
    for role, opened in (("friend", True), ("guest", False)):
        meta = {"name": "stranger", "namespace": talk.room.name, "labels": {"role": role}}
        labelled = {"apiVersion": "v1", "kind": "Pod", "metadata": meta}
        given.client.server_side_apply(labelled, field_manager="test-labels")
        talk.soon("stranger", reaches=opened)


def test_refused_connections_can_be_read(talk: Talk, given: Given) -> None:
    from bootstrap.cluster import namespaces

    talk.policy("deny", DENY_ALL)
    talk.soon("friend", reaches=False)
    assert f"{talk.friend} . {talk.server} . tcp . 8080" in namespaces.refused(given.own)
