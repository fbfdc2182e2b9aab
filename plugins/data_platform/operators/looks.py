"""What the tasks do that change nothing: look at a component, wait for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from data_platform import lifecycle
from data_platform.targets.base import Target

if TYPE_CHECKING:
    from airflow.sdk import Context

#: Run parameter: components to deploy with all that they need; empty for all.
SELECTION = "components"


def observe(target: Target, context: Context, component: str) -> dict[str, Any]:
    """What is wanted of a component and what is there, as plain data. Holds digests, no secrets.

    Raises:
        AirflowSkipException: the run's selection does not need the component.
    """
    selection = tuple(context["params"].get(SELECTION) or ())
    if component not in target.stack.only(selection):
        raise AirflowSkipException(f"{component} is not among {', '.join(selection)} and what they need")
    seen = lifecycle.observe(target, component)
    return {
        "wanted": [resource.model_dump() for resource in seen.wanted],
        "seen": [thing.model_dump() for thing in seen.seen],
        "proven": seen.proven,
    }


def wait(target: Target, context: Context, component: str) -> None:
    """Return when all processes of the component are ready."""
    del context
    target.wait(component)


def observation(context: Context, task_id: str) -> dict[str, Any] | None:
    """What an earlier task of the run observed; None when it left nothing."""
    found = context["ti"].xcom_pull(task_ids=task_id)
    # What a trigger hands over is a text of JSON, in Airflow 3.3.2.
    read: dict[str, Any] | None = json.loads(found) if isinstance(found, str) else found
    return read
