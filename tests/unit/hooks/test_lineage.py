"""The listener speaks for pipelines' tasks that have data and have succeeded, and stays out of every other process."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from types import SimpleNamespace
from typing import Any

import pytest

from data_platform.hooks import lineage

ENTRY = "datahub_airflow_plugin.datahub_plugin"


@pytest.fixture(autouse=True)
def _modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, ENTRY, raising=False)


def test_other_processes_import_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(lineage.SWITCH, raising=False)
    monkeypatch.setattr(lineage, "_listener", lambda: pytest.fail("imported"))
    assert lineage.listeners() == []


def test_the_packages_own_plugin_is_left_out_by_airflow(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow._shared.plugins_manager import is_valid_plugin

    monkeypatch.delenv(lineage.SWITCH, raising=False)
    lineage.listeners()
    assert not is_valid_plugin(EntryPoint("x", f"{ENTRY}:DatahubPlugin", "airflow.plugins").load())


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (SimpleNamespace(inlets=[], outlets=[]), False),
        (SimpleNamespace(inlets=["s3://raw/x"], outlets=[]), True),
        (SimpleNamespace(inlets=[], outlets=["iceberg:a.b.c"]), True),
        (SimpleNamespace(inlets=[], outlets=[], get_openlineage_facets_on_complete=print), False),
    ],
)
def test_which_tasks_have_something_to_say(task: Any, expected: bool) -> None:
    assert lineage.tells(task) is expected


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv(lineage.SWITCH, "on")
    (made,) = lineage.listeners()
    made.config.dag_filter_pattern = type(made.config.dag_filter_pattern)(allow=["pipelines_.*"])
    made.said = []
    monkeypatch.setattr(made, "on_dag_start", lambda run: made.said.append(("dag", run.dag_id)))
    monkeypatch.setattr(made, "on_task_instance_finish", lambda task, _: made.said.append(("task", task.dag_id)))
    return made


def instance(dag: str, outlets: tuple[str, ...] = ("iceberg:a.b.c",)) -> Any:
    return SimpleNamespace(
        dag_id=dag, run_id="r", task_id="t", task=SimpleNamespace(inlets=[], outlets=outlets, dag=SimpleNamespace())
    )


def test_a_pipelines_task_speaks_once_when_it_has_succeeded(listener: Any) -> None:
    task = instance("pipelines_x")
    listener.on_task_instance_running(None, task)
    listener.on_task_instance_failed(None, task, error="x")
    listener.on_dag_run_running(SimpleNamespace(dag_id="pipelines_x"), "")
    assert listener.said == []
    listener.on_task_instance_success(None, task)
    assert listener.said == [("dag", "pipelines_x"), ("task", "pipelines_x")]


def test_other_dags_and_tasks_without_data_say_nothing(listener: Any) -> None:
    listener.on_task_instance_success(None, instance("stack_deploy"))
    listener.on_task_instance_success(None, instance("pipelines_x", ()))
    assert listener.said == []


def test_a_task_in_a_process_of_its_own_imports_the_listener_when_it_has_something_to_say(
    monkeypatch: pytest.MonkeyPatch, listener: Any
) -> None:
    imported = []
    monkeypatch.setattr(lineage, "_listener", lambda: imported.append(1) or listener)
    monkeypatch.setenv(lineage.SWITCH, "late")
    (late,) = lineage.listeners()
    late.on_task_instance_success(None, instance("pipelines_x", ()))
    assert imported == []
    late.on_task_instance_success(None, instance("pipelines_x"))
    assert listener.said == [("dag", "pipelines_x"), ("task", "pipelines_x")]


def test_a_catalog_that_fails_does_not_fail_the_task(listener: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(run: Any) -> None:
        listener.said.append(("tried", run.dag_id))
        raise OSError("no catalog")

    monkeypatch.setattr(listener, "on_dag_start", broken)
    listener.on_task_instance_success(None, instance("pipelines_x"))
    assert listener.said == [("tried", "pipelines_x")]
