"""What Airflow and Trino say of pipelines is looked at, as far as they answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import httpx
import pytest

from data_platform.clients import connect
from data_platform.datasets import pipelines
from data_platform.datasets.pipeline_state import Pipeline, State
from data_platform.times import plain

ROOT = Path(__file__).resolve().parents[3]
NOW = datetime(2026, 11, 26, 20, 0, tzinfo=UTC)
FX, CURRENCIES = "pipelines_fx_rates", "pipelines_currencies"
GOOD, BAD = "2026-11-26T16:41:00Z", "2026-11-26T16:50:00Z"


def dag(*tags: str, paused: bool = False) -> dict[str, Any]:
    return {"is_paused": paused, "tags": [{"name": tag} for tag in tags]}


def run(name: str, state: str, end: str | None = None, of: str = FX, **more: str | None) -> dict[str, Any]:
    whole = {"start_date": None, "queued_at": None, "run_after": "2026-11-26T16:30:00Z"} | more
    return {"dag_id": of, "dag_run_id": name, "state": state, "end_date": end, **whole}


class FakeAirflow:
    """Airflow with the DAGs of the project, both of which ran well; tests change what they are about."""

    def __init__(self) -> None:
        self.known = {FX: dag("pipelines"), CURRENCIES: dag("pipelines"), "stack_health": dag("stack")}
        self.active: list[dict[str, Any]] = []
        self.ended = [run("r1", "success", GOOD), run("c1", "success", GOOD, CURRENCIES)]
        self.failed: Mapping[str, list[dict[str, Any]]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def dags(self) -> dict[str, dict[str, Any]]:
        return self.known

    def active_runs(self) -> list[dict[str, Any]]:
        return self.active

    def last_ended(self, dag_id: str, *states: str) -> dict[str, Any] | None:
        mine = [r for r in self.ended if r["dag_id"] == dag_id and (not states or r["state"] in states)]
        return max(mine, key=lambda r: str(r["end_date"]), default=None)

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        assert dag_id == FX
        return self.failed[run_id]


class FakeTrino:
    """Trino with the newest data of each table."""

    def __init__(self) -> None:
        self.newest: dict[str, object] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def rows_if_there(self, sql: str) -> list[list[object]]:
        found = [value for place, value in self.newest.items() if sql == f"select max({place.replace(' ', ') from ')}"]
        return [[value] for value in found]


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> FakeAirflow:
    fake = FakeAirflow()

    def ready(_: object, seconds: float) -> FakeAirflow:
        assert seconds <= 5, "a page must not wait"
        return fake

    monkeypatch.setattr(connect, "airflow", ready)
    return fake


@pytest.fixture
def trino(monkeypatch: pytest.MonkeyPatch) -> FakeTrino:
    fake = FakeTrino()

    def ready(_: object, seconds: float, catalog: str) -> FakeTrino:
        assert (seconds <= 5, catalog) == (True, "lakehouse")
        return fake

    monkeypatch.setattr(connect, "trino", ready)
    return fake


def target(root: Path = ROOT, *names: str) -> Any:
    stack = SimpleNamespace(root=root, datasets=names or ("currencies", "fx_rates"), resolve=lambda _: "airflow")
    return SimpleNamespace(stack=stack, public_url=lambda *_: "https://airflow.example")


def looked(place: Any = None) -> dict[str, Pipeline]:
    return {one.dag: one for one in pipelines.look(place or target(), NOW)}


@pytest.mark.usefixtures("airflow", "trino")
def test_pipelines_that_ran_well_are_on_time() -> None:
    found = looked()
    assert set(found) == {FX, CURRENCIES}
    assert {one.state for one in found.values()} == {State.ON_TIME}
    assert found[FX].good_at == datetime(2026, 11, 26, 16, 41, tzinfo=UTC)


@pytest.mark.usefixtures("trino")
def test_runs_of_a_paused_pipeline_wait_since_they_were_asked_for(airflow: FakeAirflow) -> None:
    airflow.known[FX]["is_paused"] = True
    airflow.active = [
        run("r2", "queued", queued_at="2026-11-26T19:57:00Z"),
        run("r3", "running", start_date="2026-11-26T19:58:00Z", queued_at="2026-11-26T19:50:00Z"),
        run("c2", "running", of=CURRENCIES, start_date="2026-11-26T19:00:00Z"),
    ]
    found = looked()
    assert (found[FX].state, found[FX].waits) == (State.PAUSED, 2)
    assert "2 runs wait, the first since 2026-11-26 19:57:00 UTC (3 min ago)" in plain(found[FX].says, NOW, UTC)
    assert found[CURRENCIES].state is State.RUNNING


@pytest.mark.usefixtures("trino")
def test_of_a_failed_run_the_failed_tasks_are_told_and_the_last_good_run_before(airflow: FakeAirflow) -> None:
    airflow.ended.append(run("r2", "failed", BAD))
    states = {"land": "success", "load": "failed", "publish": "upstream_failed"}
    airflow.failed = {"r2": [{"task_id": task, "state": state} for task, state in states.items()]}
    found = looked()[FX]
    assert found.state is State.FAILED
    assert plain(found.says, NOW, UTC).startswith("its last run failed at load 2026-11-26 16:50:00 UTC")
    assert found.good_at == datetime(2026, 11, 26, 16, 41, tzinfo=UTC)


@pytest.mark.usefixtures("trino")
def test_a_pipeline_that_airflow_does_not_know_is_missing_and_one_without_runs_has_never_run(
    airflow: FakeAirflow,
) -> None:
    del airflow.known[FX]
    airflow.ended = []
    assert {name: one.state for name, one in looked().items()} == {
        FX: State.MISSING,
        CURRENCIES: State.NEVER_RUN,
    }


@pytest.mark.usefixtures("trino")
@pytest.mark.parametrize(("status", "states"), [(404, {State.MISSING, State.ON_TIME}), (500, {State.UNKNOWN})])
def test_a_dag_that_goes_between_two_questions_hides_no_other(
    airflow: FakeAirflow, monkeypatch: pytest.MonkeyPatch, status: int, states: set[State]
) -> None:
    request, known = httpx.Request("GET", "http://airflow"), airflow.last_ended

    def last_ended(dag_id: str, *states: str) -> dict[str, Any] | None:
        if dag_id == FX:
            raise httpx.HTTPStatusError("no", request=request, response=httpx.Response(status))
        return known(dag_id, *states)

    monkeypatch.setattr(airflow, "last_ended", last_ended)
    assert {one.state for one in looked().values()} == states


@pytest.mark.usefixtures("trino")
def test_the_platforms_own_dags_are_told_when_they_are_paused_and_those_of_others_are_not(
    airflow: FakeAirflow,
) -> None:
    airflow.known |= {"stack_health": dag("stack", paused=True), "somebodys": dag("report", paused=True)}
    airflow.active = [run("h1", "queued", of="stack_health", queued_at="2026-11-26T19:57:00Z")]
    found = looked()
    assert set(found) == {FX, CURRENCIES, "stack_health"}
    assert (found["stack_health"].state, found["stack_health"].waits) == (State.PAUSED, 1)
    assert found["stack_health"].steps[0].command == "python3 -m bootstrap run stack_health"


@pytest.mark.usefixtures("airflow")
@pytest.mark.parametrize("newest", [datetime(2026, 11, 1, 9), datetime(2026, 11, 1, 9, tzinfo=UTC), date(2026, 11, 1)])  # noqa: DTZ001 - as Trino gives a timestamp
def test_how_old_the_data_is_comes_from_the_column_that_the_contract_names(trino: FakeTrino, newest: object) -> None:
    trino.newest = {'"ingested_at" "raw"."fx_rates"': newest, '"ingested_at" "raw"."currencies"': None}
    found = looked()
    assert (found[FX].state, found[CURRENCIES].state) == (State.STALE, State.ON_TIME)
    assert "its newest data is from 2026-11-01" in plain(found[FX].says, NOW, UTC)


@pytest.mark.usefixtures("airflow")
def test_without_trino_the_rest_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise ConnectionError("refused")

    monkeypatch.setattr(connect, "trino", away)
    assert {one.state for one in looked().values()} == {State.ON_TIME}


@pytest.mark.usefixtures("trino")
def test_without_airflow_every_pipeline_is_unknown_and_says_how_to_find_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise ConnectionError("refused")

    monkeypatch.setattr(connect, "airflow", away)
    found = looked()
    assert {one.state for one in found.values()} == {State.UNKNOWN}
    assert set(found) == {FX, CURRENCIES}
    for one in found.values():
        assert plain(one.says, NOW) == "Airflow could not be asked (ConnectionError)"
        assert [step.command for step in one.steps] == ["python3 -m bootstrap check airflow"]


@pytest.mark.usefixtures("airflow", "trino")
def test_a_dataset_whose_files_are_wrong_is_told_and_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "fx_rates").symlink_to(ROOT / "datasets" / "fx_rates")
    (tmp_path / "datasets" / "torn").mkdir()
    (tmp_path / "datasets" / "torn" / "contract.odcs.yaml").write_text("id: torn\n", encoding="utf-8")
    found = looked(target(tmp_path, "fx_rates", "torn"))
    assert found[FX].state is State.ON_TIME
    assert found["pipelines_torn"].state is State.UNKNOWN
    assert "contract.odcs.yaml" in plain(found["pipelines_torn"].says, NOW)


@pytest.mark.usefixtures("trino")
def test_programs_are_told_times_in_utc_and_addresses_as_people_open_them(airflow: FakeAirflow) -> None:
    airflow.known[FX]["is_paused"] = True
    (told,) = [one for one in pipelines.told(target(), pipelines.look(target(), NOW)) if one["dag"] == FX]
    assert told == {
        "dag": FX,
        "dataset": "fx_rates",
        "state": "paused",
        "late": False,
        "waits": 0,
        "good_at": "2026-11-26T16:41:00+00:00",
        "says": "no run of it begins, neither by the clock nor for files that come; its last good run ended"
        " 2026-11-26T16:41:00+00:00",
        "next": [
            {
                "says": "unpause it and run it",
                "command": "python3 -m bootstrap run pipelines_fx_rates",
                "url": "https://airflow.example/dags/pipelines_fx_rates",
            }
        ],
    }
