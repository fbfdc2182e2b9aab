"""Finds generated secrets in what should not hold them."""

from __future__ import annotations

from collections.abc import Mapping

import jinja2
from jinja2 import meta

from data_platform.stack.holders import holders
from data_platform.stack.model import Job, Process, Tool
from data_platform.targets.base import Target

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
    parse = jinja2.Environment().parse
    return {name for text in spec.environment.values() for name in meta.find_undeclared_variables(parse(text))}
