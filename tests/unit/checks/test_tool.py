"""The check kind `tool`."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from data_platform.checks import tool
from data_platform.checks.base import CheckFailed, Deadline, ToolResult
from tests.unit.checks.fake_lake import FakePlatform

PARAMS = tool.Params(component="dbt", tool="dbt", arguments=("debug",), contains="All checks passed!")


class Place(FakePlatform):
    """Answers for one tool."""

    def __init__(self, returncode: int, output: str) -> None:
        super().__init__()
        self.result = ToolResult(returncode, output)

    def run_tool(self, component: str, tool: str, arguments: Sequence[str], seconds: float) -> ToolResult:
        assert (component, tool, list(arguments)) == ("dbt", "dbt", ["debug"])
        assert seconds > 0
        return self.result


def test_the_evidence_is_the_line_without_its_colours() -> None:
    place = Place(0, "connecting\n12:00:00  \x1b[32mAll checks passed!\x1b[0m\n")
    assert tool.check(PARAMS, place, Deadline(5)) == "dbt debug: 12:00:00  All checks passed!"


def test_a_tool_that_ends_well_and_does_not_say_so_fails() -> None:
    with pytest.raises(CheckFailed, match=r"(?s)'All checks passed!' is not in its output:\nskipped$"):
        tool.check(PARAMS, Place(0, "skipped\n"), Deadline(5))


def test_a_tool_that_fails_fails_with_its_last_lines() -> None:
    output = "All checks passed!\n" + "\n".join(f"line {n}" for n in range(100))
    with pytest.raises(CheckFailed, match=r"(?s)dbt debug ended with 1:\nline 70\n.*line 99$"):
        tool.check(PARAMS, Place(1, output), Deadline(5))
