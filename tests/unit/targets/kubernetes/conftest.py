"""The platform's own stack, as it is on Kubernetes, and a target of it on a cluster in memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from data_platform.stack.load import KUBERNETES, load_stack
from data_platform.stack.plan import Step, plan
from data_platform.stack.stack import Stack
from data_platform.targets import claims
from data_platform.targets.kubernetes import releases
from data_platform.targets.kubernetes.needs import Asked, Need
from data_platform.targets.kubernetes.settings import Settings
from data_platform.targets.kubernetes.target import KubernetesTarget
from tests.unit.targets.kubernetes.fake_cluster import FakeCluster

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture(scope="session")
def stack(root: Path) -> Stack:
    """This checkout's stack."""
    return load_stack(root, target=KUBERNETES)


@pytest.fixture(scope="session")
def asked(stack: Stack) -> dict[str, Asked]:
    """One pod of each component, and one more while it is replaced. What charts make: tests/render/test_sizes.py."""
    pod = Need(pods=1, cpu=0.25, memory=512, cpu_limit=2, memory_limit=1024)
    return dict.fromkeys(stack.components, Asked(pod.plus(Need(storage=1024, claims=1)), pod, pod))


class FakeHelm(releases.Helm):
    """Remembers what it was asked to install; keeps its records in a cluster, as Helm does, where it has one."""

    def __init__(self, cluster: FakeCluster | None = None, history: int = 5) -> None:
        super().__init__("helm")
        self.upgraded: list[releases.Release] = []
        self.cluster = cluster
        self.history = history

    def template(self, release: releases.Release) -> list[dict[str, Any]]:
        return [{"kind": "ServiceAccount", "metadata": {"name": release.name, "namespace": release.namespace}}]

    def upgrade(self, release: releases.Release) -> None:
        self.upgraded.append(release)
        self._keep(release.name, release.namespace, release.values, release.digest)

    def rollback(self, name: str, namespace: str, revision: int) -> None:
        record = {r.revision: r for r in self._records(name, namespace)}[revision]
        self._keep(name, namespace, record.values, record.digest)

    def _keep(self, name: str, namespace: str, values: Mapping[str, Any], digest: str) -> None:
        if self.cluster is None:
            return
        before = self._records(name, namespace)
        version = str(before[-1].revision + 1 if before else 1)
        self.cluster.release(name, namespace, "", values, version=version, **{releases.DIGEST_LABEL: digest})
        for record in self._records(name, namespace)[: -self.history]:
            self.cluster.delete("v1", "Secret", record.secret, namespace)

    def _records(self, name: str, namespace: str) -> list[releases.Record]:
        return releases.history(self.cluster, name, namespace)  # type: ignore[arg-type]


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
def target(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> KubernetesTarget:
    # What was claimed is asked through the servers' own protocols (tests/unit/claims).
    monkeypatch.setattr(claims, "observe", lambda *_: [])
    stack = load_stack(ROOT, target=KUBERNETES)
    images = {name: f"localhost/data-platform/{name}:1" for name in stack.components}
    settings = Settings(images=images, api_server="10.0.0.1:6443")
    made = KubernetesTarget(stack, settings, cluster, FakeHelm(cluster), inside=True)  # type: ignore[arg-type]
    made.ensure_credentials()
    return made


def steps(target: KubernetesTarget, component: str) -> list[Step]:
    kinds = ("secret", "release")
    wanted = [resource for resource in target.wanted(component) if resource.kind in kinds]
    return plan(wanted, [seen for seen in target.observe(component) if seen.kind in kinds])
