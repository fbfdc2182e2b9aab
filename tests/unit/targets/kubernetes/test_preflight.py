"""Whether a cluster can take the platform: every reason to refuse, as data; and how the facts are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from data_platform.stack.errors import PlatformError
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes import needs, places
from data_platform.targets.kubernetes.needs import all_asked, total
from data_platform.targets.kubernetes.permissions import namespaces
from data_platform.targets.kubernetes.preflight import (
    Facts,
    Node,
    api_server_address,
    judge,
    read_facts,
    requested,
    unfit_reason,
)

OURS = "01234567"
MANAGED = {places.MANAGED_BY: places.MANAGER}
GOOD = Facts(
    version=(1, 37),
    storage_classes={"local-path": True},
    denied=(),
    nodes=(Node("lab", cpu=64, memory=512 * 1024, pods=200),),
    unfit={},
    entries=("IngressClass nginx",),
    labels={"data-platform-core": {"app.kubernetes.io/managed-by": "data-platform"}},
    pending={},
    has_spark_operator=True,
)


def problems(stack: Stack, size: str = "small", storage_class: str = "", **changed: Any) -> list[tuple[str, str]]:
    return [tuple(p) for p in judge(stack, size, GOOD._replace(**changed), storage_class, OURS).problems]


@pytest.mark.parametrize("size", ["small", "production"])
def test_a_good_cluster_is_taken(stack: Stack, size: str) -> None:
    verdict = judge(stack, size, GOOD)
    assert verdict == ((), ())
    verdict.refuse()


REFUSED = {
    "too old": ({"version": (1, 29)}, "it is Kubernetes 1.29; 1.30 is the oldest that will do", "upgrade the cluster"),
    "no right": (
        {"denied": ["create namespaces", "create secrets in data-platform-core"]},
        "this user may not: create namespaces; create secrets in data-platform-core",
        "cluster administrator",
    ),
    "no default class": (
        {"storage_classes": {"fast": False, "slow": False}},
        "no StorageClass is the default; there is: fast, slow",
        "kubectl annotate storageclass",
    ),
    "no class at all": ({"storage_classes": {}}, "no StorageClass is the default; there is: none", "annotate"),
    "someone else's namespace": (
        {"labels": {"data-platform-storage": {"team": "payments"}}},
        "the namespace data-platform-storage is there and was not made by this platform",
        "kubectl label namespace data-platform-storage app.kubernetes.io/managed-by=data-platform",
    ),
    "another platform's namespace": (
        {"labels": {"data-platform-core": MANAGED | {places.PLATFORM_ID: "fedcba98"}}},
        "the namespace data-platform-core belongs to another platform (fedcba98; this one is 01234567)",
        "use the state folder of that platform",
    ),
    "someone else's role": (
        {"roles": {"ClusterRole data-platform-deployer": {}}},
        "the ClusterRole data-platform-deployer is there and was not made by this platform",
        "kubectl label clusterrole data-platform-deployer",
    ),
    "no node": (
        {"nodes": (), "unfit": {"lab": "DiskPressure"}},
        "no node takes pods; lab: DiskPressure",
        "kubectl describe nodes",
    ),
    "too few pods": (
        {"nodes": (Node("lab", 64, 512 * 1024, 3),)},
        "(pods), 3 are free on 1 node",
        "smaller size",
    ),
    "too little memory": (
        {"nodes": (Node("lab", 64, 4096, 200),), "unfit": {"other": "cordoned"}},
        "GiB (memory), 4 GiB are free on 1 node; other: cordoned",
        "smaller size",
    ),
    "too few cores": ({"nodes": (Node("lab", 0.5, 512 * 1024, 200),)}, "(cores), 0.5 are free", "smaller size"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_each_reason_to_refuse_is_told_with_its_remedy(stack: Stack, case: str) -> None:
    changed, what, remedy = REFUSED[case]
    found = problems(stack, **changed)
    assert len([p for p in found if what in p[0] and remedy in p[1]]) == 1, found


def test_all_reasons_are_told_at_once(stack: Stack) -> None:
    bad = GOOD._replace(version=(1, 20), storage_classes={}, denied=["create namespaces"], nodes=())
    with pytest.raises(PlatformError) as caught:
        judge(stack, "small", bad).refuse()
    for word in ("1.20", "StorageClass", "create namespaces", "no node"):
        assert word in caught.value.problem
    assert len(caught.value.remedy.split("\n  → ")) == 4


def test_a_named_class_must_be_there_and_need_not_be_the_default(stack: Stack) -> None:
    classes = {"openebs-hostpath": False}
    assert problems(stack, storage_class="openebs-hostpath", storage_classes=classes) == []
    ((what, _),) = problems(stack, storage_class="fast", storage_classes=classes)
    assert what == "there is no StorageClass fast; there is: openebs-hostpath"


def test_the_same_node_is_enough_for_one_size_and_not_for_the_other(stack: Stack) -> None:
    node = {"nodes": (Node("lab", 4, 16 * 1024, 100),)}
    assert problems(stack, "small", **node) == []
    assert [p for p in problems(stack, "production", **node) if "(memory)" in p[0]]


def test_a_pod_that_fits_on_no_node_is_named_although_the_sum_fits(stack: Stack) -> None:
    many = tuple(Node(f"n{index}", 1, 1024, 20) for index in range(60))
    assert [
        p for p in problems(stack, "production", nodes=many) if p[0].startswith("no node has room for a pod of trino")
    ]
    assert total({n: a.steady for n, a in all_asked(stack, "small").items()}).memory < 60 * 1024


def test_a_missing_entry_and_a_pending_release_are_only_told(stack: Stack) -> None:
    verdict = judge(
        stack, "small", GOOD._replace(entries=(), pending={"data-platform-core/airflow": "pending-upgrade"})
    )
    assert verdict.problems == ()
    assert ["no ingress class" in verdict.warnings[0].what, "pending-upgrade" in verdict.warnings[1].what] == [True] * 2


def test_a_missing_operator_is_told_where_jobs_are_to_run_by_it(stack: Stack) -> None:
    without = GOOD._replace(has_spark_operator=False)
    assert judge(stack, "small", without).warnings == ()
    (warning,) = judge(stack, "production", without).warnings
    assert "Spark Operator" in warning.what
    assert "docs/how-to/kubernetes.md" in warning.remedy


WAYS = {
    "its ingress": ({"kind": "Ingress", "className": "nginx"}, ("IngressClass nginx",), ""),
    "another ingress": ({"kind": "Ingress", "className": "f5"}, ("IngressClass nginx",), "no IngressClass f5"),
    "no ingress": ({"kind": "Ingress", "className": "nginx"}, ("GatewayClass nginx",), "no IngressClass nginx"),
    "its gateway": ({"kind": "HTTPRoute"}, ("GatewayClass envoy",), ""),
    "no gateway": ({"kind": "HTTPRoute"}, ("IngressClass nginx",), "no GatewayClass; there is: IngressClass nginx"),
}


@pytest.mark.parametrize("case", WAYS)
def test_a_way_in_that_the_cluster_lacks_is_refused(stack: Stack, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    way, entries, what = WAYS[case]
    read = needs.read_values

    def exposed(folder: Path, size: str) -> dict[str, Any]:
        return read(folder, size) | ({"expose": way} if folder.name == "trino" else {})

    monkeypatch.setattr(needs, "read_values", exposed)
    found = problems(stack, entries=entries)
    assert [(what in problem, "expose" in remedy) for problem, remedy in found] == ([(True, True)] if what else [])


# Reading


def pod(namespace: str, node: str = "lab", phase: str = "Running", **cpu: str) -> dict[str, Any]:
    containers = [{"name": n, "resources": {"requests": {"cpu": c, "memory": "64Mi"}}} for n, c in cpu.items()]
    return {
        "metadata": {"name": "p", "namespace": namespace},
        "spec": {"nodeName": node, "containers": containers},
        "status": {"phase": phase},
    }


def node(name: str = "lab", *, ready: str = "True", pressure: str = "False", **spec: Any) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": ready}, {"type": "DiskPressure", "status": pressure}]
    return {
        "metadata": {"name": name},
        "spec": spec,
        "status": {"allocatable": {"cpu": "2", "memory": "4Gi", "pods": "110"}, "conditions": conditions},
    }


class FakeCluster:
    """Answers from lists."""

    def __init__(self, *, allowed: Any = True, **objects: list[dict[str, Any]]) -> None:
        self.objects, self.allowed = objects, allowed
        self.asked: list[tuple[str, str, str]] = []

    def version(self) -> tuple[int, int]:
        return 1, 37

    def list_objects(self, _version: str, kind: str, namespace: str = "", labels: str = "") -> list[dict[str, Any]]:
        found = self.objects.get(kind, [])
        return [o for o in found if namespace in ("", o["metadata"].get("namespace")) and labels is not None]

    def get(self, _version: str, kind: str, name: str, namespace: str = "") -> dict[str, Any] | None:
        return next((o for o in self.list_objects("", kind, namespace) if o["metadata"]["name"] == name), None)

    def can_i(self, verb: str, resource: str, namespace: str = "", *, group: str = "") -> bool:
        self.asked.append((verb, f"{resource}.{group}" if group else resource, namespace))
        return bool(self.allowed(verb, resource, namespace) if callable(self.allowed) else self.allowed)

    def knows(self, _version: str, kind: str) -> bool:
        return kind in self.objects


def test_what_other_pods_have_is_not_free_and_what_ours_have_is(stack: Stack) -> None:
    pods = [
        pod("kube-system", a="500m", b="250m"),
        pod("data-platform-storage", a="1"),
        pod("kube-system", phase="Succeeded", a="1"),
    ]
    found = read_facts(FakeCluster(Pod=pods, Node=[node()]), stack)
    assert found.nodes == [Node("lab", 1.25, 4096 - 128, 109)]


def test_an_init_container_counts_when_it_is_the_larger() -> None:
    one = pod("x", a="100m")
    one["spec"]["initContainers"] = [{"name": "i", "resources": {"requests": {"cpu": "2"}}}]
    assert (requested(one).cpu, requested(one).memory, requested(one).pods) == (2, 64, 1)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({}, ""),
        ({"ready": "Unknown"}, "not ready"),
        ({"pressure": "True"}, "DiskPressure"),
        ({"unschedulable": True}, "cordoned"),
        ({"taints": [{"key": "gpu", "effect": "NoSchedule"}]}, "taint gpu"),
        ({"taints": [{"key": "spot", "effect": "PreferNoSchedule"}]}, ""),
    ],
)
def test_a_node_that_takes_no_pods_is_not_counted(stack: Stack, changed: dict[str, Any], reason: str) -> None:
    assert unfit_reason(node(**changed)) == reason
    found = read_facts(FakeCluster(Node=[node(**changed)]), stack)
    assert (len(found.nodes), dict(found.unfit)) == ((0, {"lab": reason}) if reason else (1, {}))


def test_who_may_do_everything_is_asked_once(stack: Stack) -> None:
    cluster = FakeCluster()
    assert read_facts(cluster, stack).denied == []
    assert cluster.asked == [("*", "*.*", "")]


def test_missing_rights_are_named_with_their_namespaces(stack: Stack) -> None:
    def allowed(verb: str, resource: str, namespace: str) -> bool:
        missing = {("create", "namespaces", ""), ("patch", "statefulsets", "data-platform-core")}
        return verb != "*" and (verb, resource, namespace) not in missing

    cluster = FakeCluster(allowed=allowed)
    assert read_facts(cluster, stack).denied == ["create namespaces", "patch statefulsets.apps in data-platform-core"]
    assert {namespace for _, _, namespace in cluster.asked} == {"", *namespaces(stack)}


def test_classes_entries_labels_and_pending_releases_are_read(stack: Stack) -> None:
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    cluster = FakeCluster(
        StorageClass=[{"metadata": {"name": "a", "annotations": default}}, {"metadata": {"name": "b"}}],
        IngressClass=[{"metadata": {"name": "nginx"}}],
        GatewayClass=[{"metadata": {"name": "envoy"}}],
        SparkApplication=[],
        Namespace=[{"metadata": {"name": "data-platform-core", "labels": {"team": "x"}}}],
        ClusterRole=[{"metadata": {"name": "data-platform-deployer", "labels": {"team": "y"}}}],
        ClusterRoleBinding=[{"metadata": {"name": "others"}}],
        Secret=[
            {
                "metadata": {
                    "name": "sh.helm.release.v1.airflow.v2",
                    "namespace": "data-platform-core",
                    "labels": {"name": "airflow", "status": "pending-upgrade"},
                }
            }
        ],
    )
    found = read_facts(cluster, stack)
    assert found.storage_classes == {"a": True, "b": False}
    assert found.entries == ["IngressClass nginx", "GatewayClass envoy"]
    assert found.labels == {"data-platform-core": {"team": "x"}}
    assert found.roles == {"ClusterRole data-platform-deployer": {"team": "y"}}
    assert found.pending == {"data-platform-core/airflow": "pending-upgrade"}
    assert found.has_spark_operator
    assert not read_facts(FakeCluster(), stack).has_spark_operator


def test_the_api_server_is_where_its_own_service_leads() -> None:
    piece = {
        "metadata": {"name": "kubernetes", "namespace": "default"},
        "ports": [{"port": 6443}],
        "endpoints": [{"addresses": ["10.0.0.2"]}, {"addresses": ["fd00::1"]}],
    }
    assert api_server_address(FakeCluster(EndpointSlice=[piece])) == "10.0.0.2:6443,[fd00::1]:6443"
    with pytest.raises(PlatformError, match="has no endpoint"):
        api_server_address(FakeCluster())
