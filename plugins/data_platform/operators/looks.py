"""What the tasks that change nothing do: look at a component, wait for it.

Where tasks are pods, a pod loads Airflow before its task begins, seconds of a core (docs/performance.md), and is there
all the time that the task waits. The triggerer has Airflow loaded, so these tasks run in it from their start
(`start_from_trigger`).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException
from airflow.triggers.base import BaseTrigger, TaskSkippedEvent, TaskSuccessEvent, TriggerEvent

from data_platform import lifecycle
from data_platform.targets.base import Target
from data_platform.targets.current import anew

if TYPE_CHECKING:
    from airflow.sdk import Context

#: Run parameter: components to deploy with all that they need; empty for all.
SELECTION = "components"
#: The DAG that changes what the others look at.
DEPLOY = "stack_deploy"
#: Clients of servers block; more threads than a stack has components, since each may wait for minutes.
_THREADS = ThreadPoolExecutor(max_workers=64, thread_name_prefix="look")


def skip_during_deploy(context: Context) -> None:
    """Skip the task while a deploy goes on: servers are being restarted, and it runs the checks itself.

    Raises:
        AirflowSkipException: a run of the deploy is going on.
    """
    if context["ti"].get_dr_count(dag_id=DEPLOY, states=["running"]):
        raise AirflowSkipException(f"a run of {DEPLOY} is going on; the next run of this one looks again")


def observe(target: Target, component: str, context: Context) -> dict[str, Any]:
    """What is wanted of a component and what is there, as plain data. Holds digests, no secrets.

    Raises:
        AirflowSkipException: the run's selection does not need the component.
    """
    selection = tuple(context["params"].get(SELECTION) or ())
    if component not in target.stack.only(selection):
        raise AirflowSkipException(f"{component} is not among {', '.join(selection)} and what they need")
    seen = lifecycle.observe(target, component)
    return {
        "wanted": [resource.model_dump() for resource in seen.wanted],
        "seen": [thing.model_dump() for thing in seen.seen],
        "proven": seen.proven,
    }


def wait(target: Target, component: str, context: Context) -> None:
    """Return when all processes of the component are ready."""
    del context
    target.wait(component)


def observation(context: Context, task_id: str) -> dict[str, Any] | None:
    """What an earlier task of the run observed; None when it left nothing."""
    found = context["ti"].xcom_pull(task_ids=task_id)
    # What a trigger hands over is a text of JSON, in Airflow 3.3.2.
    read: dict[str, Any] | None = json.loads(found) if isinstance(found, str) else found
    return read


VERBS = {"observe": observe, "wait": wait}


class ComponentTrigger(BaseTrigger):
    """Does a verb in the triggerer and ends the task; one that fails is given back to its operator.

    Args:
        component: its name.
        verb: a name in VERBS.
        yields: skip while a deploy goes on.
    """

    def __init__(self, component: str, verb: str, *, yields: bool = False) -> None:
        super().__init__()
        self.component = component
        self.verb = verb
        self.yields = yields

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class and arguments, as Airflow keeps them."""
        arguments = {"component": self.component, "verb": self.verb, "yields": self.yields}
        return f"{type(self).__module__}.{type(self).__name__}", arguments

    def _act(self, context: Context) -> Any:
        if self.yields:
            skip_during_deploy(context)
        # The triggerer outlives definitions and credentials that it has read.
        return VERBS[self.verb](anew(), self.component, context)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """One event: the end of the task, or the error that its operator raises, with its retries and its alert."""
        context = self.task_instance.get_template_context()  # type: ignore[union-attr]
        act = partial(copy_context().run, self._act, context)
        try:
            found = await asyncio.get_running_loop().run_in_executor(_THREADS, act)
        except AirflowSkipException as reason:
            self.log.info("%s", reason)
            yield TaskSkippedEvent()
        except Exception as error:
            self.log.exception("the %s of %s ends", self.verb, self.component)
            yield TriggerEvent({"error": str(error)})
        else:
            yield TaskSuccessEvent(xcoms={} if found is None else {"return_value": found})
