"""Cluster services in a stack: on Kubernetes alone, and as the environment says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from data_platform.stack import services
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import KUBERNETES, load_stack
from data_platform.stack.service import CLUSTER, Provided
from data_platform.stack.stack import Stack

if TYPE_CHECKING:
    from tests.conftest import Tiny

OPERATOR = """
name: runner
namespace: cluster
version: "1"
summary: "An operator that runs things."
provides: [things]
endpoints:
  http: {port: 21050}
  metrics: {port: 21051, audience: [operators]}
metrics: {endpoint: metrics, names: [up]}
resources: {cpu: 1, memory_mib: 100}
checks: [{name: runs-a-thing-that-is-made, kind: served_kinds, with: {kinds: [{api_version: a.b/v1, kind: Thing}]}}]
backup: {kind: none, reason: it is a test}
"""
SERVICE: dict[str, Any] = {
    "cluster_service": {
        "kinds": [{"group": "things.example", "version": "v1", "kind": "Thing", "resource": "things"}],
        "definitions": {"artifact": "program", "folder": "crds"},
        "grants": [{"reason": "it makes pods", "namespaces": ["core", "runner"], "rights": [
            {"resources": ["pods"], "verbs": ["create"]}]}],
    },
    "image": {"artifacts": ["program"]},
    "api_server": True,
    "artifacts": {"program": {"build": ["true"]}},
    "processes": {"server": {"command": ["run"], "ready": {"command": ["true"]}}},
}  # fmt: skip


@pytest.fixture
def served(tiny: Tiny) -> Tiny:
    """The small stack with an operator, after which portal comes on Kubernetes."""
    folder = tiny.root / "stack" / "components" / CLUSTER / "runner"
    (folder / "chart").mkdir(parents=True)
    (folder / "component.yaml").write_text(OPERATOR, encoding="utf-8")
    (folder / "kubernetes.yaml").write_text(yaml.safe_dump(SERVICE), encoding="utf-8")
    for name in ("postgresql", "minio", "weeds", "reader"):
        (tiny.folder(name) / "kubernetes.yaml").write_text("{}\n", encoding="utf-8")
    said = {"after": ["things"], "calls": ["runner"], "values_with": {"things": {"mode": "by-things"}}}
    (tiny.folder("portal") / "kubernetes.yaml").write_text(yaml.safe_dump(said), encoding="utf-8")
    tiny.edit(tiny.stack_file, lambda content: content["capabilities"].update(things="runner"))
    return tiny


def loaded(served: Tiny, provided: Provided | None = None, target: str = KUBERNETES) -> Stack:
    return load_stack(served.root, target=target, cluster_services=None if provided is None else {"runner": provided})


def change(served: Tiny, edit: Callable[[dict[str, Any]], object]) -> Path:
    file = served.folder("runner") / "kubernetes.yaml"
    served.edit(file, edit)
    return file


def test_it_is_there_on_kubernetes_with_a_namespace_of_its_own(served: Tiny) -> None:
    stack = loaded(served)
    item = stack.components["runner"]
    assert (item.provided, item.is_deployed, item.part, item.has_chart) == ("deployed", True, "runner", True)
    assert stack.parts == {**stack.file.namespaces, "runner": "An operator that runs things."}
    assert stack.provider("things") == "runner"
    assert stack.dependencies("portal") == ("runner", "reader")
    assert stack.components["portal"].given == {"mode": "by-things"}
    assert "serves-its-kinds" in [check.name for check in item.component.all_checks]


def test_it_is_not_there_on_this_machine(served: Tiny) -> None:
    stack = loaded(served, target="local")
    assert "runner" not in stack.components
    assert stack.provider("things") is None
    assert stack.parts == stack.file.namespaces


def test_the_administrators_is_checked_and_nothing_else(served: Tiny) -> None:
    stack = loaded(served, "administrator")
    item = stack.components["runner"]
    assert (item.is_deployed, item.has_chart) == (False, False)
    assert stack.parts == stack.file.namespaces
    assert (item.definition.processes, item.definition.artifacts, item.component.endpoints) == ({}, {}, {})
    assert item.kubernetes is not None
    assert (item.kubernetes.image, item.kubernetes.api_server) == (None, False)
    # Its metrics and endpoints are the administrator's affair; what it does for the cluster is not.
    assert [check.name for check in item.component.all_checks] == ["runs-a-thing-that-is-made", "serves-its-kinds"]
    assert stack.provider("things") == "runner"
    assert stack.dependencies("portal") == ("runner", "reader")
    assert stack.components["portal"].given == {"mode": "by-things"}


def test_what_nobody_has_takes_no_part_and_nobody_waits_for_it(served: Tiny) -> None:
    stack = loaded(served, "absent")
    assert "runner" not in stack.components
    assert stack.provider("things") is None
    assert stack.dependencies("portal") == ("reader",)
    assert stack.callees("portal") == ("reader",)
    assert stack.components["portal"].given == {}


def test_the_service_says_what_holds_without_an_environment(served: Tiny) -> None:
    change(served, lambda content: content["cluster_service"].update(provided="administrator"))
    assert not loaded(served).components["runner"].is_deployed
    assert loaded(served, "deployed").components["runner"].is_deployed


def test_only_a_cluster_service_can_be_the_administrators(served: Tiny) -> None:
    with pytest.raises(PlatformError, match="there is no cluster service minio") as caught:
        load_stack(served.root, target=KUBERNETES, cluster_services={"minio": "administrator"})
    assert caught.value.remedy == "use one of: runner"
    with pytest.raises(PlatformError, match="there is no cluster service runner") as caught:
        loaded(served, "absent", target="local")
    assert "this target has none" in caught.value.remedy


MISFITS: dict[str, tuple[Callable[[dict[str, Any]], object], str, str]] = {
    "no service": (lambda c: c.pop("cluster_service"), "cluster_service: what is in components/cluster/", "say it"),
    "privileged": (
        lambda c: c["cluster_service"].update(pod_security="privileged"),
        "pod_security is privileged, and Airflow would deploy it",
        "bootstrap: true",
    ),
    "unknown artifact": (
        lambda c: c["cluster_service"]["definitions"].update(artifact="other"),
        "definitions.artifact names 'other'",
        "program",
    ),
    "unknown namespace": (
        lambda c: c["cluster_service"]["grants"][0].update(namespaces=["nowhere"]),
        "grants: there is no namespace nowhere",
        "runner",
    ),
}


@pytest.mark.parametrize("case", MISFITS)
def test_what_does_not_fit_is_refused_with_its_file(served: Tiny, case: str) -> None:
    edit, what, remedy = MISFITS[case]
    file = change(served, edit)
    with pytest.raises(PlatformError, match=what.replace(".", r"\.")) as caught:
        loaded(served)
    assert str(file) in caught.value.problem
    assert remedy in caught.value.remedy


def test_a_component_elsewhere_is_none(served: Tiny) -> None:
    served.edit(served.folder("portal") / "kubernetes.yaml", lambda content: content.update(cluster_service={}))
    with pytest.raises(PlatformError, match=r"portal/kubernetes\.yaml: cluster_service") as caught:
        loaded(served)
    assert "move its folder to components/cluster/" in caught.value.remedy


def test_it_has_no_file_for_this_machine(served: Tiny) -> None:
    (served.folder("runner") / "local.yaml").write_text("{}\n", encoding="utf-8")
    with pytest.raises(PlatformError, match=r"runner/local\.yaml: a cluster service exists on the target kubernetes"):
        loaded(served)


def test_what_needs_the_nodes_is_the_bootstraps(served: Tiny) -> None:
    change(served, lambda content: content["cluster_service"].update(pod_security="privileged"))
    served.edit(served.component("runner"), lambda content: content.update(bootstrap=True))
    assert loaded(served).components["runner"].component.bootstrap
    assert not loaded(served, "administrator").components["runner"].component.bootstrap


def test_values_follow_from_capabilities_alone(served: Tiny) -> None:
    served.edit(
        served.folder("portal") / "kubernetes.yaml", lambda content: content.update(values_with={"runner": {"a": 1}})
    )
    with pytest.raises(PlatformError, match="values_with names runner, which is no capability"):
        loaded(served)


def test_all_cluster_services_of_a_checkout_are_known_by_name(served: Tiny) -> None:
    assert services.names(served.root / "stack") == {"runner"}
