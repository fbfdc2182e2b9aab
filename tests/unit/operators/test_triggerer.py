"""Tasks of the triggerer: in a process of their own, and in the triggerer where tasks are pods."""

from __future__ import annotations

import asyncio
import threading
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from airflow.triggers.base import TaskSkippedEvent, TaskSuccessEvent, TriggerEvent

from data_platform import lifecycle
from data_platform.checks.base import CheckResult
from data_platform.operators import ingest, links, triggerer
from data_platform.operators.drift import ReportDriftOperator
from data_platform.operators.ingest import AwaitLandingOperator, DeliverReferenceOperator, DeployFlowOperator
from data_platform.operators.lifecycle import (
    CheckComponentOperator,
    CheckLeaseOperator,
    LookOperator,
    ObserveComponentOperator,
    PlanComponentOperator,
    PrepareTargetOperator,
    ReleaseLeaseOperator,
    WaitComponentOperator,
)
from data_platform.operators.links import ComponentLink
from data_platform.operators.report import CheckDatasetOperator
from data_platform.operators.triggerer import ActTrigger, Branch, TriggererOperator
from data_platform.stack.errors import PlatformError
from data_platform.targets.kubernetes.places import SETTINGS_VARIABLE
from tests.unit.operators.fake_lease import FakeLease, held_by

pytestmark = pytest.mark.enable_socket  # an event loop talks to itself through a pair of them
LOOK = f"{__name__}:look"
#: What the act was given; what it answers (or raises) is put in first.
TOLD: list[Any] = []


def look(target: object, context: object, component: str) -> Any:
    TOLD.append((target, component, context, threading.current_thread()))
    if isinstance(TOLD[0], Exception):
        raise TOLD[0]
    return TOLD[0]


class Context(dict[str, Any]):
    """What a run gives to its tasks."""

    def __init__(self) -> None:
        super().__init__(params={}, ti=SimpleNamespace(dag_id="stack_test", run_id="first"))


def events(context: Context, *, yields: bool = False, about: str = "") -> list[TriggerEvent]:
    """What the triggerer would be told."""
    trigger = ActTrigger(LOOK, {"component": "reader"}, yields=yields, about=about)
    trigger.task_instance = SimpleNamespace(  # type: ignore[assignment]
        task_id="reader.wait", get_template_context=lambda: context
    )

    async def run() -> list[TriggerEvent]:
        return [event async for event in trigger.run()]

    return asyncio.run(run())


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Of the act `look`: see TOLD."""
    TOLD.clear()
    monkeypatch.setattr(triggerer, "anew", lambda: "the place as it is now")
    return TOLD


def test_the_trigger_acts_beside_its_loop_and_ends_the_task_with_the_answer(told: list[Any]) -> None:
    told.append({"proven": True})
    context = Context()
    (event,) = events(context)
    assert isinstance(event, TaskSuccessEvent)
    assert event.xcoms == {"return_value": {"proven": True}}
    target, component, given, thread = told[1]
    assert (target, component) == ("the place as it is now", "reader")
    assert given is context
    assert thread is not threading.main_thread()


def test_a_task_about_a_component_leaves_the_address_of_its_page(
    told: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    told.append(Branch(["reader.verify"], {}))
    monkeypatch.setattr(links, "page", lambda target, component: f"{component}, {target}")
    (event,) = events(Context(), about="reader")
    assert isinstance(event, TaskSuccessEvent)
    assert event.xcoms is not None
    # After what decides which tasks run.
    assert list(event.xcoms) == ["skipmixin_key", "return_value", ComponentLink().xcom_key]
    assert event.xcoms[ComponentLink().xcom_key] == "reader, the place as it is now"


def test_an_act_without_an_answer_leaves_none(told: list[Any]) -> None:
    told.append(None)
    (event,) = events(Context())
    assert isinstance(event, TaskSuccessEvent)
    assert event.xcoms == {}


def test_a_branch_tells_the_scheduler_first_what_it_follows(told: list[Any]) -> None:
    told.append(Branch(["reader.verify"], {"steps": [{"verb": "start"}]}))
    (event,) = events(Context())
    assert isinstance(event, TaskSuccessEvent)
    # Airflow commits the first of them with the task's end: until then the scheduler could start what is to be skipped.
    assert event.xcoms is not None
    assert list(event.xcoms) == ["skipmixin_key", "steps", "return_value"]
    assert event.xcoms["steps"] == [{"verb": "start"}]
    assert event.xcoms["return_value"] == ["reader.verify"]


@pytest.mark.parametrize(("follows", "skipped"), [([], True), (["reader.verify"], True), (["reader.apply"], False)])
def test_the_scheduler_skips_what_a_branch_in_the_triggerer_does_not_follow(
    told: list[Any], monkeypatch: pytest.MonkeyPatch, follows: list[str], skipped: bool
) -> None:
    """By Airflow's own rule, of what the trigger's event leaves in its database."""
    from airflow.models.xcom import XComModel
    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.ti_deps.deps.not_previously_skipped_dep import NotPreviouslySkippedDep

    monkeypatch.setenv(SETTINGS_VARIABLE, "{}")
    with DAG("stack_test", schedule=None) as dag:
        plan = PlanComponentOperator(task_id="reader.plan", component="reader")
        plan >> WaitComponentOperator(task_id="reader.apply", component="reader")
    kept = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    told.append(Branch(follows, {"steps": []}))
    (event,) = events(Context())
    assert isinstance(event, TaskSuccessEvent)
    assert event.xcoms is not None
    rows = {key: XComModel.serialize_value(value) for key, value in event.xcoms.items()}
    states: list[str] = []
    ti = SimpleNamespace(
        task=kept.get_task("reader.apply"),
        task_id="reader.apply",
        map_index=-1,
        get_dagrun=lambda **_: None,
        xcom_pull=lambda *, key, **_: XComModel.deserialize_value(SimpleNamespace(value=rows[key])),
        set_state=lambda state, **_: states.append(str(state)),
    )
    ended: Any = SimpleNamespace(
        ensure_finished_tis=lambda *_, **__: [SimpleNamespace(task_id="reader.plan")],
        wait_for_past_depends_before_skipping=False,
    )
    found = list(NotPreviouslySkippedDep()._get_dep_statuses(ti, ended, session=None))
    assert [status.passed for status in found] == [False] * skipped
    assert states == ["skipped"] * skipped


def test_what_is_skipped_is_skipped(told: list[Any]) -> None:
    told.append(AirflowSkipException("not selected"))
    (event,) = events(Context())
    assert isinstance(event, TaskSkippedEvent)


def test_one_that_yields_is_skipped_while_somebody_holds_the_platform(
    told: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    FakeLease([held_by("stack_deploy/first")]).put(monkeypatch)
    told.append("seen")
    (event,) = events(Context(), yields=True)
    assert isinstance(event, TaskSkippedEvent)
    assert told == ["seen"]
    (event,) = events(Context())
    assert isinstance(event, TaskSuccessEvent)


@pytest.mark.parametrize(
    ("error", "raised_by_the_task"),
    [
        (PlatformError("trino takes no requests", "look at its logs"), AirflowException),
        (ValueError("a bug"), AirflowException),
        # Another try would not mend it, so Airflow must not make one.
        (AirflowFailException("refused"), AirflowFailException),
    ],
)
@pytest.mark.parametrize("operator", [WaitComponentOperator, PlanComponentOperator])
def test_an_error_is_raised_by_the_task(
    told: list[Any], error: Exception, raised_by_the_task: type[Exception], operator: type[LookOperator]
) -> None:
    told.append(error)
    (event,) = events(Context())
    assert type(event) is TriggerEvent
    with pytest.raises(AirflowException) as raised:
        operator(task_id="any", component="reader").fail({}, event.payload)
    assert type(raised.value) is raised_by_the_task
    assert str(raised.value) == str(error)


def operators() -> list[TriggererOperator]:
    with DAG("stack_test", schedule=None):
        return [
            ObserveComponentOperator(task_id="observe", component="reader", yields=True),
            PlanComponentOperator(task_id="plan", component="reader", report_only=True),
            WaitComponentOperator(task_id="wait", component="reader"),
            PrepareTargetOperator(task_id="prepare"),
            ReleaseLeaseOperator(task_id="release"),
            CheckLeaseOperator(task_id="lease"),
            ReportDriftOperator(task_id="report", plans=["reader.plan"]),
            CheckComponentOperator(task_id="verify", component="reader", reason="health", only_deployed=True),
            DeployFlowOperator(task_id="flow", dataset="fx_rates"),
            DeliverReferenceOperator(task_id="deliver", dataset="fx_rates", file="a.zip"),
            AwaitLandingOperator(task_id="land", dataset="fx_rates", seconds=7),
            CheckDatasetOperator(
                task_id="check",
                dataset="fx_rates",
                name="is-true",
                kind="lineage_path",
                params_of_kind={"edges": [{"source": "a", "target": "b", "by": "nifi"}], "columns": []},
            ),
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
        assert start.trigger_cls == f"{ActTrigger.__module__}.{ActTrigger.__qualname__}"
        assert callable(getattr(operator, start.next_method))
        row = Trigger(start.trigger_cls, start.trigger_kwargs)
        trigger = ActTrigger(**row.kwargs)
        module, _, name = trigger.act.partition(":")
        assert getattr(import_module(module), name) is operator.act
        assert (trigger.arguments, trigger.yields) == (operator.arguments, operator.yields)
        assert trigger.about == getattr(operator, "component", "")


def test_elsewhere_they_are_tasks_as_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SETTINGS_VARIABLE, raising=False)
    assert {operator.start_from_trigger for operator in operators()} == {False}


def test_a_failed_check_of_the_triggerer_is_raised_by_the_task_for_good_and_a_passed_one_leaves_its_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found: list[CheckResult] = []
    monkeypatch.setenv(SETTINGS_VARIABLE, "{}")
    monkeypatch.setattr(triggerer, "anew", lambda: SimpleNamespace(condition=lambda _: "running"))
    monkeypatch.setattr(lifecycle, "verify", lambda *_: found)
    monkeypatch.setattr(links, "page", lambda *_: "https://reader.example/")
    FakeLease().put(monkeypatch)
    with DAG("stack_test", schedule=None):
        operator = CheckComponentOperator(task_id="verify", component="reader", reason="deploy")
    assert operator.start_trigger_args is not None

    def end() -> TriggerEvent:
        trigger = ActTrigger(**(operator.start_trigger_args.trigger_kwargs or {}))
        trigger.task_instance = SimpleNamespace(  # type: ignore[assignment]
            task_id="verify", get_template_context=Context
        )

        async def run() -> list[TriggerEvent]:
            return [event async for event in trigger.run()]

        (event,) = asyncio.run(run())
        return event

    found[:] = [CheckResult("reader", "reads", "passed", 0.5, "a row")]
    passed = end()
    assert isinstance(passed, TaskSuccessEvent)
    address = {ComponentLink().xcom_key: "https://reader.example/"}
    assert passed.xcoms == {"return_value": ["passed: reads (0.50 s): a row"], **address}
    found.append(CheckResult("reader", "writes", "failed", 0.5, "refused"))
    caplog.clear()
    failed = end()
    assert failed.payload["final"]
    assert "check writes failed: refused" in failed.payload["error"]
    # What passed is told too.
    with caplog.at_level("INFO"):
        end()
    assert "passed: reads (0.50 s): a row" in caplog.text


def test_the_arguments_that_are_kept_are_those_that_the_act_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Any] = []
    monkeypatch.setattr(triggerer, "anew", lambda: "the place")
    monkeypatch.setattr("data_platform.datasets.flow.await_landed", lambda *given: taken.append(given))
    trigger = ActTrigger(f"{ingest.__name__}:await_landing", {"dataset": "fx_rates", "seconds": 7})
    assert trigger._do(Context()) == (None, {})
    ((target, dataset, deadline),) = taken
    assert (target, dataset, deadline.seconds) == ("the place", "fx_rates", 7)
