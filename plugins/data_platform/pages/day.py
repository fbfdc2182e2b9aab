"""The last day of checks as a grid: one row a check, one column an hour."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from data_platform.records.results import KeptResult

HOURS = 24
#: Worst first: one failure colours its hour.
_ORDER = ("failed", "passed")


class Cell(NamedTuple):
    """One hour of one check, by its begin; status is empty when it did not run."""

    hour: datetime
    status: str
    runs: int


class Row(NamedTuple):
    """One check."""

    component: str
    name: str
    cells: list[Cell]
    newest: KeptResult | None

    passed: int
    runs: int


class Day(NamedTuple):
    """The grid: its columns, its rows, the sentence above it, and what to do next."""

    hours: list[datetime]
    rows: list[Row]
    verdict: str
    status: str
    step: str = ""


def day_of(declared: Sequence[tuple[str, str]], results: Sequence[KeptResult], now: datetime) -> Day:
    """Arrange a day's results.

    Args:
        declared: component and check, in the order in which they are shown.
        results: oldest first.
        now: end of the last column's hour.
    """
    last = now.replace(minute=0, second=0, microsecond=0)
    starts = [last - timedelta(hours=HOURS - 1 - i) for i in range(HOURS)]
    rows = []
    for component, name in declared:
        mine = [r for r in results if (r.component, r.name) == (component, name)]
        cells = []
        for start in starts:
            inside = [r.status for r in mine if start <= r.at < start + timedelta(hours=1)]
            worst = next((status for status in _ORDER if status in inside), "")
            cells.append(Cell(start, worst, len(inside)))
        passed = sum(result.status == "passed" for result in mine)
        rows.append(Row(component, name, cells, mine[-1] if mine else None, passed, len(mine)))
    return Day(starts, rows, *_verdict(rows))


def _verdict(rows: Sequence[Row]) -> tuple[str, str, str]:
    """Sentence, status and next step."""
    failing = [row for row in rows if row.newest and row.newest.status == "failed"]
    silent = [row for row in rows if row.newest is None]
    if failing:
        names = ", ".join(f"{row.component}: {row.name}" for row in failing)
        step = "What they found is below; what to do about it: docs/runbooks/something-is-red.md"
        return f"{len(failing)} of {len(rows)} checks failed when they last ran: {names}", "failed", step
    if silent:
        names = ", ".join(f"{row.component}: {row.name}" for row in silent)
        step = "Run them now: python3 -m bootstrap run stack_health"
        return f"{len(silent)} of {len(rows)} checks have not run in the last 24 hours: {names}", "skipped", step
    return f"All {len(rows)} checks passed when they last ran", "passed", ""
