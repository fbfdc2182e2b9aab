"""One component, brought to its definition without Airflow."""

from __future__ import annotations

from rich.markup import escape

from bootstrap.lease import CommandLease
from bootstrap.progress import Progress
from data_platform import lifecycle
from data_platform.records import database, schema
from data_platform.targets.base import Target


def install(target: Target, component: str, progress: Progress, lease: CommandLease) -> None:
    """Bring one component to its definition and verify it, without Airflow.

    Args:
        target: where.
        component: its name.
        progress: says what is done.
        lease: taken before anything is changed.

    Raises:
        PlatformError: a step failed, or a check did.
    """
    progress.say(component, "observe")
    observation = lifecycle.observe(target, component)
    for step in observation.steps:
        progress.say(component, escape(str(step)))
    if observation.steps:
        lease.take()
        target.fetch(component, observation.steps)
        target.apply(component, [step for step in observation.steps if step.kind != "artifact"])
    # The database of results is there once its owner is.
    keep = component == target.stack.provider(database.OWNER)
    for change in schema.migrate(target) if keep else ():
        progress.say(component, change)
    progress.say(component, "wait")
    # Also when nothing is to be done and all is proven: a supervisor that was just started has just started it.
    target.wait(component)
    if observation.steps or not observation.proven:
        progress.say(component, "verify")
        lifecycle.require_passed(lifecycle.verify(target, component, "deploy", keep=keep))
    progress.done(component)
