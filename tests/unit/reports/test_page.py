"""What the page of fx_rates says about rates; how it looks is tested where matplotlib is."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from reports.fx_rates.currencies import MAJORS, NAMES
from reports.fx_rates.page import Row, _grid


def test_a_change_is_relative_to_the_earlier_rate() -> None:
    row = Row("USD", Decimal(600), Decimal(500), None, Decimal(750))
    assert row.change(row.day_before) == 0.2
    assert row.change(row.month_before) is None
    assert row.change(row.year_before) == -0.2


def test_a_currency_without_a_name_is_shown_by_its_code() -> None:
    assert Row("USD", Decimal(1), None, None, None).name == "Dollar américain"
    assert Row("XYZ", Decimal(1), None, None, None).name == "XYZ"


def test_majors_have_names_and_colours() -> None:
    assert {"USD", "GBP", "JPY", "CHF", "CNY"} == {major.code for major in MAJORS} <= set(NAMES)
    assert len(MAJORS) <= 6, "the style sheet has six colours"


def test_the_grid_has_the_last_two_years_and_a_hole_where_there_was_no_rate() -> None:
    months = [date(2020 + i // 12, i % 12 + 1, 1) for i in range(30)]
    shown, rows = _grid({"USD": [(m, 0.08) for m in months], "CNY": [(months[-1], 0.5)]}, ["USD", "CNY"])
    assert shown == months[-24:]
    assert rows[0] == ("USD", [(0.08, 50)] * 24)
    assert rows[1] == ("CNY", [None] * 23 + [(0.5, 100)])
