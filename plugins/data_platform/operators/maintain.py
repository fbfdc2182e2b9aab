"""Upkeep of a dataset's tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
        """One line a table. The run has the dataset's turn: a load would change the same tables."""
        del context
        from data_platform.datasets.upkeep import maintain

        lines = maintain(current(), self.dataset, Deadline(self.seconds))
        for line in lines:
            self.log.info("%s", line)
        return lines
