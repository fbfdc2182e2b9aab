"""A dataset's runs work one after the other: who waits for whom, who is dead, and what clearing does."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from airflow.sdk import DAG, BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException, TaskDeferred
from airflow.triggers.base import TaskSkippedEvent, TaskSuccessEvent, TriggerEvent

from data_platform.operators import triggerer, turn
from data_platform.operators.turn import ReleaseTurnOperator, TakeTurnOperator, TurnTrigger
from data_platform.records import leases
from data_platform.records.leases import HeldError, Lease
from data_platform.targets.kubernetes.places import SETTINGS_VARIABLE
from tests.unit.operators.fake_lease import NOW

pytestmark = pytest.mark.enable_socket  # an event loop talks to itself through a pair of them
DAG_ID = "pipelines_rates"
MINE, OTHER = f"{DAG_ID}/mine", f"{DAG_ID}/backfill__2026"
TI: Any = SimpleNamespace(dag_id=DAG_ID, run_id="mine", task_id="turn")


class Turns:
    """The table of leases, and Airflow's word on runs.

    Attributes:
        holder: who has the turn of `rates`.
        running: runs that Airflow calls running.
        script: done before each look, one after the other.
    """

    def __init__(self) -> None:
        self.holder = ""
        self.running: set[str] = set()
        self.script: list[Any] = []
        self.asked: list[str] = []

    def acquire(self, target: Any, holder: str, purpose: str, *, dead: str, name: str, expiry: timedelta) -> Lease:
        assert (target, purpose, name, expiry) == ("the place", "its run", "dataset rates", leases.TURN)
        if self.script and not dead:
            act = self.script.pop(0)
            if isinstance(act, Exception):
                raise act
            self.holder = act
        if self.holder not in ("", holder, dead):
            raise HeldError(Lease(name, self.holder, purpose, NOW, NOW, NOW, 1.0), name)
        self.holder = holder
        return Lease(name, holder, purpose, NOW, NOW, NOW, 0.0)

    def release(self, target: Any, holder: str, name: str) -> bool:
        assert (target, name) == ("the place", "dataset rates")
        mine = self.holder == holder
        self.holder = "" if mine else self.holder
        return mine

    def count(self, dag: str, *, run_ids: list[str], states: list[str]) -> int:
        assert states == ["running"]
        (run,) = run_ids
        self.asked.append(f"{dag}/{run}")
        return int(f"{dag}/{run}" in self.running)


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> Turns:
    made = Turns()
    monkeypatch.setattr(turn.writes, "acquire", made.acquire)
    monkeypatch.setattr(turn.writes, "release", made.release)
    monkeypatch.setattr("airflow.sdk.execution_time.task_runner.RuntimeTaskInstance.get_dr_count", made.count)
    for module in (turn, triggerer):
        monkeypatch.setattr(module, "current", lambda: "the place")
    monkeypatch.setattr(turn, "anew", lambda: "the place")
    return made


def events(*, skips: bool = False, seconds: float = 60) -> list[TriggerEvent]:
    trigger = TurnTrigger("rates", seconds, skips=skips, every=0)
    trigger.task_instance = TI

    async def run() -> list[TriggerEvent]:
        return [event async for event in trigger.run()]

    return asyncio.run(run())


def take(**more: Any) -> TakeTurnOperator:
    return TakeTurnOperator(task_id="turn", dataset="rates", **more)


def test_a_turn_that_is_free_is_taken_at_once(turns: Turns) -> None:
    take().execute({"ti": TI})  # type: ignore[typeddict-item]
    assert turns.holder == MINE
    # Again, by a task that is tried again or was cleared with another one.
    take().execute({"ti": TI})  # type: ignore[typeddict-item]
    assert turns.holder == MINE
    assert turns.asked == []


def test_who_must_wait_keeps_no_worker_and_says_for_whom(turns: Turns, capsys: pytest.CaptureFixture[str]) -> None:
    turns.holder, turns.running = OTHER, {OTHER}
    operator = take()
    with pytest.raises(TaskDeferred) as caught:
        operator.execute({"ti": TI})  # type: ignore[typeddict-item]
    assert isinstance(caught.value.trigger, TurnTrigger)
    # Airflow makes it again from what it says.
    path, arguments = caught.value.trigger.serialize()
    assert path == "data_platform.operators.turn.TurnTrigger"
    again = TurnTrigger(**arguments)
    assert (again.dataset, again.seconds, again.skips) == ("rates", turn.PATIENCE.total_seconds(), False)
    assert operator.execution_timeout is not None
    assert operator.execution_timeout > turn.PATIENCE
    assert turns.holder == OTHER
    assert f"waiting for the turn of rates, after {OTHER}, which has it since 2026-03-02" in capsys.readouterr().out


def test_the_one_who_waits_has_the_turn_when_it_is_given_back(turns: Turns) -> None:
    turns.running = {OTHER}
    turns.script = [OTHER, OTHER, ""]
    (event,) = events()
    assert isinstance(event, TaskSuccessEvent)
    assert turns.holder == MINE
    assert turns.script == []


@pytest.mark.parametrize("running", [set(), {MINE}])
def test_the_turn_of_a_run_that_does_not_go_on_is_taken_over(turns: Turns, running: set[str]) -> None:
    turns.holder, turns.running = OTHER, running
    take().execute({"ti": TI})  # type: ignore[typeddict-item]
    assert turns.holder == MINE
    assert turns.asked == [OTHER]


def test_a_database_that_is_away_is_asked_again(turns: Turns) -> None:
    turns.script = [psycopg.OperationalError("refused"), OTHER, ""]
    turns.running = {OTHER}
    (event,) = events()
    assert isinstance(event, TaskSuccessEvent)


def test_who_waited_too_long_fails_and_names_the_holder(turns: Turns) -> None:
    turns.holder, turns.running = OTHER, {OTHER}
    (event,) = events(seconds=0)
    assert event.payload["final"]
    with pytest.raises(AirflowFailException, match=f"gave up after 0 h.*{OTHER}"):
        take().fail({}, event.payload)  # type: ignore[typeddict-item]
    with pytest.raises(AirflowException):
        take().fail({}, {"error": "away", "final": False})  # type: ignore[typeddict-item]


def test_upkeep_skips_instead_of_waiting(turns: Turns) -> None:
    turns.holder, turns.running = OTHER, {OTHER}
    with pytest.raises(AirflowSkipException, match=f"after {OTHER}.*the next run is early enough"):
        take(skips=True).execute({"ti": TI})  # type: ignore[typeddict-item]
    (event,) = events(skips=True)
    assert isinstance(event, TaskSkippedEvent)


def test_where_tasks_are_pods_it_begins_in_the_triggerer(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not take().start_from_trigger
    monkeypatch.setenv(SETTINGS_VARIABLE, "{}")
    operator = take(skips=True)
    assert operator.start_from_trigger
    assert operator.start_trigger_args is not None
    assert operator.start_trigger_args.trigger_kwargs is not None
    assert TurnTrigger(**operator.start_trigger_args.trigger_kwargs).skips


def test_a_run_gives_back_its_own_turn_and_no_other(turns: Turns) -> None:
    operator = ReleaseTurnOperator(task_id="release", dataset="rates")
    turns.holder = MINE
    assert operator.execute({"ti": TI}) == "the turn of rates is given back"
    assert turns.holder == ""
    turns.holder = OTHER
    assert operator.execute({"ti": TI}) == "the turn of rates was not this run's"
    assert turns.holder == OTHER


@pytest.mark.parametrize(("state", "refused"), [("success", True), (None, False), ("failed", False)])
def test_a_task_that_was_cleared_alone_says_what_to_clear(state: str | None, refused: bool) -> None:
    def states(dag: str, *, task_ids: list[str], run_ids: list[str]) -> dict[str, Any]:
        assert (dag, task_ids, run_ids) == (DAG_ID, ["release"], ["mine"])
        return {"mine": {"release": state}}

    ti = SimpleNamespace(dag_id=DAG_ID, run_id="mine", task_id="load", get_task_states=states)
    if not refused:
        turn.require_turn({"ti": ti})
        return
    with pytest.raises(AirflowFailException, match=r"load was cleared alone(.|\n)*clear load with 'Downstream'"):
        turn.require_turn({"ti": ti})


def test_what_is_cleared_between_takes_the_turn_again_and_what_comes_after_does_not() -> None:
    """By Airflow's own rule of what is cleared with a task."""
    from airflow.serialization.serialized_objects import DagSerialization

    with DAG("pipelines_rates", schedule=None) as dag:
        first = take()
        load, publish, page = (BaseOperator(task_id=name) for name in ("load", "publish", "page"))
        first >> load >> publish >> page
        publish >> ReleaseTurnOperator(task_id="release", dataset="rates").as_teardown(setups=first)
    kept: Any = DagSerialization.from_dict(DagSerialization.to_dict(dag))

    def cleared(task: str) -> set[str]:
        return set(kept.partial_subset([task], include_downstream=True, include_upstream=False).task_dict)

    assert cleared("load") == {"turn", "load", "publish", "page", "release"}
    assert cleared("publish") == {"turn", "publish", "page", "release"}
    assert cleared("page") == {"page"}
