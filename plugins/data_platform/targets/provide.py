"""Carry out a step about what a running server makes for others: the same on every target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_platform.targets import branches, grants, provision

if TYPE_CHECKING:
    from data_platform.stack.plan import Step
    from data_platform.targets.base import Target


def provide(target: Target, component: str, step: Step) -> None:
    """Make, change or revoke what the step names; the server runs."""
    if step.kind == "bucket":
        provision.create_bucket(target, component, step.name)
    elif step.kind == "branch":
        branches.create(target, step.name)
    elif step.verb == "revoke":
        grants.revoke(target, component, step.name)
    else:
        grants.make(target, component, step.name)
