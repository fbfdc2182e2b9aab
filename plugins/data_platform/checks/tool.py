"""A tool of the component does its work."""

from __future__ import annotations

import re

from pydantic import Field

from data_platform.checks.base import CheckFailed, Deadline, KindParams, Platform

_SHOWN = 30
#: Colours of a terminal.
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class Params(KindParams):
    """Arguments of the kind."""

    component: str = Field(description="Component that has the tool; the check's own by default.")
    tool: str = Field(description="Name of the tool.")
    arguments: tuple[str, ...] = Field((), description="Arguments of the tool.")
    contains: str = Field(min_length=1, description="Text that its output must contain.")


def check(params: Params, platform: Platform, deadline: Deadline) -> str:
    """Run the tool to its end and look for the text; the evidence is the line that holds it."""
    what = " ".join((params.tool, *params.arguments))
    done = platform.run_tool(params.component, params.tool, params.arguments, deadline.remaining)
    lines = _COLOURS.sub("", done.output).strip().splitlines()
    last = "\n".join(lines[-_SHOWN:])
    if done.returncode != 0:
        raise CheckFailed(f"{what} ended with {done.returncode}:\n{last}")
    found = next((line.strip() for line in lines if params.contains in line), None)
    if found is None:
        raise CheckFailed(f"{what}: {params.contains!r} is not in its output:\n{last}")
    return f"{what}: {found}"
