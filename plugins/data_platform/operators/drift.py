"""The drift report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from data_platform.operators.lease import skip_while_held
from data_platform.operators.looks import planned
from data_platform.operators.triggerer import TriggererOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from data_platform.targets.base import Target


def report(target: Target, context: Context, plans: Sequence[str]) -> str:
    """The report when there is no drift.

    Args:
        target: where.
        context: of the task.
        plans: ids of the plan tasks.

    Raises:
        AirflowFailException: a plan has steps, or one is missing.
        AirflowSkipException: somebody is changing the platform.
    """
    lines = []
    for task_id in plans:
        lines += [f"{task_id.removesuffix('.plan')}: {step}" for step in planned(context, task_id)]
    if lines:
        skip_while_held(target)  # somebody may have begun after the plans
        raise AirflowFailException(
            "the platform is not what its definition says:\n"
            + "\n".join(lines)
            + "\n→ trigger stack_deploy, or change the definition"
        )
    return f"no drift in {len(plans)} components"


class ReportDriftOperator(TriggererOperator):
    """Gather the plans of all components; fail when one of them has steps.

    Args:
        plans: ids of the plan tasks.
    """

    act = staticmethod(report)

    def __init__(self, *, plans: list[str], **kwargs: Any) -> None:
        super().__init__(arguments={"plans": plans}, **kwargs)
        self.plans = plans
