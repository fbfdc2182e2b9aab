"""Tasks that change nothing: in a process of their own, and in the triggerer where tasks are pods."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowException, AirflowSkipException
from airflow.triggers.base import TaskSkippedEvent, TaskSuccessEvent, TriggerEvent

from data_platform.operators import looks
from data_platform.operators.lifecycle import LookOperator, ObserveComponentOperator, WaitComponentOperator
from data_platform.stack.errors import PlatformError
from data_platform.targets.kubernetes.places import SETTINGS_VARIABLE

pytestmark = pytest.mark.enable_socket  # an event loop talks to itself through a pair of them


class Context(dict[str, Any]):
    """What a run gives to its tasks."""

    def __init__(self, deploys: int = 0) -> None:
        super().__init__(params={}, ti=SimpleNamespace(get_dr_count=lambda **_: deploys))


def events(trigger: looks.ComponentTrigger, context: Context) -> list[TriggerEvent]:
    """What the triggerer would be told."""
    trigger.task_instance = SimpleNamespace(  # type: ignore[assignment]
        task_id="reader.wait", get_template_context=lambda: context
    )

    async def run() -> list[TriggerEvent]:
        return [event async for event in trigger.run()]

    return asyncio.run(run())


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A verb `look`: what it answers (or raises) is put in first, its arguments are found behind it."""
    told: list[Any] = []

    def look(target: object, component: str, context: object) -> Any:
        told.append((target, component, context, threading.current_thread()))
        if isinstance(told[0], Exception):
            raise told[0]
        return told[0]

    monkeypatch.setitem(looks.VERBS, "look", look)
    monkeypatch.setattr(looks, "anew", lambda: "the place as it is now")
    return told


def test_the_trigger_does_the_verb_beside_its_loop_and_ends_the_task_with_the_answer(verb: list[Any]) -> None:
    verb.append({"proven": True})
    context = Context()
    (event,) = events(looks.ComponentTrigger("reader", "look"), context)
    assert isinstance(event, TaskSuccessEvent)
    assert event.xcoms == {"return_value": {"proven": True}}
    target, component, given, thread = verb[1]
    assert (target, component) == ("the place as it is now", "reader")
    assert given is context
    assert thread is not threading.main_thread()


def test_a_verb_without_an_answer_leaves_none(verb: list[Any]) -> None:
    verb.append(None)
    (event,) = events(looks.ComponentTrigger("reader", "look"), Context())
    assert isinstance(event, TaskSuccessEvent)
    assert event.xcoms == {}


def test_what_is_skipped_is_skipped(verb: list[Any]) -> None:
    verb.append(AirflowSkipException("not selected"))
    (event,) = events(looks.ComponentTrigger("reader", "look"), Context())
    assert isinstance(event, TaskSkippedEvent)


def test_one_that_yields_is_skipped_while_a_deploy_goes_on(verb: list[Any]) -> None:
    verb.append("seen")
    (event,) = events(looks.ComponentTrigger("reader", "look", yields=True), Context(deploys=1))
    assert isinstance(event, TaskSkippedEvent)
    assert verb == ["seen"]
    (event,) = events(looks.ComponentTrigger("reader", "look"), Context(deploys=1))
    assert isinstance(event, TaskSuccessEvent)


@pytest.mark.parametrize("error", [PlatformError("trino takes no requests", "look at its logs"), ValueError("a bug")])
def test_an_error_is_raised_by_the_task(verb: list[Any], error: Exception) -> None:
    verb.append(error)
    (event,) = events(looks.ComponentTrigger("reader", "look"), Context())
    assert type(event) is TriggerEvent
    with pytest.raises(AirflowException) as raised:
        WaitComponentOperator(task_id="wait", component="reader").fail({}, event.payload)
    assert str(raised.value) == str(error)


@pytest.mark.parametrize("left", [{"proven": True}, '{"proven": true}', None])
def test_the_plan_reads_what_a_task_left_and_what_a_trigger_left(left: object) -> None:
    context: Any = {"ti": SimpleNamespace(xcom_pull=lambda *, task_ids: {"reader.observe": left}[task_ids])}
    assert looks.observation(context, "reader.observe") == (None if left is None else {"proven": True})


def operators() -> list[LookOperator]:
    with DAG("stack_test", schedule=None):
        return [
            ObserveComponentOperator(task_id="observe", component="reader", yields=True),
            WaitComponentOperator(task_id="wait", component="reader"),
        ]


def test_where_tasks_are_pods_the_scheduler_gives_them_to_the_triggerer(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.models.trigger import Trigger
    from airflow.serialization.serialized_objects import DagSerialization

    monkeypatch.setenv(SETTINGS_VARIABLE, "{}")
    made = operators()
    dag = made[0].dag
    assert dag is not None
    kept = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    for operator in made:
        task = kept.get_task(operator.task_id)
        start = task.start_trigger_args
        assert task.start_from_trigger
        assert start.trigger_cls == f"{looks.ComponentTrigger.__module__}.{looks.ComponentTrigger.__qualname__}"
        assert callable(getattr(operator, start.next_method))
        row = Trigger(start.trigger_cls, start.trigger_kwargs)
        trigger = looks.ComponentTrigger(**row.kwargs)
        assert trigger.verb in looks.VERBS
        assert (trigger.component, trigger.verb, trigger.yields) == ("reader", operator.verb, operator.yields)


def test_elsewhere_they_are_tasks_as_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SETTINGS_VARIABLE, raising=False)
    assert [operator.start_from_trigger for operator in operators()] == [False, False]
