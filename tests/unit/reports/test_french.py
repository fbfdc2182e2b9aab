"""Numbers and dates as French readers write them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import pytest

from reports import french

THIN, MINUS = "\u202f", "\u2212"


@pytest.mark.parametrize(
    ("value", "decimals", "expected"),
    [
        (Decimal("1234567.891"), 2, f"1{THIN}234{THIN}567,89"),
        (655.957, 3, "655,957"),
        (-0.5, 1, f"{MINUS}0,5"),
        (-0.04, 1, "0,0"),
        (7126, 0, f"7{THIN}126"),
    ],
)
def test_numbers(value: Decimal | float, decimals: int, expected: str) -> None:
    assert french.number(value, decimals) == expected


def test_signs_are_written_where_asked_for_and_zero_has_none() -> None:
    assert french.number(0.25, 2, signed=True) == "+0,25"
    assert french.number(0.001, 2, signed=True) == "0,00"
    assert french.percent(-0.0123, signed=True) == f"{MINUS}1,2{THIN}%"
    assert french.percent(None) == "\N{EN DASH}"


def test_dates() -> None:
    assert french.day(date(2026, 10, 30)) == "30 octobre 2026"
    assert french.day(date(2026, 8, 1)) == "1er août 2026"
    assert french.month(date(2026, 2, 1)) == "févr. 2026"
    assert french.moment(datetime(2026, 11, 23, 6, 5)) == "23 nov. 2026 à 06 h 05 UTC"  # noqa: DTZ001 - as Trino gives
