"""What the tasks of the platform do that need no pod: prepare the place, look at a component, decide what must be done,
wait for it, check it.
"""

from __future__ import annotations

import json
import logging
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from data_platform import lifecycle
from data_platform.checks.base import CheckResult
from data_platform.operators.lease import held, skip_while_held
from data_platform.operators.triggerer import Branch
from data_platform.records import schema
from data_platform.stack.errors import PlatformError
from data_platform.stack.plan import Resource, Seen, Step, plan
from data_platform.targets.base import Target

if TYPE_CHECKING:
    from airflow.sdk import Context

#: Run parameter: components to deploy with all that they need; empty for all.
SELECTION = "components"
#: What the lease is held for.
PURPOSE = "deploy"
#: Key under which a plan leaves its steps.
_STEPS = "steps"
_LOG = logging.getLogger(__name__)


def prepare(target: Target, context: Context) -> list[str]:
    """Take the platform's lease for the run, and make what all components stand on; returns what was changed.

    Raises:
        AirflowFailException: somebody else has the lease.
    """
    # Here, because a platform that was installed by hand knows no other place.
    changed = schema.migrate(target)
    with held(target, context, PURPOSE):
        changed += target.prepare()
    for change in changed:
        _LOG.info("%s", change)
    return changed


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
    with held(target, context, PURPOSE):
        target.wait(component)


def verify(target: Target, context: Context, component: str, *, reason: str, only_deployed: bool) -> list[str]:
    """Run all checks of a component and keep the results; returns one line a check.

    Args:
        target: where.
        context: of the task.
        component: its name.
        reason: deploy or health; kept with the results.
        only_deployed: see `CheckComponentOperator`.

    Raises:
        AirflowSkipException: it was never deployed, or somebody began to change the platform.
        AirflowFailException: a check failed, or somebody else is changing the platform.
    """
    # A stopped server is deployed and broken; an absent one was never deployed.
    if only_deployed and target.condition(component) == "absent":
        raise AirflowSkipException(f"{component} is not deployed yet")
    with nullcontext() if only_deployed else held(target, context, PURPOSE):
        results = lifecycle.verify(target, component, reason)
    lines = [_line(result) for result in results]
    for line in lines:
        _LOG.info("%s", line)
    try:
        lifecycle.require_passed(results)
    except PlatformError as error:
        if only_deployed:  # a deploy may have begun in the middle of the checks
            skip_while_held(target)
        raise AirflowFailException(str(error)) from None
    return lines


def _line(result: CheckResult) -> str:
    return f"{result.status}: {result.name} ({result.seconds:.2f} s): {result.evidence}"


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
