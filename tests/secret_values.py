"""Finds generated secrets by their value, and says where they were declared to be."""

from __future__ import annotations

from collections.abc import Mapping

from data_platform.stack.bindings import prefix
from data_platform.stack.definition import Job, Process, Tool
from data_platform.stack.holders import Holder, claimed, holder, holders
from data_platform.stack.stack import Stack
from data_platform.targets.base import Target
from data_platform.targets.render import names

#: A piece of a secret is a secret too: some are cut to the length that a format wants.
PIECE = 16


def secrets_of(target: Target) -> dict[str, str]:
    """All generated secrets of all holders, by `holder.key`."""
    return {
        f"{name}.{key}": target.credentials(name)[key]
        for name, each in holders(target.stack).items()
        for key in each.generated
    }


def leaks(secrets: Mapping[str, str], text: str) -> list[str]:
    """Names of the secrets of which a piece is in the text."""
    return [
        name
        for name, value in secrets.items()
        if any(value[start : start + PIECE] in text for start in range(len(value) - PIECE + 1))
    ]


def named(spec: Process | Job | Tool) -> set[str]:
    """Variables of templates that the `environment:` of a process, job or tool names."""
    return {name for text in spec.environment.values() for name in names(text)}


def binding(each: Holder, key: str) -> str:
    """Name of the template variable that is a secret of a component."""
    claim = each.claim_of(key)
    return key.upper() if claim and not claim.of_holder else f"{prefix(each.name)}_{key.upper()}"


def told(stack: Stack, component: str, spec: Process | Job | Tool) -> set[str]:
    """Secrets that the environment of a process was declared to hold."""
    each = holder(stack, component)
    return {f"{component}.{key}" for key in each.generated if binding(each, key) in named(spec)}


def given(stack: Stack, component: str) -> set[str]:
    """Secrets that files of a component may hold: its own, and the keys of those whom it knows as users."""
    own = {f"{component}.{key}" for key in holder(stack, component).generated}
    users = claimed(stack, component, "s3_user")
    return own | {f"{each.holder}.{key}" for each in users for key in each.claim.generated}
