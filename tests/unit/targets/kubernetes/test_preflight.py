"""Whether a cluster can take the platform: every reason to refuse, as data."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import pytest

from data_platform.stack.errors import PlatformError
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes import needs, places
from data_platform.targets.kubernetes.inventory import Facts, Node
from data_platform.targets.kubernetes.needs import Asked, Need
from data_platform.targets.kubernetes.preflight import judge

OURS = "01234567"
MANAGED = {places.MANAGED_BY: places.MANAGER}
GOOD = Facts(
    version=(1, 37),
    storage_classes={"local-path": True, "openebs-hostpath": False, "shared": False},
    denied=(),
    nodes=(Node("lab", cpu=64, memory=512 * 1024, pods=200),),
    unfit={},
    entries=("IngressClass nginx",),
    labels={"data-platform-core": {"app.kubernetes.io/managed-by": "data-platform"}},
    pending={},
)


class Problems(Protocol):
    """What stands in the way, on a good cluster with something changed."""

    def __call__(
        self, size: str = "small", storage_class: str = "", asked: dict[str, Asked] | None = None, **changed: Any
    ) -> list[tuple[str, str]]: ...


@pytest.fixture
def problems(stack: Stack, asked: dict[str, Asked]) -> Problems:
    usual = asked

    def found(
        size: str = "small", storage_class: str = "", asked: dict[str, Asked] | None = None, **changed: Any
    ) -> list[tuple[str, str]]:
        facts = GOOD._replace(**changed)
        verdict = judge(stack, size, asked or usual, facts, storage_class=storage_class, platform=OURS)
        return [tuple(problem) for problem in verdict.problems]

    return found


@pytest.mark.parametrize("size", ["small", "production"])
def test_a_good_cluster_is_taken(stack: Stack, asked: dict[str, Asked], size: str) -> None:
    verdict = judge(stack, size, asked, GOOD)
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
def test_each_reason_to_refuse_is_told_with_its_remedy(problems: Problems, case: str) -> None:
    changed, what, remedy = REFUSED[case]
    found = problems(**changed)
    assert len([p for p in found if what in p[0] and remedy in p[1]]) == 1, found


def test_all_reasons_are_told_at_once(stack: Stack, asked: dict[str, Asked]) -> None:
    bad = GOOD._replace(version=(1, 20), storage_classes={}, denied=["create namespaces"], nodes=())
    with pytest.raises(PlatformError) as caught:
        judge(stack, "small", asked, bad).refuse()
    for word in ("1.20", "StorageClass", "create namespaces", "no node"):
        assert word in caught.value.problem
    assert len(caught.value.remedy.split("\n  → ")) == 4


def test_a_named_class_must_be_there_and_need_not_be_the_default(problems: Problems) -> None:
    classes = {"openebs-hostpath": False}
    assert problems(storage_class="openebs-hostpath", storage_classes=classes) == []
    ((what, _),) = problems(storage_class="fast", storage_classes=classes)
    assert what == "there is no StorageClass fast; there is: openebs-hostpath"


@pytest.mark.parametrize("maker", ["ebs.csi.aws.com", "rook-ceph.rbd.csi.ceph.com", "openebs.io/local"])
def test_a_class_that_makes_no_shared_volumes_is_refused_where_one_is_asked_of_it(
    problems: Problems, maker: str
) -> None:
    makers = {"local-path": "ebs.csi.aws.com", "openebs-hostpath": "openebs.io/local"}
    ((what, remedy),) = problems("production", provisioners=makers | {"shared": maker})
    assert what.endswith(f"are asked of the StorageClass shared, and {maker} makes none")
    assert "sharedVolumes" in remedy
    # In the small size one pod alone writes to each.
    assert problems("small", provisioners=makers | {"shared": maker}) == []


@pytest.mark.parametrize(
    "maker", ["nfs.csi.k8s.io", "rook-ceph.cephfs.csi.ceph.com", "notrbd.csi.ceph.com.example", ""]
)
def test_a_class_of_which_that_is_not_known_is_not(problems: Problems, maker: str) -> None:
    assert problems("production", provisioners={"shared": maker}) == []


def test_nodes_that_may_have_more_images_than_they_list_are_told(stack: Stack, asked: dict[str, Asked]) -> None:
    verdict = judge(stack, "small", asked, GOOD._replace(cut=["b", "a"]))
    assert verdict.problems == ()
    ((what, remedy),) = verdict.warnings
    assert what.startswith("a, b: these nodes list 50 images or more")
    assert "nodeStatusMaxImages" in remedy


def test_a_pod_that_fits_on_no_node_is_named_although_the_sum_fits(problems: Problems, asked: dict[str, Asked]) -> None:
    many = tuple(Node(f"n{index}", 1, 1024, 20) for index in range(60))
    assert problems(nodes=many) == []
    pod = Need(pods=1, cpu=2, memory=3072)
    ((what, remedy),) = problems(asked=asked | {"trino": Asked(pod, largest=pod)}, nodes=many)
    assert what == "no node has room for a pod of trino: 2 cores and 3 GiB"
    assert "smaller size" in remedy


def test_a_task_and_the_pods_of_its_job_must_fit_too(problems: Problems, asked: dict[str, Asked]) -> None:
    steady = sum(one.steady.pods for one in asked.values())
    assert problems(nodes=(Node("lab", 64, 512 * 1024, steady + 2),)) == []
    ((what, _),) = problems(nodes=(Node("lab", 64, 512 * 1024, steady + 1),))
    assert f"asks for {steady + 2} (pods)" in what


def test_a_missing_entry_and_a_pending_release_are_only_told(stack: Stack, asked: dict[str, Asked]) -> None:
    verdict = judge(
        stack, "small", asked, GOOD._replace(entries=(), pending={"data-platform-core/airflow": "pending-upgrade"})
    )
    assert verdict.problems == ()
    assert ["no ingress class" in verdict.warnings[0].what, "pending-upgrade" in verdict.warnings[1].what] == [True] * 2


def test_a_service_of_the_administrators_that_is_not_there_is_refused(problems: Problems) -> None:
    ((what, remedy),) = problems(lacking={"an-operator": ["Application (apps.example/v1)"]})
    assert what == (
        "an-operator is said to be the administrator's (cluster_services), and the cluster does not know "
        "Application (apps.example/v1)"
    )
    assert "docs/kubernetes/services.md" in remedy
    assert "cluster_services: {an-operator: deployed}" in remedy


def test_a_service_that_is_still_ours_is_refused_where_it_is_to_be_somebody_elses(problems: Problems) -> None:
    ((what, remedy),) = problems(left=["data-platform-an-operator"])
    assert "the namespace data-platform-an-operator has a cluster service that this platform deployed" in what
    assert "helm uninstall --namespace data-platform-an-operator" in remedy


def test_a_kind_that_somebody_else_made_known_is_refused(problems: Problems) -> None:
    ((what, _),) = problems(roles={"CustomResourceDefinition things.apps.example": {"team": "x"}})
    assert what == "the CustomResourceDefinition things.apps.example is there and was not made by this platform"


WAYS = {
    "its ingress": ({"kind": "Ingress", "className": "nginx"}, ("IngressClass nginx",), ""),
    "another ingress": ({"kind": "Ingress", "className": "f5"}, ("IngressClass nginx",), "no IngressClass f5"),
    "no ingress": ({"kind": "Ingress", "className": "nginx"}, ("GatewayClass nginx",), "no IngressClass nginx"),
    "its gateway": ({"kind": "HTTPRoute"}, ("GatewayClass envoy",), ""),
    "no gateway": ({"kind": "HTTPRoute"}, ("IngressClass nginx",), "no GatewayClass; there is: IngressClass nginx"),
}


@pytest.mark.parametrize("case", WAYS)
def test_a_way_in_that_the_cluster_lacks_is_refused(
    problems: Problems, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    way, entries, what = WAYS[case]
    read = needs.read_values

    def exposed(folder: Path, size: str, given: Any = None) -> dict[str, Any]:
        return read(folder, size, given) | ({"expose": way} if folder.name == "trino" else {})

    monkeypatch.setattr(needs, "read_values", exposed)
    found = problems(entries=entries)
    assert [(what in problem, "expose" in remedy) for problem, remedy in found] == ([(True, True)] if what else [])
