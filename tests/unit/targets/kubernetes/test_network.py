"""Who may call whom. A small judge of NetworkPolicies decides what the objects really allow, as a cluster would."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from data_platform.stack.errors import PlatformError
from data_platform.stack.load import KUBERNETES, load_stack
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes import places
from data_platform.targets.kubernetes.network import ENTRY, addresses, calls, policies

if TYPE_CHECKING:
    from tests.conftest import Tiny

API = "10.0.0.1:6443"
#: What deploys, and what looks for it, calls everything.
DEPLOYERS = ("airflow/deploy-task", "airflow/triggerer")
#: What tasks of datasets call: what their operators ask, and what Spark, dbt and Great Expectations do.
OF_DATASETS = {"airflow", "datahub", "minio", "nessie", "nifi", "trino"}
SUBMIT = {("spark", "pipelines/submit"), ("pipelines/submit", "spark")}


class Pod:
    """A pod, as policies see it."""

    def __init__(self, namespace: str, **labels: str) -> None:
        self.namespace, self.labels = namespace, labels


def pod_of(stack: Stack, party: str) -> Pod:
    component, _, process = party.partition("/")
    labels = {places.NAME: component, places.COMPONENT: process or "server"}
    return Pod(places.party_namespace(stack, component), **labels)


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    assert set(selector) <= {"matchLabels"}, "the judge knows no other selectors"
    return selector.get("matchLabels", {}).items() <= labels.items()


def is_peer(peer: dict[str, Any], namespace: str, other: Pod) -> bool:
    if "ipBlock" in peer:
        return False
    spaces = {"kubernetes.io/metadata.name": other.namespace}
    if "namespaceSelector" in peer and not selects(peer["namespaceSelector"], spaces):
        return False
    if "namespaceSelector" not in peer and other.namespace != namespace:
        return False
    return selects(peer.get("podSelector", {}), other.labels)


def passes(found: list[dict[str, Any]], one: Pod, way: str, other: Pod, port: int) -> bool:
    """Whether the policies about a pod let a connection pass in one direction."""
    rules, peers = ("ingress", "from") if way == "Ingress" else ("egress", "to")
    about = [
        policy
        for policy in found
        if policy["metadata"]["namespace"] == one.namespace
        and way in policy["spec"]["policyTypes"]
        and selects(policy["spec"]["podSelector"], one.labels)
    ]
    if not about:
        return True
    return any(
        any(is_peer(peer, one.namespace, other) for peer in rule[peers])
        and ("ports" not in rule or {"protocol": "TCP", "port": port} in rule["ports"])
        for policy in about
        for rule in policy["spec"].get(rules, [])
    )


def allowed(found: list[dict[str, Any]], caller: Pod, callee: Pod, port: int) -> bool:
    return passes(found, caller, "Egress", callee, port) and passes(found, callee, "Ingress", caller, port)


def ports(stack: Stack, name: str) -> list[int]:
    return [spec.port for spec in stack.components[name].component.endpoints.values()]


def expected(stack: Stack, caller: str, callee: str, port: int) -> bool:
    """The rule in the words of the people who wrote it, without the code that makes the objects."""
    if caller == callee:
        return True
    of = stack.components[caller].component
    called = {stack.resolve(name) for name in (*of.calls, *(claim.provider for claim in of.claims))}
    (audience,) = (spec.audience for spec in stack.components[callee].component.endpoints.values() if spec.port == port)
    return callee in called and "components" in audience


def pairs(stack: Stack) -> Iterator[tuple[str, str, int]]:
    for caller, callee in itertools.product(stack.components, repeat=2):
        for port in ports(stack, callee):
            yield caller, callee, port


def test_the_allowed_calls_are_those_that_components_say_and_the_stated_extras(stack: Stack) -> None:
    found = policies(stack, API)
    seen = {p for p in pairs(stack) if allowed(found, pod_of(stack, p[0]), pod_of(stack, p[1]), p[2])}
    assert seen == {p for p in pairs(stack) if expected(stack, *p)}
    # Both kinds are there, or the comparison says nothing.
    assert ("trino", "postgresql", 5432) in seen
    assert ("datahub", "postgresql", 5432) not in seen
    # Spark comes after Trino, which its check asks, and does not call it.
    assert "trino" in stack.dependencies("spark")
    assert ("spark", "trino", 8440) not in seen
    # Patroni's port is for operators, and MinIO's console for people.
    assert ("nessie", "postgresql", 5432) in seen
    assert ("nessie", "postgresql", 8008) not in seen
    assert ("trino", "minio", 9000) in seen
    assert ("trino", "minio", 9001) not in seen


def test_a_call_goes_through_wherever_who_is_called_comes_in_the_order(tiny: Tiny) -> None:
    for folder in tiny.root.glob("stack/components/*/*"):
        (folder / "kubernetes.yaml").write_text("{}\n", encoding="utf-8")
    # The database calls who comes last, as Airflow will call an identity provider that it deploys.
    tiny.edit(tiny.component("postgresql"), lambda c: c.update(calls=["portal"]))
    tiny.edit(tiny.component("portal"), lambda c: c["endpoints"]["http"].update(audience=["people", "components"]))
    stack = load_stack(tiny.root, target=KUBERNETES)
    assert list(stack.components)[-1] == "portal"
    found = policies(stack, API)
    assert allowed(found, pod_of(stack, "postgresql"), pod_of(stack, "portal"), 21040)
    assert not allowed(found, pod_of(stack, "portal"), pod_of(stack, "postgresql"), 21000)
    assert ("postgresql", "portal", (21040,), "calls") in calls(stack)
    tiny.edit(tiny.component("portal"), lambda c: c["endpoints"]["http"].update(audience=["people"]))
    assert [call for call in calls(load_stack(tiny.root, target=KUBERNETES)) if call.callee == "portal"] == [
        ("portal", "portal", (), "members of one component")
    ]


def test_a_rule_that_is_missing_on_either_side_cuts_the_call(stack: Stack) -> None:
    trino, postgresql = pod_of(stack, "trino"), pod_of(stack, "postgresql")
    for side in ("trino", "postgresql"):
        found = [policy for policy in policies(stack, API) if policy["metadata"]["name"] != side]
        assert not allowed(found, trino, postgresql, 5432)


def test_without_the_refusal_of_its_namespace_a_stranger_gets_in(stack: Stack) -> None:
    stranger = Pod("default", app="stranger")
    found = policies(stack, API)
    listener = Pod(places.namespace(stack, "airflow"), **{places.NAME: "something-new"})
    assert not allowed(found, stranger, listener, 8080)
    without = [policy for policy in found if policy["metadata"]["name"] != "default-deny"]
    assert allowed(without, stranger, listener, 8080)


def ours(stack: Stack) -> list[str]:
    """Components that the platform deploys."""
    found = [name for name, item in stack.components.items() if item.is_deployed]
    assert len(found) > 10
    return found


@pytest.mark.parametrize("namespace", ["default", "kube-system", "data-platform-datalab", "data-platform-core"])
def test_no_pod_without_a_component_reaches_one(stack: Stack, namespace: str) -> None:
    found, stranger = policies(stack, API), Pod(namespace, app="stranger")
    for name in ours(stack):
        assert not any(allowed(found, stranger, pod_of(stack, name), port) for port in [*ports(stack, name), 22])


def test_a_component_reaches_only_the_endpoints_of_another(stack: Stack) -> None:
    found = policies(stack, API)
    assert not allowed(found, pod_of(stack, "trino"), pod_of(stack, "postgresql"), 22)


def test_members_of_a_component_reach_each_other_on_all_ports(stack: Stack) -> None:
    found = policies(stack, API)
    for name in ours(stack):
        assert allowed(found, pod_of(stack, name), pod_of(stack, name), 60123)


def test_pods_of_the_administrators_are_his_affair(stack: Stack) -> None:
    theirs = set(stack.components) - set(ours(stack))
    assert theirs == {"openebs"}
    assert not [call for call in calls(stack) if theirs & {call.caller, call.callee}]


def test_a_component_of_the_same_name_elsewhere_is_a_stranger(stack: Stack) -> None:
    impostor = Pod("data-platform-datalab", **{places.NAME: "trino"})
    assert not allowed(policies(stack, API), impostor, pod_of(stack, "postgresql"), 5432)


def test_executors_of_spark_and_a_driver_in_a_task_reach_each_other(stack: Stack) -> None:
    found = policies(stack, API)
    spark, submit = pod_of(stack, "spark"), pod_of(stack, "pipelines/submit")
    assert allowed(found, spark, submit, 40123)
    assert allowed(found, submit, spark, 40123)
    for other in ("airflow/api-server", "airflow/deploy-task", "pipelines/task"):
        assert not allowed(found, spark, pod_of(stack, other), 40123)
        assert not allowed(found, pod_of(stack, other), spark, 40123)
    assert {(c.caller, c.callee) for c in calls(stack) if not c.ports and c.caller != c.callee} == SUBMIT


def callees(stack: Stack, party: str) -> set[str]:
    """Components that a pod reaches on one of their endpoints, beside its own."""
    found, pod = policies(stack, API), pod_of(stack, party)
    others = [name for name in stack.components if name != party.partition("/")[0]]
    return {
        name for name in others if any(allowed(found, pod, pod_of(stack, name), port) for port in ports(stack, name))
    }


@pytest.mark.parametrize("party", DEPLOYERS)
def test_what_deploys_reaches_every_endpoint(stack: Stack, party: str) -> None:
    found, pod = policies(stack, API), pod_of(stack, party)
    closed = [
        (name, port)
        for name in stack.components
        for port in ports(stack, name)
        if name != "airflow" and not allowed(found, pod, pod_of(stack, name), port)
    ]
    assert closed == []
    assert "operators" in stack.components["postgresql"].component.endpoints["patroni"].audience


def scraping(stack: Stack, name: str) -> Stack:
    """The same platform, in which a component scrapes."""
    item = stack.components[name]
    changed = item.model_copy(update={"component": item.component.model_copy(update={"scrapes": True})})
    return replace(stack, components={**stack.components, name: changed})


def test_who_scrapes_reaches_the_metrics_of_all_and_nothing_else(stack: Stack) -> None:
    """Zookeeper calls nobody, so what it reaches then is what it scrapes."""

    def reached(of: Stack) -> set[tuple[str, int]]:
        found, pod = policies(of, API), pod_of(of, "zookeeper")
        others = [(name, port) for name in of.components if name != "zookeeper" for port in ports(of, name)]
        return {(name, port) for name, port in others if allowed(found, pod, pod_of(of, name), port)}

    assert reached(stack) == set()
    assert reached(scraping(stack, "zookeeper")) == {
        ("minio", 9000),
        ("nessie", 8421),
        ("nifi", 8480),
        ("postgresql", 8008),
        ("spark-operator", 8491),
        ("trino", 8440),
    }


def test_who_scrapes_itself_needs_no_rule_for_that(stack: Stack) -> None:
    reasons = [call.reason for call in calls(scraping(stack, "trino")) if call.caller == call.callee == "trino"]
    assert reasons == ["members of one component"]


@pytest.mark.parametrize("party", ["pipelines/task", "pipelines/submit"])
def test_tasks_of_datasets_reach_what_their_operators_call_and_no_database(stack: Stack, party: str) -> None:
    assert callees(stack, party) == OF_DATASETS
    assert "postgresql" in stack.components


@pytest.mark.parametrize(
    ("server", "reached"),
    [
        ("scheduler", {"postgresql"}),
        ("dag-processor", {"postgresql"}),
        ("api-server", {"postgresql", "minio", "trino"}),
    ],
)
def test_airflows_other_servers_reach_their_database_and_what_their_pages_show(
    stack: Stack, server: str, reached: set[str]
) -> None:
    assert callees(stack, f"airflow/{server}") == reached


def test_the_servers_of_airflow_do_not_reach_into_tasks_of_datasets(stack: Stack) -> None:
    found, task = policies(stack, API), pod_of(stack, "pipelines/task")
    for other in ("airflow/scheduler", "airflow/deploy-task", "pipelines/submit", "trino"):
        assert not allowed(found, pod_of(stack, other), task, 40123)


def to_api_server(found: list[dict[str, Any]], pod: Pod) -> bool:
    return any(
        rule == {"to": [{"ipBlock": {"cidr": "10.0.0.1/32"}}], "ports": [{"protocol": "TCP", "port": 6443}]}
        for policy in found
        if policy["metadata"]["namespace"] == pod.namespace and selects(policy["spec"]["podSelector"], pod.labels)
        for rule in policy["spec"].get("egress", [])
    )


def test_only_who_has_something_to_ask_reaches_the_api_server(stack: Stack) -> None:
    found = policies(stack, API)
    parties = [
        *(name for name in ours(stack) if name != "airflow"),
        *(f"airflow/{name}" for name in ("api-server", "scheduler", "triggerer", "dag-processor", "deploy-task")),
        *(f"pipelines/{name}" for name in ("task", "submit")),
        *(f"spark/{name}" for name in ("driver", "executor")),
    ]
    reach = {party for party in parties if to_api_server(found, pod_of(stack, party))}
    assert reach == {
        "airflow/api-server", "airflow/scheduler", "airflow/triggerer", "airflow/deploy-task",
        "pipelines/submit", "postgresql", "spark-operator", "spark/driver",
    }  # fmt: skip


def test_every_namespace_may_ask_for_names_and_refuses_the_rest(stack: Stack) -> None:
    found = policies(stack, API)
    for name in stack.parts:
        here = [p for p in found if p["metadata"]["namespace"] == f"data-platform-{name}"]
        by_name = {policy["metadata"]["name"]: policy["spec"] for policy in here}
        assert by_name["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
        (rule,) = by_name["dns"]["egress"]
        assert {port["port"] for port in rule["ports"]} == {53}


def test_only_pages_are_open_to_a_namespace_of_an_entry(stack: Stack) -> None:
    entry = {"namespaceSelector": {"matchLabels": {ENTRY: "allowed"}}}
    open_ports = {
        (policy["metadata"]["name"], port["port"])
        for policy in policies(stack, API)
        for rule in policy["spec"].get("ingress", [])
        if entry in rule["from"]
        for port in rule["ports"]
    }
    assert open_ports == {
        (name, spec.port)
        for name, item in stack.components.items()
        for spec in item.component.endpoints.values()
        if "people" in spec.audience
    }
    assert ("minio", 9001) in open_ports
    assert ("minio", 9000) not in open_ports
    # It has a page, which is for operators.
    assert stack.components["postgresql"].component.endpoints["patroni"].path
    assert not {port for name, port in open_ports if name == "postgresql"}


def test_what_refuses_is_applied_after_what_allows(stack: Stack) -> None:
    names = [policy["metadata"]["name"] for policy in policies(stack, API)]
    first = names.index("default-deny")
    assert set(names[first:]) == {"default-deny"}
    assert first > 0


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("10.0.0.1:6443", [("10.0.0.1/32", 6443)]),
        ("[fd00::1]:443", [("fd00::1/128", 443)]),
        ("10.0.0.2:6443,10.0.0.1:6443", [("10.0.0.1/32", 6443), ("10.0.0.2/32", 6443)]),
    ],
)
def test_the_address_of_the_api_server_is_one_or_several(given: str, found: list[tuple[str, int]]) -> None:
    assert addresses(given) == found


@pytest.mark.parametrize("given", ["", "10.0.0.1", "cluster.example:6443", "10.0.0.1:https"])
def test_an_address_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(PlatformError, match="is no address of the API server"):
        addresses(given)
