"""What is read of a cluster before anything is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from data_platform.stack.errors import PlatformError
from data_platform.stack.load import KUBERNETES, load_stack
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes.inventory import Node, api_server_address, read_facts, unfit_reason
from data_platform.targets.kubernetes.permissions import namespaces


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


def test_rights_that_a_service_needs_must_be_there_to_be_given(stack: Stack) -> None:
    def allowed(verb: str, resource: str, namespace: str) -> bool:
        missing = {("create", "customresourcedefinitions", ""), ("update", "sparkconnects", "data-platform-processing")}
        return verb != "*" and (verb, resource, namespace) not in missing

    assert read_facts(FakeCluster(allowed=allowed), stack).denied == [
        "create customresourcedefinitions.apiextensions.k8s.io",
        "update sparkconnects.sparkoperator.k8s.io in data-platform-processing (for spark-operator)",
    ]


def test_kinds_are_looked_for_where_the_service_is_the_administrators(root: Path, stack: Stack) -> None:
    theirs = load_stack(root, target=KUBERNETES, cluster_services={"spark-operator": "administrator"})
    assert read_facts(FakeCluster(), stack).lacking == {}
    lacking = read_facts(FakeCluster(SparkApplication=[]), theirs).lacking
    assert lacking == {"spark-operator": ["ScheduledSparkApplication (sparkoperator.k8s.io/v1beta2)"]}
    there: Any = {"SparkApplication": [], "ScheduledSparkApplication": []}
    assert read_facts(FakeCluster(**there), theirs).lacking == {}


def test_a_service_that_is_ours_no_more_is_found_by_its_namespace(root: Path, stack: Stack) -> None:
    theirs = load_stack(root, target=KUBERNETES, cluster_services={"spark-operator": "administrator"})
    ours = {"app.kubernetes.io/managed-by": "data-platform"}
    for labels, left in ((ours, ["data-platform-spark-operator"]), ({}, [])):
        there = [{"metadata": {"name": "data-platform-spark-operator", "labels": labels}}]
        assert read_facts(FakeCluster(Namespace=there), theirs).left == left
        assert read_facts(FakeCluster(Namespace=there), stack).left == []


def test_definitions_of_kinds_are_read_where_the_platform_makes_them(root: Path, stack: Stack) -> None:
    name = "sparkapplications.sparkoperator.k8s.io"
    there = [{"metadata": {"name": name, "labels": {"team": "x"}}}]
    assert read_facts(FakeCluster(CustomResourceDefinition=there), stack).roles == {
        f"CustomResourceDefinition {name}": {"team": "x"}
    }
    theirs = load_stack(root, target=KUBERNETES, cluster_services={"spark-operator": "administrator"})
    assert read_facts(FakeCluster(CustomResourceDefinition=there), theirs).roles == {}


def test_classes_entries_labels_and_pending_releases_are_read(stack: Stack) -> None:
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    cluster = FakeCluster(
        StorageClass=[{"metadata": {"name": "a", "annotations": default}}, {"metadata": {"name": "b"}}],
        IngressClass=[{"metadata": {"name": "nginx"}}],
        GatewayClass=[{"metadata": {"name": "envoy"}}],
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


def test_the_api_server_is_where_its_own_service_leads() -> None:
    piece = {
        "metadata": {"name": "kubernetes", "namespace": "default"},
        "ports": [{"port": 6443}],
        "endpoints": [{"addresses": ["10.0.0.2"]}, {"addresses": ["fd00::1"]}],
    }
    assert api_server_address(FakeCluster(EndpointSlice=[piece])) == "10.0.0.2:6443,[fd00::1]:6443"
    with pytest.raises(PlatformError, match="has no endpoint"):
        api_server_address(FakeCluster())


@pytest.mark.parametrize(("images", "cut"), [(0, []), (49, []), (50, ["lab"]), (120, ["lab"])])
def test_a_node_that_lists_as_many_images_as_a_kubelet_tells_may_have_more(
    stack: Stack, images: int, cut: list[str]
) -> None:
    one = node()
    one["status"]["images"] = [{"names": [str(i)]} for i in range(images)]
    assert read_facts(FakeCluster(Node=[one, node("bare")]), stack).cut == cut


def test_who_makes_the_volumes_of_a_class_is_read(stack: Stack) -> None:
    classes = [{"metadata": {"name": "a"}, "provisioner": "nfs.csi.k8s.io"}, {"metadata": {"name": "b"}}]
    assert read_facts(FakeCluster(StorageClass=classes), stack).provisioners == {"a": "nfs.csi.k8s.io", "b": ""}
