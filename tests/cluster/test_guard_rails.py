"""The guard rails hold on a real cluster, seen from inside its pods: who reaches whom, what is refused."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from data_platform.checks.base import Deadline
from data_platform.clients.kubernetes_streams import Executed
from data_platform.stack.load import KUBERNETES, load_stack
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes import places
from data_platform.targets.kubernetes.inventory import api_server_address
from data_platform.targets.kubernetes.network import SUBMIT, api_server_parties, calls, deployers, servers
from tests.cluster import rails as its
from tests.cluster.rails import Rails, restricted_pod

if TYPE_CHECKING:
    from tests.cluster.given import Given

pytestmark = pytest.mark.timeout(3600)

#: Served by all pods, and declared by no component.
HIDDEN = 60022
#: Pods of no component, one of each in each namespace: the first calls, the second serves these ports.
GUEST, HOST, OPEN, CLOSED = "guest", "host", 8080, 9090
_SMALL = {"requests": {"cpu": "1m", "memory": "8Mi"}, "limits": {"cpu": "1", "memory": "64Mi"}}
_AT_A_TIME = 4
#: Of one command in a pod.
_SECONDS = 60.0
#: Of the pods of the town, which all start at a time.
_START_SECONDS = 600.0
#: Until the network has taken what it was told.
_TAKEN_SECONDS = 180.0


@dataclass(frozen=True)
class Town:
    """One pod of each component, one of each kind that has rules of its own, and a guest and a host in each namespace.

    Attributes:
        rails: the guard rails around them.
        addresses: by name: a party of `calls`, guest/NAMESPACE or host/NAMESPACE.
    """

    rails: Rails
    addresses: dict[str, str]

    def reaches(self, caller: str, callee: str, port: int) -> bool:
        """Whether a connection from one to the other can be opened."""
        return self.dials(caller, f"{self.addresses[callee]}:{port}")

    def dials(self, caller: str, address: str) -> bool:
        """Whether a pod can open a connection to an address."""
        return self.probe(caller, "dial", address, "20s").returncode == 0

    def probe(self, name: str, *words: str) -> Executed:
        """Run the probe in a pod."""
        seconds = Deadline(_SECONDS).seconds
        return self.rails.cluster.execute(pod_name(name), self.space(name), ["/probe", *words], seconds=seconds)

    def reached(self, wanted: Iterable[tuple[str, str, int]]) -> set[tuple[str, str, int]]:
        """Those of some calls that get through."""
        todo = list(wanted)
        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            return {
                call for call, passes in zip(todo, pool.map(lambda c: self.reaches(*c), todo), strict=True) if passes
            }

    def space(self, name: str) -> str:
        """Namespace of a pod."""
        return space_of(self.rails.stack, name)


def space_of(stack: Stack, name: str) -> str:
    first, _, second = name.partition("/")
    return second if first in (GUEST, HOST) else places.party_namespace(stack, first)


def pod_name(name: str) -> str:
    first = name.partition("/")[0]
    return first if first in (GUEST, HOST) else f"{name.replace('/', '-')}-0"


def ports_of(stack: Stack, name: str) -> list[int]:
    item = stack.components.get(name.partition("/")[0])
    return sorted(spec.port for spec in item.component.endpoints.values()) if item else []


def parties(stack: Stack) -> list[str]:
    """Components that are deployed, the processes of theirs that have rules of their own, and tasks of datasets."""
    more = (*deployers(stack), *servers(stack).values(), "airflow/scheduler", "pipelines/task", SUBMIT, "spark/driver")
    return [*(name for name, item in stack.components.items() if item.is_deployed), *more]


@pytest.fixture(scope="module")
def stack(root: Path) -> Stack:
    """This checkout's stack under a name of its own."""
    return its.called(load_stack(root, target=KUBERNETES), f"rails-{uuid.uuid4().hex[:6]}")


@pytest.fixture(scope="module")
def bare(given: Given, probe_image: str, stack: Stack) -> Iterator[Town]:
    """The town before any policy: everybody reaches everybody. Its policies come with `town`."""
    rails = its.make(given.client, stack, without=frozenset({"NetworkPolicy"}))
    names = [*parties(stack), *(f"{who}/{space}" for space in rails.namespaces for who in (GUEST, HOST))]
    try:
        for name in names:
            given.client.server_side_apply(pod_of(stack, name, probe_image))
        yield Town(rails, {name: address(rails, stack, name) for name in names})
    finally:
        its.remove(rails)


@pytest.fixture(scope="module")
def before(bare: Town) -> set[tuple[str, str, int]]:
    """Calls of guests that get through without policies, on the port that is going to be closed."""
    return bare.reached(call for call in guest_calls(bare.rails) if call[2] == CLOSED)


@pytest.fixture(scope="module")
def town(bare: Town, before: set[tuple[str, str, int]]) -> Town:
    """The town with all its policies, once they hold."""
    assert before
    for wanted in bare.rails.objects:
        if wanted["kind"] == "NetworkPolicy":
            bare.rails.cluster.server_side_apply(wanted)
    for wanted in open_to_guests(bare.rails):
        bare.rails.cluster.server_side_apply(wanted)

    def settled() -> None:
        first, last = bare.rails.namespaces[0], bare.rails.namespaces[-1]
        if bare.reaches(f"{GUEST}/{first}", "postgresql", HIDDEN):
            raise NotYetError
        if not bare.reaches("trino", "postgresql", 5432):
            raise NotYetError
        # The last ones of all: that one port is closed and the other one open is the work of both sides of them.
        if [bare.reaches(f"{GUEST}/{last}", f"{HOST}/{last}", port) for port in (OPEN, CLOSED)] != [True, False]:
            raise NotYetError

    Deadline(_TAKEN_SECONDS).retry(settled, on=NotYetError)
    return bare


class NotYetError(Exception):
    """The network has not taken the policies yet."""


def pod_of(stack: Stack, name: str, image: str) -> dict[str, Any]:
    component, _, process = name.partition("/")
    stranger = component in (GUEST, HOST)
    ports = (OPEN, CLOSED) if stranger else (*ports_of(stack, name), HIDDEN)
    words = ["/probe", "serve", *map(str, ports)]
    pod = restricted_pod(pod_name(name), space_of(stack, name), image, command=words, resources=_SMALL)
    pod["metadata"]["labels"] = (
        {"role": component} if stranger else places.labels(stack, component, process or "server")
    )
    pod["spec"]["terminationGracePeriodSeconds"] = 1
    if stranger:
        # Against what the default account says: a pod must ask for its token.
        pod["spec"]["automountServiceAccountToken"] = True
    return pod


def address(rails: Rails, stack: Stack, name: str) -> str:
    def runs(pod: dict[str, Any] | None) -> bool:
        return pod is not None and all(c["ready"] for c in pod["status"].get("containerStatuses", [{"ready": False}]))

    seconds = Deadline(_START_SECONDS).seconds
    pod = rails.cluster.wait_until("v1", "Pod", pod_name(name), space_of(stack, name), done=runs, seconds=seconds)
    assert pod is not None
    return str(pod["status"]["podIP"])


def open_to_guests(rails: Rails) -> list[dict[str, Any]]:
    """What a site adds beside ours, as docs/kubernetes/guard-rails.md says: guests reach hosts, on one port."""
    found = []
    for who, whom, way, peers in ((GUEST, HOST, "egress", "to"), (HOST, GUEST, "ingress", "from")):
        peer = {"namespaceSelector": {}, "podSelector": {"matchLabels": {"role": whom}}}
        spec = {
            "podSelector": {"matchLabels": {"role": who}},
            "policyTypes": [way.capitalize()],
            way: [{peers: [peer], "ports": [{"protocol": "TCP", "port": OPEN}]}],
        }
        found += [
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "NetworkPolicy",
                "metadata": {"name": f"{who}-{way}", "namespace": space},
                "spec": spec,
            }
            for space in rails.namespaces
        ]
    return found


def guest_calls(rails: Rails) -> list[tuple[str, str, int]]:
    """For every pair of namespaces, on the port that is going to be open and on the one that is not."""
    pairs = itertools.product(rails.namespaces, repeat=2)
    return [(f"{GUEST}/{one}", f"{HOST}/{other}", port) for one, other in pairs for port in (OPEN, CLOSED)]


def test_without_policies_every_namespace_reaches_every_other(bare: Town, before: set[tuple[str, str, int]]) -> None:
    assert len(bare.rails.namespaces) == 8
    assert before == {call for call in guest_calls(bare.rails) if call[2] == CLOSED}


def test_for_every_pair_of_namespaces_an_allowed_call_works_and_a_forbidden_one_fails(town: Town) -> None:
    wanted = guest_calls(town.rails)
    assert town.reached(wanted) == {call for call in wanted if call[2] == OPEN}


def is_allowed(stack: Stack, caller: str, callee: str, port: int) -> bool:
    """Whether the list of calls has it; a rule about a component is one about its tasks too."""
    return any(
        call.caller in (caller, caller.partition("/")[0])
        and call.callee in (callee, callee.partition("/")[0])
        and (not call.ports or port in call.ports)
        for call in calls(stack)
    )


def test_components_reach_whom_they_call_on_ports_for_them_and_nothing_else(town: Town) -> None:
    stack = town.rails.stack
    wanted = set()
    for caller, callee in itertools.permutations(parties(stack), 2):
        declared = [(caller, callee, port) for port in ports_of(stack, callee)]
        # All ports of others are closed alike: one of them tells. Of whom it calls those that are not for it are tried
        # too, and one that is not declared.
        calls_it = any(is_allowed(stack, *call) for call in declared)
        wanted |= {*declared, (caller, callee, HIDDEN)} if calls_it else set(declared[:1])
    wanted |= {(one, SUBMIT, HIDDEN) for one in ("spark", "dbt")} | {(SUBMIT, "spark", HIDDEN)}
    expected = {call for call in wanted if is_allowed(stack, *call)}
    assert {("trino", "postgresql", 5432), ("spark", SUBMIT, HIDDEN), ("pipelines/task", "trino", 8440)} <= expected
    assert {("datahub", "postgresql", 5432), ("trino", "postgresql", HIDDEN)} <= wanted - expected
    # Of operators, and of people.
    assert {("nessie", "postgresql", 8008), ("trino", "minio", 9001)} <= wanted - expected
    # Tasks of datasets reach no database, not even Airflow's.
    assert ("pipelines/task", "postgresql", 5432) in wanted - expected
    assert town.reached(wanted) == expected


def test_a_pod_of_no_component_reaches_none_from_any_namespace(town: Town) -> None:
    stack = town.rails.stack
    # One component of each namespace.
    served = {places.namespace(stack, name): name for name in stack.components if ports_of(stack, name)}
    wanted = [
        (f"{GUEST}/{space}", name, ports_of(stack, name)[0])
        for space in town.rails.namespaces
        for name in served.values()
    ]
    assert len(wanted) == 8 * 6
    assert town.reached(wanted) == set()


def test_only_who_has_something_to_ask_reaches_the_api_server(town: Town) -> None:
    server = api_server_address(town.rails.cluster).split(",")[0]
    names = set(parties(town.rails.stack))
    expected = names & set(api_server_parties(town.rails.stack))
    assert {"airflow/scheduler", SUBMIT} <= expected
    assert {"pipelines/task", "trino"} <= names - expected
    assert {name for name in names if town.dials(name, server)} == expected


def test_names_are_known_from_everywhere(town: Town) -> None:
    for name in ("trino", *(f"{GUEST}/{space}" for space in town.rails.namespaces)):
        done = town.probe(name, "lookup", "kubernetes.default.svc.cluster.local")
        assert done.returncode == 0, done.stderr.decode()


def test_a_pod_that_names_no_account_has_no_token(town: Town) -> None:
    token = "/var/run/secrets/kubernetes.io/serviceaccount/token"
    done = town.probe("trino", "read", token)
    assert done.returncode != 0
    assert b"no such file" in done.stderr
    # A guest asked for one, so the file is where we looked.
    guest = town.probe(f"{GUEST}/{town.rails.namespaces[0]}", "read", token)
    assert (guest.returncode, len(guest.stdout) > 100) == (0, True)


def test_a_page_is_open_to_a_namespace_that_was_made_an_entry(given: Given, town: Town, probe_image: str) -> None:
    entry = f"{town.rails.stack.file.name}-entry"
    namespace: dict[str, Any] = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": entry}}
    given.client.server_side_apply(namespace)
    try:
        given.client.server_side_apply(restricted_pod(GUEST, entry, probe_image, command=["/probe", "serve", "8080"]))
        address(town.rails, town.rails.stack, f"{GUEST}/{entry}")
        trino, postgresql = town.addresses["trino"], town.addresses["postgresql"]
        assert not town.dials(f"{GUEST}/{entry}", f"{trino}:8440")
        namespace["metadata"]["labels"] = {"data-platform/entry": "allowed"}
        given.client.server_side_apply(namespace)

        def opened() -> None:
            if not town.dials(f"{GUEST}/{entry}", f"{trino}:8440"):
                raise NotYetError

        Deadline(_TAKEN_SECONDS).retry(opened, on=NotYetError)
        assert not town.dials(f"{GUEST}/{entry}", f"{postgresql}:5432")
        # A page, but for operators.
        assert not town.dials(f"{GUEST}/{entry}", f"{postgresql}:8008")
    finally:
        given.client.delete("v1", "Namespace", entry)


def test_a_forwarded_port_is_a_way_in_for_who_may_forward(town: Town) -> None:
    space = town.space("trino")
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "trino", "namespace": space},
        "spec": {
            "selector": {places.NAME: "trino"},
            "ports": [{"name": "http", "port": 8440, "targetPort": 8440}],
        },
    }
    town.rails.cluster.server_side_apply(service)

    def page(url: str) -> str:
        return httpx.get(url, timeout=_SECONDS, trust_env=False).text

    with town.rails.cluster.port_forward("trino", space, 8440) as forward:
        url = f"http://{forward.host}:{forward.port}/"
        # Its endpoint is known a moment later.
        said = Deadline(_SECONDS).retry(lambda: page(url), on=httpx.HTTPError)
        assert said.startswith("trino-0 ")
        with ThreadPoolExecutor(8) as pool:
            assert all(text.startswith("trino-0 ") for text in pool.map(page, [url] * 40))


def test_a_deployment_beyond_the_quota_is_explained(town: Town) -> None:
    from data_platform.targets.kubernetes.faults import Facts, explain

    space, cluster = town.space("trino"), town.rails.cluster
    (limit,) = town.rails.find("LimitRange", space)["spec"]["limits"]
    most = {"memory": limit["max"]["memory"], "cpu": "1m"}
    pod = restricted_pod("large", space, resources={"requests": most, "limits": most | {"cpu": "10m"}})
    labels = {places.NAME: "large"}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "large", "namespace": space},
        "spec": {
            "replicas": 20,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod["spec"]},
        },
    }
    cluster.server_side_apply(deployment)

    def refused(found: dict[str, Any] | None) -> bool:
        conditions = (found or {}).get("status", {}).get("conditions") or []
        return any(c["type"] == "ReplicaFailure" and c["status"] == "True" for c in conditions)

    try:
        found = cluster.wait_until("apps/v1", "Deployment", "large", space, done=refused, seconds=_TAKEN_SECONDS)
        assert found is not None
        error = explain("large", space, Facts(workloads=[found]))
        assert error is not None
        assert "Deployment large gets no pod: the ResourceQuota platform refuses pods" in error.problem
    finally:
        cluster.delete("apps/v1", "Deployment", "large", space)
