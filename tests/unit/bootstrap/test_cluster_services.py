"""Kinds of cluster services are made known by the bootstrap, marked, and forgotten when nobody else uses them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from bootstrap import cluster_services
from bootstrap.cluster_services import forget_kinds, make_kinds_known
from bootstrap.progress import Progress
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import KUBERNETES, load_stack
from data_platform.stack.service import Provided
from data_platform.targets.kubernetes import places, releases
from data_platform.targets.kubernetes.settings import Settings
from data_platform.targets.kubernetes.target import KubernetesTarget
from data_platform.targets.local.artifacts import Placed, place
from tests.unit.targets.kubernetes.fake_cluster import FakeCluster

OURS, ANOTHER = "0123456789abcdef", "fedcba9876543210"
KIND, GROUP = "CustomResourceDefinition", "sparkoperator.k8s.io"
PLURALS = {"sparkapplications": "SparkApplication", "scheduledsparkapplications": "ScheduledSparkApplication"}


class Serving(FakeCluster):
    """Serves each kind at once that it is told of."""

    def wait_until(
        self, api_version: str, kind: str, name: str, namespace: str = "", *, done: Callable[..., bool], **_: object
    ) -> dict[str, Any] | None:
        there = self.objects[kind, namespace, name]
        assert not done(there)
        assert not done(there | {"status": {"conditions": None}})
        return super().wait_until(api_version, kind, name, namespace, done=lambda _: done(there | {"status": SERVED}))


SERVED = {"conditions": [{"type": "NamesAccepted", "status": "False"}, {"type": "Established", "status": "True"}]}


def definition(plural: str) -> dict[str, Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": KIND,
        "metadata": {"name": f"{plural}.{GROUP}", "annotations": {"made": "by a generator"}},
        "spec": {
            "group": GROUP,
            "names": {"kind": PLURALS.get(plural, "Other")},
            "versions": [{"name": "v1alpha1", "served": False}, {"name": "v1beta2", "served": True}],
        },
    }


@pytest.fixture
def built(root: Path, cache: Path) -> Path:
    """The artifact of the operator, as its build would leave it; returns the folder with its definitions."""
    placed: Placed = place(load_stack(root, target=KUBERNETES), "spark-operator", cache)["operator"]
    folder = placed.folder / "crds"
    folder.mkdir(parents=True)
    for plural in PLURALS:
        (folder / f"{plural}.yaml").write_text(yaml.safe_dump(definition(plural)), encoding="utf-8")
    return folder


def on(root: Path, cluster: FakeCluster, provided: Provided = "deployed", platform: str = OURS) -> KubernetesTarget:
    stack = load_stack(root, target=KUBERNETES, cluster_services={"spark-operator": provided})
    settings = Settings(api_server="10.0.0.1:6443", platform=platform)
    return KubernetesTarget(stack, settings, cluster, releases.Helm("helm"), inside=False)  # type: ignore[arg-type]


def names(cluster: FakeCluster) -> set[str]:
    return {name for kind, _, name in cluster.objects if kind == KIND}


@pytest.mark.usefixtures("built")
def test_they_are_applied_with_the_mark_and_waited_for(
    root: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = Serving()
    make_kinds_known(on(root, cluster), cache, Progress())
    assert names(cluster) == {f"{plural}.{GROUP}" for plural in PLURALS}
    made = cluster.objects[KIND, "", f"sparkapplications.{GROUP}"]["metadata"]
    assert made["labels"] == {
        places.PART_OF: "data-platform",
        places.MANAGED_BY: places.MANAGER,
        places.PLATFORM_ID: OURS,
    }
    assert made["annotations"] == {"made": "by a generator"}
    assert f"{KIND} sparkapplications.{GROUP}" in capsys.readouterr().out
    make_kinds_known(on(root, cluster), cache, Progress())
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("provided", ["administrator", "absent"])
def test_those_of_others_are_their_affair(root: Path, cache: Path, provided: Provided) -> None:
    cluster = Serving()
    make_kinds_known(on(root, cluster, provided), cache, Progress())
    assert cluster.objects == {}


@pytest.mark.usefixtures("built")
def test_what_somebody_else_made_is_not_taken_over(root: Path, cache: Path) -> None:
    cluster = Serving()
    cluster.objects[KIND, "", f"sparkapplications.{GROUP}"] = definition("sparkapplications")
    with pytest.raises(PlatformError, match="somebody has spark-operator") as caught:
        make_kinds_known(on(root, cluster), cache, Progress())
    assert "cluster_services: {spark-operator: administrator}" in caught.value.remedy
    assert f"kubectl label crd sparkapplications.{GROUP}" in caught.value.remedy


@pytest.mark.usefixtures("built")
def test_another_platforms_are_not_taken_over_either(root: Path, cache: Path) -> None:
    cluster = Serving()
    make_kinds_known(on(root, cluster, platform=ANOTHER), cache, Progress())
    with pytest.raises(PlatformError, match="belongs to another platform"):
        make_kinds_known(on(root, cluster), cache, Progress())


def test_a_kind_that_the_artifact_does_not_define_is_named(root: Path, cache: Path, built: Path) -> None:
    (built / "sparkapplications.yaml").unlink()
    cluster = Serving()
    with pytest.raises(PlatformError, match=rf"no definition of sparkapplications\.{GROUP}") as caught:
        make_kinds_known(on(root, cluster), cache, Progress())
    assert f"scheduledsparkapplications.{GROUP}" in caught.value.remedy
    assert cluster.objects == {}


def test_an_artifact_that_is_not_there_is_made(
    root: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, built: Path
) -> None:
    kept = cache / "aside"
    shutil.copytree(built, kept)
    shutil.rmtree(built.parent)

    def fetched(artifact: Placed, bindings: dict[str, str], _: Path) -> None:
        assert (artifact.name, set(bindings)) == ("operator", {"ROOT", "PLATFORM_PYTHON"})
        shutil.copytree(kept, built)

    monkeypatch.setattr(cluster_services, "fetch", fetched)
    cluster = Serving()
    make_kinds_known(on(root, cluster), cache, Progress())
    assert len(names(cluster)) == len(PLURALS)


@pytest.fixture
def known(root: Path, cache: Path, built: Path) -> Serving:
    """A cluster that has been told of them."""
    del built
    cluster = Serving()
    make_kinds_known(on(root, cluster), cache, Progress())
    return cluster


def put(cluster: FakeCluster, namespace: str) -> None:
    cluster.objects["SparkApplication", namespace, "one"] = {
        "kind": "SparkApplication",
        "metadata": {"name": "one", "namespace": namespace},
    }


def test_they_go_with_the_platform(known: Serving) -> None:
    put(known, "data-platform-processing")
    assert forget_kinds(known, OURS, frozenset({"data-platform-processing"})) == []  # type: ignore[arg-type]
    assert names(known) == set()


def test_a_kind_of_which_others_have_objects_stays_and_is_named(known: Serving) -> None:
    put(known, "analysts")
    left = forget_kinds(known, OURS, frozenset({"data-platform-processing"}))  # type: ignore[arg-type]
    assert left == [f"{KIND} sparkapplications.{GROUP}: others have objects of it, in analysts"]
    assert names(known) == {f"sparkapplications.{GROUP}"}


def test_those_of_another_platform_stay(known: Serving) -> None:
    assert forget_kinds(known, ANOTHER, frozenset()) == []  # type: ignore[arg-type]
    assert len(names(known)) == len(PLURALS)
