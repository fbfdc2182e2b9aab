"""What a file's first line may be; the cases of content are in tests/integration/spark_jobs."""

from __future__ import annotations

import pytest

from spark_jobs.loading.header import Columns, Refusal, read_header


def header(line: str) -> Columns | Refusal:
    """Read a header of three-letter codes."""
    return read_header(line, "[A-Z]{3}", "currency code")


def test_codes_come_with_their_positions_sorted_by_code() -> None:
    assert header("Date,USD,JPY") == Columns(3, [("JPY", 3), ("USD", 2)])


@pytest.mark.parametrize("line", ["\ufeffDate,USD", "Date,USD\r", "\ufeffDate,USD\r"])
def test_mark_and_carriage_return_are_no_part_of_it(line: str) -> None:
    assert header(line) == Columns(2, [("USD", 2)])


def test_a_last_comma_is_a_cell_without_a_name() -> None:
    assert header("Date,USD,") == Columns(3, [("USD", 2)])


@pytest.mark.parametrize("line", ["Date, USD, JPY, ", "Date , USD\t,\u00a0JPY,", "\ufeff Date,USD,JPY,\t\r"])
def test_blanks_beside_a_comma_say_nothing(line: str) -> None:
    """So the European Central Bank writes its file of one day."""
    assert header(line) == Columns(4, [("JPY", 3), ("USD", 2)])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "the first column is '', expected 'Date'"),
        ("date,USD", "the first column is 'date', expected 'Date'"),
        ("Da te,USD", "the first column is 'Da te', expected 'Date'"),
        (
            "Date;USD",
            "the first column is 'Date;USD', expected 'Date': columns are separated by semicolons, expected commas",
        ),
        ("Date", "no column beside 'Date'"),
        ("Date,", "no column beside 'Date'"),
        ("Date,,", "column '' is no currency code"),
        ("Date,USD, J PY", "column 'J PY' is no currency code"),
        ("Date, , USD", "column '' is no currency code"),
        ("Date, USD, USD", "column USD is there twice"),
        ("Date,US1", "column 'US1' is no currency code"),
        ("Date,USD\nX", "column 'USD\\nX' is no currency code"),
        ("Date,JPY,USD,JPY,USD", "column JPY, USD is there twice"),
        ("Date," + "x" * 50, f"column '{'x' * 40}…' is no currency code"),
    ],
)
def test_a_refusal_names_the_column(line: str, reason: str) -> None:
    assert header(line) == Refusal(1, reason, line)
