"""A DAG run is triggered, followed to its end, and its failures are shown."""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from typing import Any

import httpx
import pytest

from bootstrap import runs
from bootstrap.progress import Progress, _table
from bootstrap.runs import follow, run
from data_platform.stack.errors import PlatformError


class Airflow:
    """Answers from a script; a state is an exception or a string."""

    def __init__(self, *states: Any, active: tuple[str, ...] = (), dags: tuple[str, ...] = ("stack_deploy",)) -> None:
        self.states = list(states)
        self.active = active
        self.dags = dags
        self.done: list[tuple[Any, ...]] = []
        self.scheduler = "healthy"

    def has_dag(self, dag: str) -> bool:
        return dag in self.dags

    def dag_ids(self) -> list[str]:
        return list(self.dags)

    def unpause(self, dag: str) -> None:
        self.done.append(("unpause", dag))

    def active_runs(self, dag: str) -> list[dict[str, str]]:
        del dag
        return [{"dag_run_id": run_id} for run_id in self.active]

    def trigger(self, dag: str, conf: dict[str, Any]) -> str:
        self.done.append(("trigger", dag, conf))
        return "run-1"

    def run_state(self, dag: str, run_id: str) -> str:
        self.done.append(("look", dag, run_id))
        state = self.states.pop(0)
        if isinstance(state, Exception):
            raise state
        return str(state)

    def health(self) -> dict[str, str]:
        return {"scheduler": self.scheduler}

    def tasks(self, dag: str, run_id: str) -> list[dict[str, Any]]:
        del dag, run_id
        base = {"try_number": 1, "duration": 1.5, "start_date": "2026-03-02T14:37:12+00:00"}
        return [
            {**base, "task_id": "trino.apply", "state": "success"},
            {**base, "task_id": "trino.verify", "state": "failed"},
        ]

    def log(self, dag: str, run_id: str, task: str, try_number: int) -> list[str]:
        return [f"{dag} {run_id} {task} {try_number}", "24 rows, not 25"]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "_LOOK", 0)


def followed(airflow: Airflow, dag: str = "stack_deploy") -> str:
    return follow(airflow, dag, {"components": ["trino"]}, Progress())  # type: ignore[arg-type]


def test_a_run_is_followed_to_its_success(capsys: pytest.CaptureFixture[str]) -> None:
    airflow = Airflow("queued", "running", "success")
    assert followed(airflow) == "success"
    assert airflow.done[:2] == [("unpause", "stack_deploy"), ("trigger", "stack_deploy", {"components": ["trino"]})]
    assert capsys.readouterr().out.count("trino.apply  success") == 1


def test_a_failed_run_shows_the_end_of_the_log_of_what_failed(capsys: pytest.CaptureFixture[str]) -> None:
    assert followed(Airflow("failed")) == "failed"
    shown = capsys.readouterr().out
    assert "stack_deploy run-1 trino.verify 1" in shown
    assert "24 rows, not 25" in shown
    assert "trino.apply 1" not in shown


def test_a_run_that_goes_on_already_is_awaited_first() -> None:
    airflow = Airflow("running", "success", "success", active=("earlier",))
    assert followed(airflow) == "success"
    assert [word[2] for word in airflow.done if word[0] == "look"] == ["earlier", "earlier", "run-1"]


def test_an_api_server_that_was_killed_is_waited_for() -> None:
    airflow = Airflow("running", httpx.ConnectError("refused"), httpx.ReadError("reset"), "success")
    assert followed(airflow) == "success"


def test_an_api_server_that_stays_away_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "_AWAY_SECONDS", 0.2)
    with pytest.raises(PlatformError, match="Airflow does not answer: refused") as caught:
        followed(Airflow(*[httpx.ConnectError("refused")] * 20))
    assert caught.value.remedy == "run: python3 -m bootstrap up"


def test_a_scheduler_that_stays_away_ends_the_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "_AWAY_SECONDS", 0.05)
    monkeypatch.setattr(runs, "_LOOK", 0.01)
    airflow = Airflow(*["running"] * 100)
    airflow.scheduler = "unhealthy"
    with pytest.raises(PlatformError, match="scheduler has not been healthy") as caught:
        followed(airflow)
    assert "bootstrap logs airflow" in caught.value.remedy


def test_an_unknown_dag_is_refused_with_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_PLATFORM_PATIENCE", "0.005")
    with pytest.raises(PlatformError, match="Airflow knows no DAG 'stack_depoly'") as caught:
        followed(Airflow(), "stack_depoly")
    assert caught.value.remedy == "use one of: stack_deploy"


def test_what_airflow_refuses_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> str:
        request = httpx.Request("POST", "http://airflow/")
        answer = httpx.Response(422, request=request, text="components is no list")
        raise httpx.HTTPStatusError("422", request=request, response=answer)

    monkeypatch.setattr(Airflow, "trigger", refuse)
    with pytest.raises(PlatformError, match="Airflow answers 422: components is no list") as caught:
        followed(Airflow())
    assert "--conf" in caught.value.remedy


@pytest.mark.parametrize("conf", ["{", "[]", '"x"'])
def test_parameters_that_are_no_json_object_are_refused(conf: str) -> None:
    with pytest.raises(PlatformError, match="--conf is not") as caught:
        run(argparse.Namespace(dag="stack_deploy", conf=conf))
    assert "write for example" in caught.value.remedy


def test_the_table_has_a_row_for_each_component() -> None:
    states = {
        "artifacts.trino": ("success", 40.0),
        "trino.observe": ("success", 1.0),
        "trino.verify": ("running", 2.0),
        "minio.observe": ("skipped", 0.0),
        "report": ("failed", 3.0),
    }
    table = _table("stack_deploy", states)
    rows = list(zip(*(column.cells for column in table.columns), strict=True))
    assert [(row[0], row[-1]) for row in rows] == [("trino", "43"), ("minio", "0"), ("report", "3")]


def test_the_table_of_a_pipeline_has_a_row_for_each_task() -> None:
    table = _table("pipelines_fx_rates", {"load": ("success", 12.0), "fx_rates.stg_fx_rates": ("running", 3.0)})
    assert [column.header for column in table.columns] == ["task", "", "seconds"]
    assert list(table.columns[0].cells) == ["load", "fx_rates.stg_fx_rates"]


def test_the_target_is_open_as_long_as_the_run_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    class Place:
        def close(self) -> None:
            seen.append("closed")

    def followed(*_: Any) -> str:
        seen.append("followed")
        return "success"

    monkeypatch.setattr(runs, "open_target", lambda _: Place())
    monkeypatch.setattr(runs, "connect", lambda _: nullcontext())
    monkeypatch.setattr(runs, "follow", followed)
    assert run(argparse.Namespace(conf="{}", dag="stack_drift")) == 0
    assert seen == ["followed", "closed"]
