"""A typing mistake in values is refused by helm, with the place and what is allowed there."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.render.conftest import CHARTS, ROOT, SIZES, RefusedError, render, target
from tests.render.test_components import GIT_SYNC

_spec = importlib.util.spec_from_file_location("schemas", ROOT / "stack" / "charts" / "schemas.py")
assert _spec
assert _spec.loader
schemas = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(schemas)

(NIFI,) = [chart for chart in CHARTS if chart.parent.name == "nifi"]
(TRINO,) = [chart for chart in CHARTS if chart.parent.name == "trino"]
(SPARK,) = [chart for chart in CHARTS if chart.parent.name == "spark"]
(AIRFLOW,) = [chart for chart in CHARTS if chart.parent.name == "airflow"]


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.parent.name)
def test_schemas_are_what_the_library_says(chart: Path) -> None:
    written = (chart / "values.schema.json").read_text(encoding="utf-8")
    assert written == schemas.schema(chart), "make them again: python stack/charts/schemas.py"


def test_a_stale_schema_is_seen(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("workloads: {other: {}}\n")
    assert schemas.schema(tmp_path) != (NIFI / "values.schema.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.parent.name)
def test_every_size_says_only_what_differs(chart: Path, size: str) -> None:
    written = yaml.safe_load((chart.parent / f"values.{size}.yaml").read_text(encoding="utf-8"))
    defaults = yaml.safe_load((chart / "values.yaml").read_text(encoding="utf-8"))
    # What follows from what is there is below those of a size, too.
    defaults |= target().stack.components[chart.parent.name].given
    assert list(same(written, defaults)) == []


def same(written: dict[str, Any], defaults: dict[str, Any], where: str = "") -> list[str]:
    """Keys that say what is the default anyway."""
    found = []
    for key, value in written.items():
        if isinstance(value, dict):
            found += same(value, defaults.get(key) or {}, f"{where}{key}.")
        elif key in defaults and defaults[key] == value:
            found.append(where + key)
    return found


def test_a_value_that_does_not_differ_is_found() -> None:
    assert same({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 1, "c": 3}}) == ["a.b"]


@pytest.mark.parametrize(
    ("chart", "changes", "words"),
    [
        (NIFI, {"workload.replica": 3}, ["/workload", "additional properties 'replica' not allowed"]),
        (NIFI, {"workloads.nify": {}}, ["/workloads", "additional properties 'nify' not allowed"]),
        (NIFI, {"security.pod.runAsUser": 0}, ["/security"]),
        (NIFI, {"replicas": 3}, ["additional properties 'replicas' not allowed"]),
        (NIFI, {"workloads.nifi.kind": "DaemonSet"}, ["/workloads/nifi/kind", "'Deployment', 'StatefulSet'"]),
        (NIFI, {"workloads.nifi.storage": "4 GB"}, ["/workloads/nifi/storage"]),
        (NIFI, {"image.reference": "apache/nifi:latest"}, ["/image/reference"]),
        (NIFI, {"image.reference": "apache/nifi"}, ["/image/reference"]),
        (NIFI, {"workloads.nifi.resources": {"limits": {"cpu": "two"}}}, ["/workloads/nifi/resources/limits/cpu"]),
        (NIFI, {"expose": {"kind": "Route", "host": "h", "endpoint": "http"}}, ["/expose"]),
        (SPARK, {"processes": {"server": {}}}, ["/processes", "additional properties 'server' not allowed"]),
        (SPARK, {"execution.runner": "yarn"}, ["/execution/runner", "'pod', 'scheduler', 'operator'"]),
        (SPARK, {"execution.executors": 0}, ["/execution/executors"]),
        (AIRFLOW, {"gitSync": {**GIT_SYNC, "image": "git-sync:latest"}}, ["/gitSync"]),
        (AIRFLOW, {"gitSync": {**GIT_SYNC, "repository": "https://me:word@git.example.org/a"}}, ["/gitSync"]),
        (AIRFLOW, {"gitSync": {**GIT_SYNC, "ref": "--exechook-command=sh"}}, ["/gitSync"]),
        (NIFI, {"gitSync": GIT_SYNC}, ["additional properties 'gitSync' not allowed"]),
        (TRINO, {"workloads.worker.storage": "1Gi"}, ["workloads.worker: storage needs kind StatefulSet"]),
        (TRINO, {"service.process": "sever"}, ["service.process: there is no process sever; there is: server, worker"]),
        (TRINO, {"component": "presto"}, ["the release is called trino, the component presto"]),
    ],
)
def test_a_mistake_is_refused_with_its_place(chart: Path, changes: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(RefusedError) as refused:
        render(chart, "small", changes=changes)
    assert [word for word in words if word not in str(refused.value)] == []


def test_without_a_definition_it_says_where_to_get_one() -> None:
    with pytest.raises(RefusedError, match=r"docs/how-to/install-by-hand\.md"):
        render(NIFI, "small", changes={"processes": None})
