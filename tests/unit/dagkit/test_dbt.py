"""A dataset's models as a task group."""

from __future__ import annotations

import json
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from data_platform.datasets.dbt_docs import PROJECT
from data_platform.stack.errors import PlatformError

PRODUCER = "dbt.dbt_producer_watcher"


@pytest.fixture(scope="module")
def tasks() -> dict[str, Any]:
    """The tasks of `fx_rates`, by id, drawn where no process may be started."""
    from airflow.sdk import DAG

    from data_platform.dagkit.dbt import dbt_group

    def refuse(*words: object, **_: object) -> None:
        raise AssertionError(f"a process was started: {words}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", refuse)
        with DAG("drawn", schedule=None, default_args={"retries": 2, "retry_delay": timedelta(seconds=10)}) as dag:
            dbt_group("fx_rates", pool="some_pool")
    return {task.task_id: task for task in dag.tasks}


def slim() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((PROJECT / "slim_manifest.json").read_text(encoding="utf-8"))
    return found


def test_each_model_and_its_tests_have_a_task_in_the_order_of_the_data(tasks: dict[str, Any]) -> None:
    arrows = {name: set(task.upstream_task_ids) for name, task in tasks.items()}
    assert arrows == {
        PRODUCER: set(),
        f"{PRODUCER}_done": {PRODUCER},
        "dbt.stg_fx_rates.run": set(),
        "dbt.stg_fx_rates.test": {"dbt.stg_fx_rates.run"},
        "dbt.fx_rates_daily.run": {"dbt.stg_fx_rates.test"},
        "dbt.fx_rates_daily.test": {"dbt.fx_rates_daily.run"},
        "dbt.fx_currency_monthly.run": {"dbt.fx_rates_daily.test"},
        "dbt.fx_currency_monthly.test": {"dbt.fx_currency_monthly.run"},
    }


def test_one_dbt_run_works_in_the_branch_of_the_dataset_on_its_models(tasks: dict[str, Any]) -> None:
    run = tasks[PRODUCER]
    assert run.select == "path:models/staging/fx_rates path:models/marts/fx_rates"
    assert run.dbt_cmd_flags == ["--exclude-resource-type", "unit_test"]
    assert Path(run.dbt_executable_path) == PROJECT / "bin" / "dbt"
    for name in (PRODUCER, "dbt.stg_fx_rates.run", "dbt.fx_currency_monthly.test"):
        assert tasks[name].env["DBT_CATALOG"] == "audit_fx_rates"
        assert tasks[name].pool == "some_pool"


def test_a_task_of_a_model_begins_again_after_the_run_has_given_up(tasks: dict[str, Any]) -> None:
    run, model = tasks[PRODUCER], tasks["dbt.stg_fx_rates.run"]
    assert run.retries == 1  # Cosmos turns the second try into a skip, which the models' tasks look for
    assert model.retries == 2
    assert run.retry_delay < model.retry_delay


def test_cosmos_names_no_tables_after_the_branch(tasks: dict[str, Any]) -> None:
    for name in (PRODUCER, "dbt.stg_fx_rates.run", "dbt.stg_fx_rates.test"):
        assert tasks[name].calculate_openlineage_events_completes({}, Path()) is False
        assert tasks[name].emit_datasets is False


def test_where_tasks_are_pods_models_wait_in_the_triggerer_and_the_run_is_a_pod(
    tasks: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.models.trigger import Trigger
    from airflow.sdk import DAG
    from airflow.serialization.serialized_objects import DagSerialization

    from data_platform.dagkit.dbt import dbt_group
    from data_platform.operators.models import ModelTrigger
    from data_platform.targets.kubernetes.places import SETTINGS_VARIABLE

    assert not any(task.start_from_trigger for task in tasks.values())
    monkeypatch.setenv(SETTINGS_VARIABLE, "{}")
    with DAG("drawn", schedule=None) as dag:
        dbt_group("fx_rates")
    kept = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    waiting = {task.task_id: task for task in kept.tasks if task.start_from_trigger}
    assert set(waiting) == set(tasks) - {PRODUCER, f"{PRODUCER}_done"}
    for name, task in waiting.items():
        start = task.start_trigger_args
        assert start.trigger_cls == f"{ModelTrigger.__module__}.{ModelTrigger.__qualname__}"
        assert callable(getattr(dag.get_task(name), start.next_method))
        trigger = ModelTrigger(**Trigger(start.trigger_cls, start.trigger_kwargs).kwargs)
        assert trigger.unique_id == f"model.data_platform.{name.split('.')[1]}"
        assert (trigger.producer, trigger.tests) == (PRODUCER, name.endswith(".test"))
        # Airflow would fill in what a trigger has of the same name as the task.
        assert not set(task.template_fields) & set(start.trigger_kwargs)


def test_every_test_of_the_dataset_is_waited_for_by_exactly_one_model(tasks: dict[str, Any]) -> None:
    waited = [test for tests in tasks[PRODUCER].tests_per_model.values() for test in tests]
    nodes = slim()["nodes"].items()
    known = [k for k, n in nodes if n["resource_type"] == "test" and "/fx_rates/" in n["original_file_path"]]
    assert len(known) >= 10
    assert sorted(waited) == sorted(known)


def test_a_dataset_without_models_is_named() -> None:
    from data_platform.dagkit.dbt import dbt_group

    with pytest.raises(PlatformError, match="there are no models of 'no_such'"):
        dbt_group("no_such")


def test_the_slim_manifest_is_as_new_as_the_models() -> None:
    from dbt_project.slim_manifest import digest

    assert slim()["metadata"]["sources"] == digest(PROJECT), (
        "the models changed: run DATA_PLATFORM_STATE=.platform PYTHONPATH=.:plugins python dbt_project/slim_manifest.py"
    )


def test_a_changed_model_makes_the_slim_manifest_old(tmp_path: Path) -> None:
    from dbt_project.slim_manifest import digest

    model = tmp_path / "models" / "marts" / "a.sql"
    model.parent.mkdir(parents=True)
    (tmp_path / "dbt_project.yml").write_text("name: a\n")
    model.write_text("select 1\n")
    before = digest(tmp_path)
    assert digest(tmp_path) == before
    model.write_text("select 2\n")
    changed = digest(tmp_path)
    model.with_suffix(".yml").write_text("version: 2\n")
    assert len({before, changed, digest(tmp_path)}) == 3


def test_a_test_of_two_models_belongs_to_the_one_that_it_is_written_beside() -> None:
    from dbt_project.slim_manifest import slim as make

    common = {"package_name": "p", "original_file_path": "f", "fqn": ["p"], "tags": []}
    node = common | {"config": {"materialized": "test"}, "resource_type": "test"}
    nodes = {
        "test.p.both": node | {"attached_node": "model.p.b", "depends_on": {"nodes": ["model.p.a", "model.p.b"]}},
        "test.p.alone": node | {"depends_on": {"nodes": ["model.p.b", "model.p.a"]}},
        "seed.p.s": node | {"resource_type": "seed", "depends_on": {"nodes": []}},
    }
    manifest = {"metadata": {"project_name": "p"}, "nodes": nodes}
    found = make(manifest, "sources")["nodes"]
    assert {key: value["depends_on"]["nodes"] for key, value in found.items()} == {
        "test.p.both": ["model.p.b"],
        "test.p.alone": ["model.p.a", "model.p.b"],
    }
