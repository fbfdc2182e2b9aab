"""Tasks of dbt's models in the triggerer: what they wait for, what is left to a pod. Cosmos' looks are pretended."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.triggers.base import TaskSkippedEvent, TaskSuccessEvent, TriggerEvent
from cosmos.operators._watcher.triggerer import WatcherTrigger

from data_platform.operators.models import ModelTrigger

pytestmark = pytest.mark.enable_socket  # an event loop talks to itself through a pair of them
MODEL, PRODUCER = "model.data_platform.stg_fx_rates", "dbt.dbt_producer_watcher"
STATUS = "model__data_platform__stg_fx_rates_status"


def ended(
    monkeypatch: pytest.MonkeyPatch,
    said: dict[str, Any],
    producer: list[str | None],
    *,
    tests: bool = False,
    try_number: int = 1,
) -> TriggerEvent:
    """How the trigger ends, by what the run of dbt has said and by its states, look for look; the last one stays."""
    states: Iterator[str | None] = iter(producer)
    last = producer[-1]

    async def value(self: WatcherTrigger, key: str) -> Any:
        assert (self.dag_id, self.run_id, self.map_index, self.producer_task_id) == ("dag", "run", -1, PRODUCER)
        return said.get(key)

    async def state(_: WatcherTrigger) -> str | None:
        return next(states, last)

    monkeypatch.setattr(WatcherTrigger, "get_xcom_val", value)
    monkeypatch.setattr(WatcherTrigger, "_get_producer_task_status", state)
    _, kept = ModelTrigger(MODEL, PRODUCER, tests=tests, seconds=0.01).serialize()
    trigger = ModelTrigger(**kept)
    trigger._task_instance = SimpleNamespace(  # type: ignore[assignment]
        dag_id="dag", run_id="run", map_index=-1, try_number=try_number
    )

    async def run() -> list[TriggerEvent]:
        return [event async for event in trigger.run()]

    (event,) = asyncio.run(asyncio.wait_for(run(), 20))
    return event


def test_a_model_that_is_done_ends_its_task(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {STATUS: {"status": "success", "outlet_uris": []}}
    assert isinstance(ended(monkeypatch, said, ["running"]), TaskSuccessEvent)


def test_a_model_that_dbt_skipped_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {STATUS: {"status": "skipped", "outlet_uris": []}}
    assert isinstance(ended(monkeypatch, said, ["running"]), TaskSkippedEvent)


def test_tests_wait_for_the_tests_and_not_for_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    model = {STATUS: {"status": "success", "outlet_uris": []}}
    tests = "model__data_platform__stg_fx_rates_tests_status"
    assert isinstance(ended(monkeypatch, model | {tests: "pass"}, ["running"], tests=True), TaskSuccessEvent)
    failed = ended(monkeypatch, model | {tests: "fail"}, ["running"], tests=True)
    assert type(failed) is TriggerEvent


def test_a_model_that_failed_is_told_by_its_task(monkeypatch: pytest.MonkeyPatch) -> None:
    event = ended(monkeypatch, {STATUS: {"status": "error", "outlet_uris": []}}, ["running"])
    assert type(event) is TriggerEvent
    assert (event.payload["status"], event.payload["reason"]) == ("failed", "node_failed")


def test_a_run_that_failed_before_the_model_is_told_by_its_task(monkeypatch: pytest.MonkeyPatch) -> None:
    event = ended(monkeypatch, {}, [None, "running", "failed"])
    assert type(event) is TriggerEvent
    assert (event.payload["status"], event.payload["reason"]) == ("failed", "producer_failed")


@pytest.mark.parametrize("state", ["failed", "skipped", "success"])
def test_a_second_try_after_the_run_leaves_the_model_to_a_pod(monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    said = {STATUS: {"status": "success", "outlet_uris": []}}
    event = ended(monkeypatch, said, ["up_for_retry", state], try_number=2)
    assert type(event) is TriggerEvent
    assert event.payload == {"status": "failed", "reason": "producer_skipped"}


def test_a_second_try_does_not_believe_what_was_said_before_the_run_began_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: dict[str, Any] = {STATUS: {"status": "success", "outlet_uris": []}}
    states = ["scheduled", "queued", "running"]

    class Forgets(list[str | None]):
        def __iter__(self) -> Iterator[str | None]:
            for state in states:
                if state == "running":
                    said[STATUS] = {"status": "error", "outlet_uris": []}
                yield state

    event = ended(monkeypatch, said, Forgets(states), try_number=2)
    assert type(event) is TriggerEvent
    assert event.payload["reason"] == "node_failed"
