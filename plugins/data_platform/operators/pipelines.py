"""Whether the pipelines do what their contracts promise, as a task of `stack_health`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from data_platform import times
from data_platform.datasets import pipelines
from data_platform.datasets.pipeline_state import Pipeline, State
from data_platform.operators.triggerer import TriggererOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from data_platform.targets.base import Target


def require_on_time(target: Target, context: Context) -> str:
    """Look at every pipeline; returns one line each.

    Raises:
        AirflowFailException: one is late, or paused while runs of it wait, or Airflow could not be asked. What else
            is wrong is told already: a run that fails raises its own alert.
    """
    del context
    now = datetime.now(UTC)
    found = pipelines.look(target, now)
    if wrong := [one for one in found if one.alarms or one.state is State.UNKNOWN]:
        raise AirflowFailException("\n".join(_line(one, now) for one in wrong))
    return "\n".join(_line(one, now) for one in found) or "there is no dataset yet"


def _line(one: Pipeline, now: datetime) -> str:
    steps = "".join(f"\n  → {step.says}: {step.command or step.path}".removesuffix(": ") for step in one.steps)
    return f"{one.dataset or one.dag} ({one.state.shown}): {times.plain(one.says, now)}{steps}"


class CheckPipelinesOperator(TriggererOperator):
    """Fail when a pipeline is late, or paused while runs of it wait."""

    act = staticmethod(require_on_time)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(arguments={}, yields=True, **kwargs)
