"""Tasks that run in the triggerer where tasks are pods: those that only look, decide, wait or check, and those of a
dataset that need the API server of Kubernetes.

A pod loads Airflow before its task begins, seconds of a core (docs/performance.md), and is there all the time that the
task waits; and a dataset's pod has no way to the API server. The triggerer has Airflow loaded and may ask, so these
tasks run in it from their start (`start_from_trigger`). Elsewhere they are tasks as all others.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from airflow.providers.standard.operators.branch import BranchMixIn
from airflow.providers.standard.utils.skipmixin import XCOM_SKIPMIXIN_FOLLOWED, XCOM_SKIPMIXIN_KEY
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from airflow.triggers.base import BaseTrigger, StartTriggerArgs, TaskSkippedEvent, TaskSuccessEvent, TriggerEvent

from data_platform.operators.lease import skip_while_held
from data_platform.operators.links import left_for
from data_platform.operators.pods import tasks_are_pods
from data_platform.targets.current import anew, current

if TYPE_CHECKING:
    from airflow.sdk import Context

#: Clients of servers block; more threads than a stack has components, since each may wait for minutes.
_THREADS = ThreadPoolExecutor(max_workers=64, thread_name_prefix="act")


class Branch(NamedTuple):
    """What an act answers that decides which tasks run after it.

    Attributes:
        follows: ids of those tasks directly after it that run; its others are skipped.
        left: what else it leaves to other tasks, by key; no secrets.
        said: lines of the task's log.
    """

    follows: list[str]
    left: Mapping[str, Any]
    said: Sequence[str] = ()


def _tell(log: Any, found: object) -> None:
    """What was done in one line is a line of the task's log."""
    lines = found.said if isinstance(found, Branch) else [found] if isinstance(found, str) else []
    for line in lines:
        log.info("%s", line)


def _xcoms(found: object) -> dict[str, Any]:
    """What a task that ends in the triggerer leaves, by key."""
    if isinstance(found, Branch):
        # A trigger cannot skip tasks, but the scheduler does, by what a branch left. That comes first: Airflow commits
        # it together with the task's end, and one of the others after the other (3.3.2).
        followed = {XCOM_SKIPMIXIN_KEY: {XCOM_SKIPMIXIN_FOLLOWED: found.follows}}
        return {**followed, **found.left, "return_value": found.follows}
    return {} if found is None else {"return_value": found}


class ActTrigger(BaseTrigger):
    """Does something in the triggerer and ends the task; an act that fails is given back to its operator.

    Args:
        act: the function, as `module:name`.
        arguments: of the function; no secrets.
        yields: skip while somebody holds the platform's lease.
        about: component that the task links to; none when empty.
    """

    def __init__(self, act: str, arguments: Mapping[str, Any], *, yields: bool = False, about: str = "") -> None:
        super().__init__()
        self.act = act
        self.arguments = dict(arguments)
        self.yields = yields
        self.about = about

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class and arguments, as Airflow keeps them."""
        kept = {"act": self.act, "arguments": self.arguments, "yields": self.yields, "about": self.about}
        return f"{type(self).__module__}.{type(self).__name__}", kept

    def _do(self, context: Context) -> tuple[Any, dict[str, str]]:
        # The triggerer outlives definitions and credentials that it has read.
        target = anew()
        if self.yields:
            skip_while_held(target)
        module, _, name = self.act.partition(":")
        found = getattr(import_module(module), name)(target, context, **self.arguments)
        return found, left_for(target, self.about) if self.about else {}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """One event: the end of the task, or the error that its operator raises, with its retries and its alert."""
        context = self.task_instance.get_template_context()  # type: ignore[union-attr]
        do = partial(copy_context().run, self._do, context)
        try:
            found, links = await asyncio.get_running_loop().run_in_executor(_THREADS, do)
        except AirflowSkipException as reason:
            self.log.info("%s", reason)
            yield TaskSkippedEvent()
        except Exception as error:
            self.log.exception("%s of %s ends", self.act, self.arguments)
            yield TriggerEvent({"error": str(error), "final": isinstance(error, AirflowFailException)})
        else:
            _tell(self.log, found)
            yield TaskSuccessEvent(xcoms={**_xcoms(found), **links})


class TriggererOperator(BaseOperator):
    """A task that runs in the triggerer where tasks are pods.

    Args:
        arguments: of its act.
        yields: skip while somebody holds the platform's lease.
        about: component that it links to; none when empty.
    """

    #: What it does: a function of a module, called with the target, the context and the arguments.
    act: ClassVar[Callable[..., Any]]

    def __init__(self, *, arguments: Mapping[str, Any], yields: bool = False, about: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.arguments = dict(arguments)
        self.yields = yields
        if tasks_are_pods():
            name = f"{self.act.__module__}:{self.act.__qualname__}"
            kind, kept = ActTrigger(name, self.arguments, yields=yields, about=about).serialize()
            # Its deadline is the task's `execution_timeout`.
            self.start_trigger_args = StartTriggerArgs(kind, next_method="fail", trigger_kwargs=kept)
            self.start_from_trigger = True

    def execute(self, context: Context) -> Any:
        """What the act returns."""
        target = current()
        if self.yields:
            skip_while_held(target)
        found = self.act(target, context, **self.arguments)
        _tell(self.log, found)
        return found

    def fail(self, context: Context, event: Mapping[str, Any]) -> None:
        """Raise what the trigger met.

        Raises:
            AirflowFailException: another try would not mend it.
            AirflowException: otherwise.
        """
        del context
        raise (AirflowFailException if event["final"] else AirflowException)(event["error"])


class BranchOperator(TriggererOperator, BranchMixIn):
    """A task whose act answers with a `Branch`: it decides which of the tasks directly after it run."""

    # The scheduler skips by what the task left, also where it ended in the triggerer.
    inherits_from_skipmixin = True

    def execute(self, context: Context) -> Any:
        """Ids of the tasks that follow."""
        found: Branch = super().execute(context)
        for key, value in found.left.items():
            context["ti"].xcom_push(key=key, value=value)
        return self.do_branch(context, found.follows)
