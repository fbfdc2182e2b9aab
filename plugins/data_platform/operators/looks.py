"""What the tasks do that change nothing: look at a component, decide what must be done, wait for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from data_platform import lifecycle
from data_platform.operators.triggerer import Branch
from data_platform.stack.plan import Resource, Seen, Step, plan
from data_platform.targets.base import Target

if TYPE_CHECKING:
    from airflow.sdk import Context

#: Run parameter: components to deploy with all that they need; empty for all.
SELECTION = "components"
#: Key under which a plan leaves its steps.
_STEPS = "steps"


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


def decide(target: Target, context: Context, component: str, *, report_only: bool) -> Branch:
    """Plan what must change, by what `observe` left, and which of the following tasks do it.

    Args:
        target: is not asked.
        context: of the task.
        component: its name.
        report_only: what follows runs whatever was decided.
    """
    del target
    found = _left(context, f"{component}.observe")
    if found is None:
        return Branch([], {})
    wanted = [Resource.model_validate(value) for value in found["wanted"]]
    steps = plan(wanted, [Seen.model_validate(value) for value in found["seen"]])
    left = {_STEPS: [step.model_dump() for step in steps]}
    said = [str(step) for step in steps]
    if report_only:
        return Branch(sorted(context["task"].downstream_task_ids), left, said)
    if steps:
        fetched = [f"artifacts.{component}"] if any(step.kind == "artifact" for step in steps) else []
        return Branch([*fetched, f"{component}.apply", f"{component}.verify"], left, said)
    if found["proven"]:
        return Branch([], left, ["nothing to change, and all checks passed within the last hour"])
    said = ["nothing to change; the checks were not all passed within the last hour"]
    return Branch([f"{component}.verify"], left, said)


def planned(context: Context, task_id: str) -> list[Step]:
    """The steps that a plan left.

    Raises:
        AirflowFailException: it left none, not even an empty list.
    """
    if (found := _left(context, task_id, _STEPS)) is None:
        raise AirflowFailException(f"{task_id} left no plan → clear it and let it run again")
    return [Step.model_validate(step) for step in found]


def _left(context: Context, task_id: str, key: str = "return_value") -> Any:
    """What an earlier task of the run left; None for nothing."""
    # One value: the triggerer cannot be asked for all of a task's (Airflow 3.3.2).
    found = context["ti"].xcom_pull(task_ids=task_id, key=key, map_indexes=-1)
    # What a trigger hands over is a text of JSON, in Airflow 3.3.2.
    return json.loads(found) if isinstance(found, str) else found
