"""The check `volumes`: every class and way of access that is asked for, written to by one pod."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, cast

import pytest

from data_platform.checks.base import CheckFailed, Deadline, Params
from data_platform.checks.volumes import check
from data_platform.clients.kubernetes import Cluster
from data_platform.clients.kubernetes_errors import TIMEOUT, ClusterError
from data_platform.stack.load import KUBERNETES, load_stack
from data_platform.targets.kubernetes import needs
from data_platform.targets.kubernetes.releases import Helm
from data_platform.targets.kubernetes.settings import Settings
from data_platform.targets.kubernetes.target import KubernetesTarget
from tests.sizes import claiming
from tests.unit.targets.kubernetes.fake_cluster import FakeCluster

SPACE = "data-platform-core"


class Provisioned(FakeCluster):
    """A cluster in which the pod ends in a phase, or never."""

    def __init__(self, phase: str) -> None:
        super().__init__()
        self.phase = phase
        self.seen: dict[str, list[dict[str, Any]]] = {}

    def wait_for_pod(self, name: str, namespace: str, seconds: float) -> dict[str, Any]:
        assert seconds > 0
        self.seen = {kind: self.list_objects("v1", kind, namespace) for kind in ("Pod", "PersistentVolumeClaim")}
        if not self.phase:
            self.seen["PersistentVolumeClaim"][0]["status"] = {"phase": "Bound"}
            self.objects["PersistentVolumeClaim", namespace, f"{name}-0"]["status"] = {"phase": "Bound"}
            raise ClusterError(f"Pod {name} in {namespace}: not done", "look", TIMEOUT)
        return {"status": {"phase": self.phase}}

    def logs(self, name: str, namespace: str) -> str:
        del name, namespace
        return "read-only file system"


@pytest.fixture
def ask(root: Path) -> Callable[..., str]:
    stack = load_stack(root, target=KUBERNETES)

    def asked(
        cluster: Provisioned, size: Literal["small", "production"] = "production", storage_class: str = ""
    ) -> str:
        settings = Settings(images={"airflow": "registry.example/airflow:1"}, size=size, storage_class=storage_class)
        place = KubernetesTarget(stack, settings, cast("Cluster", cluster), Helm("helm"), inside=True)
        place.asked = claiming(stack)
        return check(Params(), place, Deadline(5))

    return asked


def test_one_of_each_is_claimed_and_written_to_and_all_of_it_goes(ask: Callable[..., str]) -> None:
    cluster = Provisioned("Succeeded")
    said = ask(cluster)
    assert said == "a pod has written to ReadWriteOnce of openebs-hostpath, ReadWriteMany of shared"
    claims, (pod,) = cluster.seen["PersistentVolumeClaim"], cluster.seen["Pod"]
    assert [(c["spec"]["storageClassName"], c["spec"]["accessModes"]) for c in claims] == [
        ("openebs-hostpath", ["ReadWriteOnce"]),
        ("shared", ["ReadWriteMany"]),
    ]
    mounted = [volume["persistentVolumeClaim"]["claimName"] for volume in pod["spec"]["volumes"]]
    assert mounted == [claim["metadata"]["name"] for claim in claims]
    assert pod["spec"]["containers"][0]["image"] == "registry.example/airflow:1"
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    assert pod["metadata"]["namespace"] == SPACE
    assert cluster.objects == {}


@pytest.mark.parametrize(("storage_class", "named"), [("", "the default class"), ("fast", "fast")])
def test_the_class_of_the_platform_wins(ask: Callable[..., str], storage_class: str, named: str) -> None:
    cluster = Provisioned("Succeeded")
    assert ask(cluster, "small", storage_class) == f"a pod has written to ReadWriteOnce of {named}"
    (claim,) = cluster.seen["PersistentVolumeClaim"]
    assert claim["spec"].get("storageClassName", "") == storage_class


def test_a_claim_that_is_not_bound_is_named(ask: Callable[..., str]) -> None:
    cluster = Provisioned("")
    with pytest.raises(
        CheckFailed, match="ReadWriteOnce of openebs-hostpath is Bound, ReadWriteMany of shared is gone"
    ):
        ask(cluster)
    assert cluster.objects == {}


def test_a_volume_that_cannot_be_written_to_has_not_passed(ask: Callable[..., str]) -> None:
    with pytest.raises(CheckFailed, match="read-only file system"):
        ask(Provisioned("Failed"))


def test_a_platform_without_volumes_proves_nothing(ask: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> list[tuple[str, str]]:
        return []

    monkeypatch.setattr(needs, "volumes", none)
    with pytest.raises(CheckFailed, match="no component asks for a volume"):
        ask(Provisioned("Succeeded"))
