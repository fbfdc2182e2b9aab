"""Tasks of dbt's models in the triggerer, where tasks are pods: they wait for what the one run of dbt says of them.

They follow each other, so each would be another pod that loads Airflow for a moment of waiting. A model that failed, or
that is tried again, does get its pod: there its task raises the error, or runs the model itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, StartTriggerArgs, TaskSkippedEvent, TaskSuccessEvent, TriggerEvent

#: A run of dbt in this state has cleared what an earlier one said.
_RUNS = "running"


class ModelTrigger(BaseTrigger):
    """Waits as Cosmos does, and ends the task when its model is done; what else happens is given back to the task.

    Args:
        unique_id: of the model, as dbt has it.
        producer: id of the task that runs dbt.
        tests: wait for the model's tests instead of the model.
        seconds: between two looks.
    """

    def __init__(self, unique_id: str, producer: str, *, tests: bool, seconds: float) -> None:
        super().__init__()
        self.unique_id, self.producer, self.tests, self.seconds = unique_id, producer, tests, seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class and arguments, as Airflow keeps them."""
        kept = {"unique_id": self.unique_id, "producer": self.producer, "tests": self.tests, "seconds": self.seconds}
        return f"{type(self).__module__}.{type(self).__name__}", kept

    def _watcher(self) -> Any:
        from cosmos.operators._watcher.triggerer import WatcherTrigger

        ti: Any = self.task_instance
        return WatcherTrigger(
            self.unique_id, self.producer, ti.dag_id, ti.run_id, ti.map_index, self.seconds, is_test_sensor=self.tests
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """One event: the end of the task, or what its `execute_complete` is told, which raises or runs the model."""
        from cosmos.listeners.dag_run_listener import EventStatus
        from cosmos.operators._watcher.state import PRODUCER_TERMINAL_STATES
        from cosmos.operators._watcher.triggerer import WatcherEventReason

        watcher = self._watcher()
        if self.task_instance.try_number > 1:  # type: ignore[union-attr]
            # What is there of an earlier run says nothing of this one.
            while (state := await watcher._get_producer_task_status()) != _RUNS:
                if state in PRODUCER_TERMINAL_STATES:
                    reason = WatcherEventReason.PRODUCER_SKIPPED.value
                    yield TriggerEvent({"status": EventStatus.FAILED, "reason": reason})
                    return
                await asyncio.sleep(self.seconds)
        async for event in watcher.run():
            match event.payload["status"]:
                case EventStatus.SUCCESS:
                    yield TaskSuccessEvent()
                case EventStatus.SKIPPED:
                    yield TaskSkippedEvent()
                case _:
                    yield event
            return


def wait_in_triggerer(task: Any) -> None:
    """Have the task of a model, or of its tests, begin in the triggerer.

    Args:
        task: Cosmos' `BaseConsumerSensor`.
    """
    kind, kept = ModelTrigger(
        task.model_unique_id, task.producer_task_id, tests=task.is_test_sensor, seconds=task.poke_interval
    ).serialize()
    task.start_trigger_args = StartTriggerArgs(kind, next_method="execute_complete", trigger_kwargs=kept)
    task.start_from_trigger = True
