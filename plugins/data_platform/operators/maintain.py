"""Upkeep of a dataset's tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowSkipException

from data_platform.checks.base import Deadline
from data_platform.operators.dataset import DatasetOperator
from data_platform.stack.capabilities import JOBS
from data_platform.targets.current import current

if TYPE_CHECKING:
    from airflow.sdk import Context


class MaintainTablesOperator(DatasetOperator):
    """Join small files and expire old states of the tables that the dataset has published."""

    tools_of = JOBS

    def execute(self, context: Context) -> list[str]:
        """One line a table; skipped while a load is going on, because both would change the same tables."""
        from data_platform.datasets.upkeep import maintain

        pipeline = f"pipelines_{self.dataset}"
        if context["ti"].get_dr_count(pipeline, states=["queued", "running"]):
            raise AirflowSkipException(f"{pipeline} is running; next week is early enough")
        lines = maintain(current(), self.dataset, Deadline(self.seconds))
        for line in lines:
            self.log.info("%s", line)
        return lines
