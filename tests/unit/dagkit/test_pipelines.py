"""A dataset's DAG is drawn from its files: a third one needs no code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from data_platform.stack.errors import PlatformError
from tests.unit.stack.test_contract import GOOD
from tests.unit.stack.test_datasets import PIPELINE, write

PRODUCER = "dbt.dbt_producer_watcher"


def model(path: str, *needed: str) -> dict[str, Any]:
    return {
        "resource_type": "model",
        "package_name": "data_platform",
        "original_file_path": path,
        "fqn": ["data_platform", *path.removesuffix(".sql").split("/")[1:]],
        "tags": [],
        "config": {"materialized": "table"},
        "depends_on": {"nodes": list(needed)},
    }


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose only dataset is one that the project does not know."""
    from data_platform.dagkit import dbt, pipelines

    project = tmp_path / "dbt_project"
    nodes = {
        "model.data_platform.stg_tiny": model("models/staging/tiny/stg_tiny.sql", "source.data_platform.raw.tiny"),
        "model.data_platform.tiny": model("models/marts/tiny/tiny.sql", "model.data_platform.stg_tiny"),
    }
    for node in nodes.values():
        path = project / node["original_file_path"]
        path.parent.mkdir(parents=True)
        path.write_text("select 1\n", encoding="utf-8")
    document = {"metadata": {"project_name": "data_platform"}, "nodes": nodes}
    (project / "slim_manifest.json").write_text(json.dumps(document), encoding="utf-8")
    for name in ("dbt_project.yml", "profiles.yml"):
        (project / name).write_text((dbt.PROJECT / name).read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(dbt, "PROJECT", project)
    monkeypatch.setattr(pipelines, "ROOT", tmp_path)
    return tmp_path


def drawn() -> Any:
    from data_platform.dagkit.pipelines import draw_pipeline

    return draw_pipeline("tiny")


def test_the_least_dataset_goes_the_whole_way(checkout: Path) -> None:
    write(checkout, "tiny", GOOD)
    dag = drawn()
    assert (dag.dag_id, dag.owner, dag.tags) == ("pipelines_tiny", "counters", {"pipelines"})
    arrows = {task.task_id: task.upstream_task_ids for task in dag.tasks}
    models = {name for name in arrows if name.startswith("dbt.")}
    # Cosmos names a model without tests so.
    assert models == {PRODUCER, f"{PRODUCER}_done", "dbt.stg_tiny_run", "dbt.tiny_run"}
    assert {name: before for name, before in arrows.items() if name not in models} == {
        "turn": set(),
        "flow": {"turn"},
        "land": {"flow"},
        "discover": {"land"},
        "audit": {"discover"},
        "load": {"audit"},
        "validate_raw": {"load"},
        "load_rest": {"validate_raw"},
        "validate_rest": {"load_rest"},
        "set_aside": {"publish"},
        "validate_marts": arrows["validate_marts"],
        "publish": {"validate_marts"},
        "docs": {"publish"},
        "emit_lineage": {"docs"},
        "check_lineage": {"emit_lineage"},
        # Of all that may work while something else has failed already.
        "release": arrows.keys() - {"release", "set_aside", "docs", "emit_lineage", "check_lineage"},
    }
    assert "dbt.tiny_run" in arrows["validate_marts"] <= models
    assert dict(dag.params) == {}
    # They begin when the rest was judged, or when there was no need to.
    first = {name: dag.get_task(name).trigger_rule for name in models if not arrows[name] & models}
    assert first
    assert set(first.values()) == {"none_failed"}
    assert all("validate_rest" in arrows[name] for name in first)
    # What readers get is held against the contract, after all models.
    assert {t.task_id for t in dag.tasks if getattr(t, "bounds", False)} == {"validate_marts"}
    assert dag.get_task("validate_raw").rest == ("load_rest", "validate_rest")


def test_schedule_tables_and_lineage_are_those_of_the_dataset(checkout: Path) -> None:
    write(checkout, "tiny", GOOD)
    dag = drawn()
    assert dag.schedule.timetable.expression == "0 6 * * 1"
    assert dag.schedule.asset_condition.uri == "s3://raw/tiny"
    outlets = {task.task_id: [asset.uri for asset in task.outlets] for task in dag.tasks if task.outlets}
    loaded = ["iceberg:lakehouse.raw.tiny"]
    assert outlets == {"load": loaded, "load_rest": loaded, "publish": ["iceberg:lakehouse.marts.tiny"]}
    spec = dag.get_task("check_lineage").arguments["spec"]
    assert spec["kind"] == "lineage_path"
    assert {"source": "iceberg:lakehouse.staging.stg_tiny", "target": "iceberg:lakehouse.marts.tiny", "by": "dbt"} in (
        spec["with"]["edges"]
    )


def test_reference_days_and_page_are_there_where_the_dataset_has_them(checkout: Path) -> None:
    write(checkout, "tiny", GOOD, PIPELINE + "reference: {package: tiny_package, file: a.csv}\ndays: true\n")
    page = checkout / "reports" / "tiny" / "page.py"
    page.parent.mkdir(parents=True)
    page.touch()
    dag = drawn()
    deliver = dag.get_task("deliver")
    assert (deliver.file, deliver.package) == ("a.csv", "tiny_package")
    assert dag.get_task("land").upstream_task_ids == {"deliver"}
    assert dag.get_task("page").upstream_task_ids == {"publish"}
    assert set(dag.params) == {"from", "to"}


@pytest.mark.usefixtures("checkout")
def test_an_unknown_dataset_is_told() -> None:
    with pytest.raises(PlatformError, match="no dataset 'tiny'"):
        drawn()
