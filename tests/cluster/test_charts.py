"""The API server takes what the charts render, and helm brings each of them in, on, back and out."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from data_platform.clients.kubernetes import Cluster
from data_platform.clients.kubernetes_errors import ClusterError
from data_platform.targets.kubernetes.releases import Helm, Release, drift, newest
from tests.cluster.given import Given
from tests.render.conftest import CHARTS, SIZES, Object, definition, helm, render
from tests.render.policies import pods, workloads

pytestmark = pytest.mark.api_level
_LEVEL = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}


@pytest.fixture(scope="module")
def space(given: Given) -> Iterator[str]:
    """A namespace with the guard rail of the platform's own."""
    name = f"charts-{uuid.uuid4().hex[:8]}"
    given.client.server_side_apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": _LEVEL}}
    )
    single = [f"{chart.parent.name}-{name}" for chart in CHARTS for name in accounts_of(chart)]
    for account in ("default", *(chart.parent.name for chart in CHARTS), *single):
        # Nobody makes the default one where there is an API server alone.
        given.client.server_side_apply(_object("v1", "ServiceAccount", account, name))
    yield name
    given.client.delete("v1", "Namespace", name)


def accounts_of(chart: Path) -> list[str]:
    """Processes and pods of a chart that have accounts of their own."""
    return list(yaml.safe_load((chart / "values.yaml").read_text(encoding="utf-8")).get("accounts") or {})


def _object(api_version: str, kind: str, name: str, namespace: str, **more: Any) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": namespace}, **more}


def placed(objects: list[Object], namespace: str) -> list[Object]:
    """The objects in another namespace; what has none keeps it so."""
    for thing in objects:
        if "namespace" in thing["metadata"]:
            thing["metadata"]["namespace"] = namespace
    return objects


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.parent.name)
def test_the_api_server_takes_every_object_and_every_pod(cluster: Cluster, space: str, chart: Path, size: str) -> None:
    objects = placed(render(chart, size), space)
    assert objects
    for thing in objects:
        cluster.server_side_apply(thing, dry_run=True)
    for thing, template in pods(objects):
        cluster.server_side_apply(_pod(thing, template, space), dry_run=True)


def _pod(thing: Object, template: Object, namespace: str) -> Object:
    """What a controller would make of a template."""
    spec = {**template["spec"]}
    # Claims of a StatefulSet are made by its controller.
    claims = [claim["metadata"]["name"] for claim in thing["spec"].get("volumeClaimTemplates", ())]
    spec["volumes"] = [
        *spec.get("volumes", ()),
        *({"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims),
    ]
    return _object("v1", "Pod", thing["metadata"]["name"], namespace, spec=spec)


@pytest.fixture
def postgresql(space: str) -> list[Object]:
    """A rendered chart with a pod to spoil."""
    (chart,) = [chart for chart in CHARTS if chart.parent.name == "postgresql"]
    return placed(render(chart, "small"), space)


def test_an_unknown_field_and_a_pod_as_root_are_refused(cluster: Cluster, space: str, postgresql: list[Object]) -> None:
    thing, template = pods(postgresql)[0]
    template["spec"]["securityContext"]["runAsUser"] = 0
    template["spec"]["securityContext"]["runAsNonRoot"] = False
    with pytest.raises(ClusterError, match="PodSecurity"):
        cluster.server_side_apply(_pod(thing, template, space), dry_run=True)
    template["spec"]["enableServiceLink"] = False
    with pytest.raises(ClusterError, match="enableServiceLink"):
        cluster.server_side_apply(thing, dry_run=True)


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.parent.name)
def test_a_release_comes_changes_goes_back_and_goes(given: Given, space: str, chart: Path) -> None:
    name, cluster = chart.parent.name, given.client
    program = Helm(helm(), ("--kube-context", given.context, "--kubeconfig", str(given.kubeconfig)), seconds=300)
    # Nobody runs jobs where there is an API server alone.
    values = {**definition(chart), "jobs": {}}
    first = Release(name, space, chart, values, (chart.parent / "values.small.yaml",), "first")
    objects = placed(render(chart, "small"), space)
    cluster.delete("v1", "ServiceAccount", name, space)

    program.upgrade(first)
    record = newest(cluster, name, space)
    assert record
    assert (record.revision, record.status, record.digest) == (1, "deployed", "first")
    assert drift(cluster, record, space) == []

    changed = {**values, "version": "changed"}
    program.upgrade(first._replace(values=changed, digest="second"))
    assert _versions(cluster, objects, space) == {"changed"}
    program.rollback(name, space, 1)
    assert _versions(cluster, objects, space) == {values["version"]}

    program.uninstall(name, space)
    left = [(t["kind"], t["metadata"]["name"]) for t in objects if t["kind"] != "Job" and _there(cluster, t, space)]
    assert left == [(t["kind"], t["metadata"]["name"]) for t in objects if t["kind"] == "PersistentVolumeClaim"]
    cluster.server_side_apply(_object("v1", "ServiceAccount", name, space))


def _versions(cluster: Cluster, objects: list[Object], space: str) -> set[str]:
    """Versions that the labels of a release's objects say; of those of its pods too."""
    found = [_there(cluster, thing, space) for thing in objects if thing["kind"] != "Job"]
    assert all(found)
    labels = [thing["metadata"]["labels"] for thing in found if thing]
    labels += [thing["spec"]["template"]["metadata"]["labels"] for thing in workloads([t for t in found if t])]
    return {str(each["app.kubernetes.io/version"]) for each in labels}


def _there(cluster: Cluster, thing: Object, space: str) -> Object | None:
    return cluster.get(thing["apiVersion"], thing["kind"], thing["metadata"]["name"], space)
