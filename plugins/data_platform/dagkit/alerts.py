"""What happens when a task of the platform fails."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk import Context

_LOG = logging.getLogger("data_platform.alerts")
#: Airflow connection (type http) that takes alerts as JSON; without it an alert is a line in the task's log.
CONNECTION = "alerts"
#: Of an error, in what people read: chats cut long messages, or refuse them.
_SHOWN = 1000


def alert(context: Context) -> None:
    """Tell that a task failed: which DAG, task and run, why, and where to look.

    For `on_failure_callback`. Never raises: a broken alert channel must not hide the failure itself.
    """
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
        problem = _deliver({"text": text(message), **message})
    except Exception as error:  # noqa: BLE001 - whatever it is; its words may hold the address
        problem = type(error).__name__
    if problem:
        _LOG.error("the alert could not be delivered to connection %s: %s", CONNECTION, problem)


def text(message: Mapping[str, str]) -> str:
    """The message as people read it, in the key that Slack, Mattermost and Teams show.

    `<`, `>` and `&` are written as Slack wants them, so that an error calls nobody by `<!channel>`.
    """
    error = message["error"]
    shown = error if len(error) <= _SHOWN else f"{error[:_SHOWN]}…"
    escaped = shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"{message['dag']}.{message['task']} failed in run {message['run']}: {escaped}\n{message['log']}"


def _deliver(message: Mapping[str, str]) -> str:
    """Why it was not delivered; empty when it was, and where there is no channel."""
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException, AirflowRuntimeError

    from data_platform.clients import webhook

    try:
        connection = BaseHook.get_connection(CONNECTION)
    except (AirflowNotFoundException, AirflowRuntimeError):
        return ""
    try:
        address = webhook.address_of(connection)
    except ValueError as error:
        return f"{error}; docs/runbooks/something-is-red.md says how it is written"
    return webhook.deliver(address, message)
