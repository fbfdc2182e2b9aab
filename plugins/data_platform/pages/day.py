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
    """One hour of one check; status is empty when it did not run."""

    hour: str
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
    """The grid with its columns and the sentence above it."""

    hours: list[str]
    rows: list[Row]
    verdict: str
    status: str


def day_of(declared: Sequence[tuple[str, str]], results: Sequence[KeptResult], now: datetime) -> Day:
    """Arrange a day's results.

    Args:
        declared: (component, check) pairs, in the order in which they are shown.
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
            cells.append(Cell(start.strftime("%H:%M"), worst, len(inside)))
        passed = sum(result.status == "passed" for result in mine)
        rows.append(Row(component, name, cells, mine[-1] if mine else None, passed, len(mine)))
    return Day([start.strftime("%H") for start in starts], rows, *_verdict(rows))


def _verdict(rows: Sequence[Row]) -> tuple[str, str]:
    failing = [row for row in rows if row.newest and row.newest.status == "failed"]
    silent = [row for row in rows if row.newest is None]
    if failing:
        names = ", ".join(f"{row.component}: {row.name}" for row in failing)
        return f"{len(failing)} of {len(rows)} checks failed when they last ran: {names}", "failed"
    if silent:
        names = ", ".join(f"{row.component}: {row.name}" for row in silent)
        return f"{len(silent)} of {len(rows)} checks have not run in the last 24 hours: {names}", "skipped"
    return f"All {len(rows)} checks passed when they last ran", "passed"
