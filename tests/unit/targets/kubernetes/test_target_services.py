"""Cluster services on the target: deployed as other components are, or the administrator's, which is only verified."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_platform.stack.errors import PlatformError
from data_platform.stack.load import KUBERNETES, load_stack
from data_platform.stack.service import Provided
from data_platform.targets.kubernetes import releases
from data_platform.targets.kubernetes.settings import Settings
from data_platform.targets.kubernetes.target import KubernetesTarget
from tests.unit.targets.kubernetes.conftest import FakeHelm
from tests.unit.targets.kubernetes.fake_cluster import FakeCluster

SPACE = "data-platform-spark-operator"


class Silent(FakeCluster):
    """A cluster that must not be asked."""

    def get(self, *asked: object, **_: object) -> None:  # type: ignore[override]
        pytest.fail(f"the API server was asked for {asked}")

    list_objects = get  # type: ignore[assignment]


def on(root: Path, cluster: FakeCluster, *, inside: bool = True, **said: Provided) -> KubernetesTarget:
    services = {name.replace("_", "-"): who for name, who in said.items()}
    stack = load_stack(root, target=KUBERNETES, cluster_services=services)
    images = {name: f"localhost/data-platform/{name}:1" for name in stack.components}
    settings = Settings(images=images, api_server="10.0.0.1:6443", cluster_services=services)
    return KubernetesTarget(stack, settings, cluster, FakeHelm(cluster), inside=inside)  # type: ignore[arg-type]


def test_it_is_a_release_in_its_own_namespace_as_any_component(root: Path) -> None:
    target = on(root, FakeCluster())
    release = target._release(target._item("spark-operator"))
    assert release.namespace == SPACE
    assert {resource.kind for resource in target.wanted("spark-operator")} == {"artifact", "secret", "release"}
    command = release.values["processes"]["controller"]["command"]
    assert command[0] == "/opt/data-platform/artifacts/operator/spark-operator"
    assert "--namespaces=data-platform-processing" in command
    assert f"--leader-election-lock-namespace={SPACE}" in command


def test_of_the_administrators_nothing_is_wanted_and_nobody_looks_where_it_is_not(root: Path) -> None:
    target = on(root, Silent(), spark_operator="administrator")
    assert target.wanted("spark-operator") == []
    assert target.observe("spark-operator") == []
    assert target.processes("spark-operator") == {}
    assert target.condition("spark-operator") == "installed"
    assert (target.revision("spark-operator"), target.logs("spark-operator", 10)) == ("", "")
    target.wait("spark-operator")
    target.forget_earlier("spark-operator")
    with pytest.raises(PlatformError, match="no revision of spark-operator was deployed before"):
        target.restore("spark-operator", "")


@pytest.mark.parametrize(("inside", "looks"), [(True, 0), (False, 1)])
def test_airflow_does_not_look_by_applying_where_it_may_not_apply(
    root: Path, monkeypatch: pytest.MonkeyPatch, inside: bool, looks: int
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(releases, "drift", lambda *found: seen.append(found[2]) or [])
    cluster = FakeCluster()
    target = on(root, cluster, inside=inside, openebs="deployed")
    target._apply_release(target._item("openebs"))
    (release,) = (each for each in target.observe("openebs") if each.kind == "release")
    assert release.digest == target._release(target._item("openebs")).digest
    assert seen == ["data-platform-openebs"] * looks


def test_jobs_are_told_of_the_operator_by_their_own_chart(root: Path) -> None:
    ours = on(root, FakeCluster())
    none = on(root, FakeCluster(), spark_operator="absent")
    # The size small says otherwise, so it is on top of what is given.
    assert ours._release(ours._item("spark")).values["execution"] == {"runner": "operator"}
    assert "execution" not in none._release(none._item("spark")).values
    assert ours.bindings("spark").open["RUNNER"] == "scheduler"
