"""Components as task groups. Order comes from what must be verified before (`after`, claims) alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import TaskGroup, TriggerRule

from data_platform.dagkit.alerts import alert
from data_platform.dagkit.holds import wait_at_hold
from data_platform.operators.lifecycle import (
    ApplyComponentOperator,
    CheckComponentOperator,
    CheckLeaseOperator,
    FetchArtifactsOperator,
    ObserveComponentOperator,
    PlanComponentOperator,
    PrepareTargetOperator,
    ReleaseLeaseOperator,
    WaitComponentOperator,
)
from data_platform.operators.pipelines import CheckPipelinesOperator
from data_platform.stack.stack import Stack

#: Arguments of every task of the platform.
DEFAULTS: dict[str, Any] = {
    "owner": "platform-team",
    "retries": 1,
    "retry_delay": timedelta(seconds=5),
    "execution_timeout": timedelta(minutes=10),
    "on_failure_callback": alert,
    "pre_execute": wait_at_hold,
}
#: Builds from source on a slow machine.
_FETCH_TIMEOUT = timedelta(hours=1)


def deploy_groups(stack: Stack) -> None:
    """Draw `prepare`, then `observe → plan → apply → wait → verify` for each component, in the DAG of the context.

    A component's `apply` comes after the `verify` of all that it depends on. Its downloads and builds
    (`artifacts.<component>`) wait for its own `plan` only. `prepare` takes the platform's lease, and `release` gives it
    back when nothing of all that goes on.
    """
    verified: dict[str, Any] = {}
    prepare = PrepareTargetOperator(task_id="prepare")
    with TaskGroup("artifacts", tooltip="Downloads and builds"):
        artifacts = {
            name: FetchArtifactsOperator(task_id=name, component=name, execution_timeout=_FETCH_TIMEOUT)
            for name in stack.components
        }
    for name in stack.components:
        with TaskGroup(name, tooltip=stack.components[name].component.summary):
            observe = ObserveComponentOperator(task_id="observe", component=name)
            plan = PlanComponentOperator(task_id="plan", component=name, trigger_rule=TriggerRule.NONE_FAILED)
            apply = ApplyComponentOperator(task_id="apply", component=name, trigger_rule=TriggerRule.NONE_FAILED)
            wait = WaitComponentOperator(task_id="wait", component=name)
            verify = CheckComponentOperator(
                task_id="verify", component=name, reason="deploy", trigger_rule=TriggerRule.NONE_FAILED
            )
        prepare >> observe >> plan >> [artifacts[name], apply, verify]
        artifacts[name] >> apply >> wait >> verify
        for needed in stack.dependencies(name):
            verified[needed] >> [apply, verify]
        verified[name] = verify
    release_after([*artifacts.values(), *verified.values()])


def release_after(last: list[Any]) -> None:
    """Draw `release`, which gives the platform's lease back once these have ended, whatever became of them.

    Args:
        last: tasks, one of which is the last of the run that holds the lease, whatever fails.
    """
    # A teardown says nothing about the run: one that failed must not be green because the lease was given back.
    last >> ReleaseLeaseOperator(task_id="release").as_teardown()


def plan_groups(stack: Stack) -> list[PlanComponentOperator]:
    """Draw `observe → plan` for each component and return the plans: the drift report."""
    plans = []
    for name in stack.components:
        with TaskGroup(name, tooltip=stack.components[name].component.summary):
            observe = ObserveComponentOperator(task_id="observe", component=name, yields=True)
            plan = PlanComponentOperator(task_id="plan", component=name, report_only=True)
        observe >> plan
        plans.append(plan)
    return plans


def check_tasks(stack: Stack) -> None:
    """Draw one task for each component that runs its checks, one that looks how long the lease has been held, and one
    that looks at the pipelines.
    """
    CheckLeaseOperator(task_id="lease")
    CheckPipelinesOperator(task_id="pipelines", doc_md=CheckPipelinesOperator.__doc__)
    for name, item in stack.components.items():
        CheckComponentOperator(
            task_id=name,
            component=name,
            reason="health",
            only_deployed=True,
            doc_md="\n".join(f"- {check.name}" for check in item.component.all_checks),
        )
