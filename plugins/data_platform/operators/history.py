"""Upkeep of the orchestrator's own past: its database, and the logs of tasks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from airflow.sdk import BaseOperator

from data_platform.checks.base import Deadline
from data_platform.operators.lease import skip_while_held
from data_platform.operators.pods import DeployerOperator
from data_platform.targets.current import current

if TYPE_CHECKING:
    from airflow.sdk import Context


class CleanRunsOperator(DeployerOperator):
    """Remove old runs from the database; skipped while somebody changes the platform, and perhaps that database."""

    def execute(self, context: Context) -> list[str]:
        """Lines that say what was removed."""
        from data_platform.history import clean_runs

        del context
        target = current()
        skip_while_held(target)
        seconds = self.execution_timeout.total_seconds() if self.execution_timeout else 600.0
        # Ahead of Airflow's own deadline, so that the error is ours.
        lines = clean_runs(target, Deadline(0.9 * seconds))
        for line in lines:
            self.log.info("%s", line)
        return lines


class CleanLogsOperator(BaseOperator):
    """Remove old logs of tasks. Every pod of a task has the folder of all of them."""

    def execute(self, context: Context) -> str:
        """A line that says what was removed."""
        from airflow.sdk.configuration import conf

        from data_platform.history import clean_logs

        del context
        folder = Path(conf.get("logging", "base_log_folder"))
        line = clean_logs(folder, current().retention.logs_days)
        self.log.info("%s", line)
        return line
