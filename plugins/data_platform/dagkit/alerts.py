"""What happens when a task of the platform fails."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk import Context

_LOG = logging.getLogger("data_platform.alerts")
#: Airflow connection (type http) whose host takes alerts as JSON; without it an alert is a line in the task's log.
CONNECTION = "alerts"


def alert(context: Context) -> None:
    """Tell that a task failed: which DAG, task and run, why, and where to look.

    For `on_failure_callback`. Never raises: a broken alert channel must not hide the failure itself.
    """
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException, AirflowRuntimeError

    ti = context["ti"]
    message = {
        "dag": ti.dag_id,
        "task": ti.task_id,
        "run": context["run_id"],
        "error": str(context.get("exception", "unknown")),
        "log": ti.log_url,
    }
    _LOG.error("ALERT %s", message)
    try:
        url = BaseHook.get_connection(CONNECTION).host
    except (AirflowNotFoundException, AirflowRuntimeError):
        return
    from data_platform.clients.webhook import deliver

    if problem := deliver(str(url), message):
        _LOG.error("the alert could not be delivered to connection %s: %s", CONNECTION, problem)
