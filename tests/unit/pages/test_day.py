"""The last day as a grid: one row a check, one column an hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from data_platform.pages.day import HOURS, Day, day_of
from data_platform.records.results import KeptResult

NOW = datetime(2026, 3, 2, 14, 37, tzinfo=UTC)
TRINO, MINIO = ("trino", "counts-rows"), ("minio", "stores-an-object")
DECLARED = [TRINO, MINIO]


def result(minutes_ago: float, status: str = "passed", check: tuple[str, str] = TRINO) -> KeptResult:
    return KeptResult(NOW - timedelta(minutes=minutes_ago), *check, status, 0.5, f"it {status}", "a1", "health")


def grid(*results: KeptResult) -> Day:
    return day_of(DECLARED, sorted(results, key=lambda r: r.at), NOW)


def statuses(day: Day, row: int = 0) -> dict[str, str]:
    """The columns of a row that have something, by hour."""
    return {f"{cell.hour:%H:%M}": cell.status for cell in day.rows[row].cells if cell.runs}


def test_there_is_a_row_for_each_declared_check_and_a_column_for_each_hour() -> None:
    day = grid()
    assert [(row.component, row.name) for row in day.rows] == DECLARED
    assert [f"{hour:%H}" for hour in day.hours] == [f"{hour % 24:02d}" for hour in range(15, 39)]
    assert day.hours[-1] == NOW.replace(minute=0)
    assert len(day.hours) == HOURS
    assert {len(row.cells) for row in day.rows} == {HOURS}


def test_a_result_lies_in_its_hour() -> None:
    assert statuses(grid(result(0), result(37), result(38), result(120))) == {
        "14:00": "passed",
        "13:00": "passed",
        "12:00": "passed",
    }


def test_one_failure_colours_its_hour() -> None:
    assert statuses(grid(result(5), result(6, "failed"), result(7))) == {"14:00": "failed"}


def test_a_cell_counts_its_runs_and_a_row_its_passes() -> None:
    day = grid(result(5), result(6, "failed"), result(70))
    assert [cell.runs for cell in day.rows[0].cells][-2:] == [1, 2]
    assert (day.rows[0].passed, day.rows[0].runs) == (2, 3)


def test_a_result_of_more_than_a_day_ago_is_in_no_column() -> None:
    assert statuses(grid(result(60 * 24 + 38))) == {}


def test_results_of_an_undeclared_check_are_left_out() -> None:
    day = grid(result(5, "failed", ("trino", "removed-long-ago")))
    assert len(day.rows) == 2
    assert all(cell.runs == 0 for row in day.rows for cell in row.cells)


def test_the_sentence_names_what_failed_last() -> None:
    day = grid(result(5, "failed"), result(65), result(5, check=MINIO))
    assert day.status == "failed"
    assert day.verdict == "1 of 2 checks failed when they last ran: trino: counts-rows"
    assert "docs/runbooks/something-is-red.md" in day.step


def test_a_failure_that_was_mended_is_no_longer_in_the_sentence() -> None:
    day = grid(result(65, "failed"), result(5), result(5, check=MINIO))
    assert (day.status, day.verdict, day.step) == ("passed", "All 2 checks passed when they last ran", "")


def test_a_check_that_is_silent_is_not_called_good() -> None:
    day = grid(result(5))
    assert day.status == "skipped"
    assert "1 of 2 checks have not run in the last 24 hours: minio: stores-an-object" in day.verdict
    assert day.step == "Run them now: python3 -m bootstrap run stack_health"
