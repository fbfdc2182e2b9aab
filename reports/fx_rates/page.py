"""The analysts' page of fx_rates: the CFA franc against other currencies, from the marts.

The same data gives the same bytes: nothing on the page comes from the clock.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from reports import french
from reports.fx_rates.currencies import MAJORS, NAMES

_MONTHS_SHOWN = 24
#: Volatility whose cell has the full colour.
_DEEPEST = 0.16


class Lake(Protocol):
    """What the page needs of Trino."""

    def records(self, sql: str) -> list[dict[str, Any]]:
        """Rows of a query, each by the names of its columns."""


class Row(NamedTuple):
    """A currency on the newest day: XOF for one unit, and what that was before."""

    code: str
    xof: Decimal
    day_before: Decimal | None
    month_before: Decimal | None
    year_before: Decimal | None

    @property
    def name(self) -> str:
        """Its name in French, or its code."""
        return NAMES.get(self.code, self.code)

    def change(self, before: Decimal | None) -> float | None:
        """Relative change since an earlier rate."""
        return None if before is None else float(self.xof / before - 1)


#: The rate of an earlier day is that of the last day with rates before it: there are none on holidays.
_LATEST = """
with newest as (select max(rate_date) as day from marts.fx_rates_daily),
days as (
  select
    (select max(rate_date) from marts.fx_rates_daily where rate_date < day) as day_before,
    (select max(rate_date) from marts.fx_rates_daily where rate_date <= date_add('month', -1, day)) as month_before,
    (select max(rate_date) from marts.fx_rates_daily where rate_date <= date_add('year', -1, day)) as year_before,
    day
  from newest)
select t.currency, n.day,
  max(t.xof_per_unit) filter (where t.rate_date = n.day) as xof,
  max(t.xof_per_unit) filter (where t.rate_date = n.day_before) as day_before,
  max(t.xof_per_unit) filter (where t.rate_date = n.month_before) as month_before,
  max(t.xof_per_unit) filter (where t.rate_date = n.year_before) as year_before
from marts.fx_rates_daily t cross join days n
where t.rate_date in (n.day, n.day_before, n.month_before, n.year_before) and t.currency <> 'XOF'
group by t.currency, n.day
having count_if(t.rate_date = n.day) > 0
order by t.currency
"""
#: A point a week is enough for 28 years on a screen.
_HISTORY = """
select currency, max(rate_date) as day, max_by(xof_per_unit, rate_date) as xof
from marts.fx_rates_daily where currency in ({majors})
group by currency, date_trunc('week', rate_date) order by currency, day
"""
_YEAR = """
select currency, rate_date as day, xof_per_unit as xof from marts.fx_rates_daily
where currency in ({majors})
  and rate_date >= date_add('year', -1, (select max(rate_date) from marts.fx_rates_daily))
order by currency, day
"""
_VOLATILITY = """
select currency, month, volatility_annualised as volatility from marts.fx_currency_monthly
where currency in ({majors}) and volatility_annualised is not null order by currency, month
"""
_LOADED = "select max(loaded_at) as loaded_at from raw.fx_rates_files"
_EXTENT = "select min(rate_date) as first_day, count(distinct rate_date) as days from marts.fx_rates_daily"
_QUARANTINED = """
select count(*) as rows, max(quarantined_at) as newest from raw.quarantine where dataset = 'fx_rates'
"""


def draw(lake: Lake) -> str:
    """The page as one HTML document.

    Args:
        lake: the published tables.

    Raises:
        LookupError: the marts are empty.
    """
    import jinja2

    from reports.fx_rates import charts

    majors = ", ".join(f"'{major.code}'" for major in MAJORS)
    found = lake.records(_LATEST)
    if not found:
        raise LookupError("marts.fx_rates_daily is empty: run pipelines_fx_rates until its task publish has ended")
    newest: date = found[0]["day"]
    rows = [Row(r["currency"], r["xof"], r["day_before"], r["month_before"], r["year_before"]) for r in found]
    history = _series(lake.records(_HISTORY.format(majors=majors)), "day", "xof")
    year = _series(lake.records(_YEAR.format(majors=majors)), "day", "xof")
    volatility = _series(lake.records(_VOLATILITY.format(majors=majors)), "month", "volatility")
    by_code = {row.code: row for row in rows}
    cards: list[dict[str, Any]] = [
        {
            "row": by_code[major.code],
            "units": major.units,
            "number": number,
            "curve": charts.curve(history[major.code], number, major.units),
            "volatility": charts.volatility(volatility.get(major.code, []), number),
        }
        for number, major in enumerate(MAJORS, 1)
        if major.code in by_code
    ]
    indexed = {card["row"].code: year[card["row"].code] for card in cards}
    months, grid = _grid(volatility, [card["row"].code for card in cards])
    loaded, extent, quarantined = (lake.records(sql)[0] for sql in (_LOADED, _EXTENT, _QUARANTINED))
    engine = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    engine.filters |= {"number": french.number, "percent": french.percent, "day": french.day, "month": french.month}
    return engine.get_template("page.html").render(
        newest=newest,
        cards=cards,
        rows=sorted(rows, key=lambda row: row.name.replace("É", "E")),
        wide=charts.indexed(indexed, wide=True),
        narrow=charts.indexed(indexed, wide=False),
        months=months,
        grid=grid,
        loaded=french.moment(_as_time(loaded["loaded_at"])) if loaded["loaded_at"] else "",
        extent=extent,
        quarantined=quarantined,
        quarantined_last=french.month(_as_time(quarantined["newest"])) if quarantined["newest"] else "",
    )


def _series(records: list[dict[str, Any]], day: str, value: str) -> dict[str, list[tuple[date, float]]]:
    found: dict[str, list[tuple[date, float]]] = defaultdict(list)
    for record in records:
        found[record["currency"]].append((record[day], float(record[value])))
    return found


def _grid(
    volatility: dict[str, list[tuple[date, float]]], codes: list[str]
) -> tuple[list[date], list[tuple[str, list[tuple[float, int] | None]]]]:
    """The last months' volatility: months, and for each currency (value, depth of its colour in per cent)."""
    months = sorted({month for code in codes for month, _ in volatility.get(code, [])})[-_MONTHS_SHOWN:]
    rows = []
    for code in codes:
        values = dict(volatility.get(code, []))
        rows.append(
            (code, [(values[m], min(100, round(values[m] / _DEEPEST * 100))) if m in values else None for m in months])
        )
    return months, rows


def _as_time(value: datetime | str) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
