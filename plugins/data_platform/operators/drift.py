"""The drift report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from data_platform.operators.looks import planned
from data_platform.operators.triggerer import skip_during_deploy

if TYPE_CHECKING:
    from airflow.sdk import Context


class ReportDriftOperator(BaseOperator):
    """Gather the plans of all components; fail when one of them has steps.

    Args:
        plans: ids of the plan tasks.
    """

    def __init__(self, *, plans: list[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plans = plans

    def execute(self, context: Context) -> str:
        """The report when there is no drift."""
        lines = []
        for task_id in self.plans:
            lines += [f"{task_id.removesuffix('.plan')}: {step}" for step in planned(context, task_id)]
        if lines:
            skip_during_deploy(context)  # it may have begun after the plans
            raise AirflowFailException(
                "the platform is not what its definition says:\n"
                + "\n".join(lines)
                + "\n→ trigger stack_deploy, or change the definition"
            )
        return f"no drift in {len(self.plans)} components"
