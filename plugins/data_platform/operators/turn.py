"""A dataset's turn: whatever started them, its runs work on branch and tables one after the other.

`turn` takes it, `release` gives it back; between them are all tasks that write. They are setup and teardown, so Airflow
clears them with whatever is cleared between them. See docs/decisions/loads.md.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from airflow.triggers.base import BaseTrigger, StartTriggerArgs, TaskSkippedEvent, TaskSuccessEvent, TriggerEvent

from data_platform.operators.dataset import failed
from data_platform.operators.lease import holder_of
from data_platform.operators.pods import tasks_are_pods
from data_platform.operators.triggerer import TriggererOperator
from data_platform.records import leases, writes
from data_platform.records.leases import HeldError, Lease
from data_platform.targets.current import anew, current

if TYPE_CHECKING:
    from airflow.sdk import Context

    from data_platform.targets.base import Target

#: Ids of the two tasks in a pipeline.
TAKE, RELEASE = "turn", "release"
#: A run waits this long, then it fails: more than a whole backfill of months takes.
PATIENCE = timedelta(days=1)
#: Seconds between two looks of one that waits, and after which it says again whom it waits for.
_LOOK, _TELL = 2.0, 300.0
_LOG = logging.getLogger(__name__)


def ask(target: Target, ti: Any, dataset: str) -> str:
    """Take the turn for a task's run, if it can be had now; a holder that Airflow does not call running has lost it.

    Args:
        target: whose database.
        ti: the task's instance.
        dataset: its name.

    Returns:
        Empty when the run has the turn; otherwise who is waited for.

    Raises:
        psycopg.OperationalError: the database does not answer.
        PlatformError: its schema is not the one of this code.
    """
    holder, dead = leases.of_run(ti.dag_id, ti.run_id), ""
    while True:
        try:
            writes.acquire(target, holder, "its run", dead=dead, name=leases.of_dataset(dataset), expiry=leases.TURN)
        except HeldError as error:
            if error.lease is None or error.lease.holder == dead or _is_running(error.lease):
                return _told(dataset, error.lease)
            dead = error.lease.holder
            _LOG.info("%s of %s is not running any more: its turn is taken over", dead, dataset)
        else:
            return ""


def _is_running(lease: Lease) -> bool:
    """Whether the run that holds a lease goes on, by Airflow's word; one that was deleted does not."""
    # A trigger of a task that began as a process is not given an instance that can ask.
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    dag, run = leases.run_of(lease.holder)
    return bool(RuntimeTaskInstance.get_dr_count(dag, run_ids=[run], states=["running"]))


def _told(dataset: str, lease: Lease | None) -> str:
    who = f"{lease.holder}, which has it since {lease.acquired_at:%Y-%m-%d %H:%M:%S %Z}" if lease else "other runs"
    return f"waiting for the turn of {dataset}, after {who}"


class TurnTrigger(BaseTrigger):
    """Asks for a dataset's turn until the run has it, in the triggerer: who waits keeps no worker.

    Args:
        dataset: its name.
        seconds: after which it gives up.
        skips: where the turn is somebody else's, skip the task instead of waiting.
        every: seconds between two looks.
    """

    def __init__(self, dataset: str, seconds: float, *, skips: bool = False, every: float = _LOOK) -> None:
        super().__init__()
        self.dataset, self.seconds, self.skips, self.every = dataset, seconds, skips, every

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class and arguments, as Airflow keeps them."""
        kept = {"dataset": self.dataset, "seconds": self.seconds, "skips": self.skips, "every": self.every}
        return f"{type(self).__module__}.{type(self).__name__}", kept

    def _look(self) -> str:
        # The triggerer outlives credentials that it has read.
        try:
            return ask(anew(), self.task_instance, self.dataset)
        except psycopg.OperationalError as error:
            return f"the turn of {self.dataset} cannot be asked for: {error}"

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """One event: the end of the task, or the error that its operator raises."""
        until, told, before = time.monotonic() + self.seconds, float("-inf"), ""
        while waits := await self._asked():
            if self.skips:
                self.log.info("%s; the next run is early enough", waits)
                yield TaskSkippedEvent()
                return
            now = time.monotonic()
            if now >= until:
                yield TriggerEvent({"error": f"gave up after {self.seconds / 3600:.0f} h: {waits}", "final": True})
                return
            if waits != before or now - told >= _TELL:
                self.log.info("%s", waits)
                told, before = now, waits
            await asyncio.sleep(self.every)
        self.log.info("it is this run's turn")
        yield TaskSuccessEvent()

    async def _asked(self) -> str:
        return await asyncio.to_thread(self._look)


class TakeTurnOperator(BaseOperator):
    """Take the dataset's turn for the run; who must wait does so in the triggerer.

    Args:
        dataset: its name.
        skips: where the turn is somebody else's, skip the task, and so what comes after it, instead of waiting.
    """

    def __init__(self, *, dataset: str, skips: bool = False, **kwargs: Any) -> None:
        # The trigger gives up first, and says why.
        kwargs.setdefault("execution_timeout", PATIENCE + timedelta(minutes=10))
        super().__init__(**kwargs)
        self.dataset = dataset
        self.skips = skips
        if tasks_are_pods():
            kind, kept = self._trigger().serialize()
            self.start_trigger_args = StartTriggerArgs(kind, next_method="fail", trigger_kwargs=kept)
            self.start_from_trigger = True

    def _trigger(self) -> TurnTrigger:
        return TurnTrigger(self.dataset, PATIENCE.total_seconds(), skips=self.skips)

    def execute(self, context: Context) -> None:
        """Take it at once where it is free: the triggerer would need a second or two."""
        waits = ask(current(), context["ti"], self.dataset)
        if waits and self.skips:
            raise AirflowSkipException(f"{waits}; the next run is early enough")
        if waits:
            self.log.info("%s", waits)
            self.defer(trigger=self._trigger(), method_name="fail")

    def fail(self, context: Context, event: Mapping[str, Any]) -> None:
        """Raise what the trigger met.

        Raises:
            AirflowFailException: another try would not mend it.
            AirflowException: otherwise.
        """
        del context
        raise (AirflowFailException if event["final"] else AirflowException)(event["error"])


def give_back(target: Target, context: Context, dataset: str) -> str:
    """Give the turn back, at the end of what writes; nothing where it is not the run's."""
    given = writes.release(target, holder_of(context), leases.of_dataset(dataset))
    return f"the turn of {dataset} is given back" if given else f"the turn of {dataset} was not this run's"


class ReleaseTurnOperator(TriggererOperator):
    """Give the dataset's turn back, whatever became of the run.

    Args:
        dataset: its name.
    """

    act = staticmethod(give_back)

    def __init__(self, *, dataset: str, **kwargs: Any) -> None:
        super().__init__(arguments={"dataset": dataset}, **kwargs)
        self.dataset = dataset


def require_turn(context: Any) -> None:
    """Refuse a task whose run has given its turn back: it was cleared alone, without what takes the turn.

    For `pre_execute` of what is between the two.

    Args:
        context: of the task.

    Raises:
        AirflowFailException: it was; the message says what to clear.
    """
    ti = context["ti"]
    states = ti.get_task_states(ti.dag_id, task_ids=[RELEASE], run_ids=[ti.run_id])
    if (states.get(ti.run_id) or {}).get(RELEASE) == "success":
        raise failed(
            f"{ti.task_id} was cleared alone: its run has given the dataset's turn back, and another run may be working"
            " on the same tables",
            f"clear {ti.task_id} with 'Downstream': Airflow then clears `{TAKE}` with it",
        )
