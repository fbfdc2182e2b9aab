"""What a component's folder says of a check. The kinds: `data_platform.checks`."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from data_platform.stack.terms import CheckName, Key, Seconds, Strict


class CheckSpec(Strict):
    """Something a user would do, with a deadline. The kind names a module in `data_platform.checks`."""

    name: CheckName = Field(description="A sentence in kebab-case that is true when the check passes.")
    kind: Key = Field(description="Module in data_platform/checks.")
    within: Seconds = Field(60.0, description="Deadline in seconds, or a duration such as 2m.")
    params: dict[str, Any] = Field(default_factory=dict, alias="with", description="Arguments of the kind.")
