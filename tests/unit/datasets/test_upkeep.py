"""Which states of a table may go."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from data_platform.checks.base import Deadline, ToolResult
from data_platform.clients.nessie import Table
from data_platform.datasets import upkeep
from data_platform.datasets.upkeep import Look, Snapshot, boundary, keeps
from data_platform.stack.errors import PlatformError

#: States 1, 2, 3, … began on these days of January.
DAYS = (1, 5, 20)
HISTORY = [Snapshot(number, datetime(2026, 1, day, tzinfo=UTC)) for number, day in enumerate(DAYS, 1)]


def day(number: int) -> datetime:
    return datetime(2026, 1, number, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "oldest"),
    [(20, 20), (19, 5), (10, 5), (5, 5), (4, 1), (31, 20)],
)
def test_the_oldest_state_that_stays_is_the_one_that_readers_saw_then(since: int, oldest: int) -> None:
    assert boundary(HISTORY, day(since)) == day(oldest)
    assert boundary(reversed(HISTORY), day(since)) == day(oldest)


def test_a_table_younger_than_the_time_to_keep_loses_nothing() -> None:
    assert boundary(HISTORY[1:], day(3)) is None
    assert boundary([], day(3)) is None


@pytest.mark.parametrize(
    ("oldest", "snapshot", "left_alone"),
    [
        (day(5), 1, True),  # expires
        (day(5), 2, False),
        (day(5), 3, False),
        (day(5), 99, True),  # written on the branch: its files are orphans to main
        (None, 1, False),
        (None, 99, True),
        (day(5), -1, False),  # an empty table has no state to lose
    ],
)
def test_a_branch_that_needs_what_would_go_stands_against_it(
    oldest: datetime | None, snapshot: int, left_alone: bool
) -> None:
    others = {"audit_other": Table("s3://…/1.json", snapshot), "release-1": Table("s3://…/1.json", 3)}
    reason = keeps(HISTORY, oldest, others)
    assert bool(reason) is left_alone
    assert ("audit_other" in reason) is left_alone
    assert "release-1" not in reason


def test_without_branches_nothing_stands_against_it() -> None:
    assert keeps(HISTORY, day(5), {}) == ""


@pytest.mark.parametrize(
    ("oldest", "guarded", "reason", "expires"),
    [
        (day(5), True, "", True),
        (day(1), True, "", False),  # all states stay
        (None, True, "", False),
        (day(1), False, "", True),  # a job that was killed left the guard lifted
        (day(5), True, "left alone", False),
        (day(5), False, "left alone", False),
    ],
)
def test_spark_is_started_only_where_states_go_or_the_guard_is_to_be_put_back(
    oldest: datetime | None, guarded: bool, reason: str, expires: bool
) -> None:
    assert Look(HISTORY, oldest, guarded, reason).expires is expires


def test_the_job_is_told_each_table_and_the_state_that_stays() -> None:
    asked: list[list[str]] = []

    class Place:
        def run_tool(self, component: str, tool: str, arguments: list[str], seconds: float) -> ToolResult:
            assert (component, tool) == ("jobs", "submit")
            assert seconds > 0
            asked.append(arguments)
            return ToolResult(1, "line\nno such table") if len(asked) == 2 else ToolResult(0, "")

    place: Any = Place()
    upkeep._expire(place, {}, Deadline(5))
    assert asked == []
    upkeep._expire(place, {"raw.rates": day(5)}, Deadline(5))
    assert asked == [["spark_jobs/upkeep/expire.py", "--table", "raw.rates=2026-01-05T00:00:00+00:00"]]
    with pytest.raises(PlatformError, match=r"(?s)expire.py ended with 1:.*no such table"):
        upkeep._expire(place, {"raw.rates": day(5)}, Deadline(5))
