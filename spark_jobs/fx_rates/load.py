"""Load ECB's euro foreign exchange reference rates into `lakehouse.raw.fx_rates`."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as f

from spark_jobs.loading.days import IN_WORDS, ISO, Rules, shown
from spark_jobs.loading.job import Dataset, run

_RATE = "decimal(18,8)"
_BELOW = 10_000_000


def problem(cell: Column) -> Column:
    """Why a cell is no rate; null for a good one."""
    # \A and \z: $ also matches before a carriage return at the end.
    number = cell.cast(_RATE)
    return (
        f.when(cell.rlike(r"\A[0-9]{1,10}([.][0-9]{1,8})?\z") & (number > 0) & (number < _BELOW), None)
        .when(cell.rlike(r"\A-"), f.concat(shown(cell), f.lit(" is negative")))
        .when(cell.rlike(r"\A0+([.]0*)?\z"), f.concat(shown(cell), f.lit(" is zero")))
        .when(cell.rlike(r"\A[0-9]+[.][0-9]{9,}\z"), f.concat(shown(cell), f.lit(" has more than 8 decimals")))
        .when(cell.rlike(r"\A[0-9]+([.][0-9]+)?\z"), f.concat(shown(cell), f.lit(f" is not below {_BELOW:,}")))
        .otherwise(f.concat(shown(cell), f.lit(" is no number")))
    )


FX_RATES = Dataset(
    name="fx_rates",
    comment="What one euro was worth in other currencies, by the ECB, a row a day and currency",
    day="rate_date",
    code="currency",
    value="rate",
    rules=Rules(
        code_pattern="[A-Z]{3}",
        code_called="currency code",
        value_type=_RATE,
        problem=problem,
        # The ECB writes days in words in its file of one day (eurofxref.zip), and as numbers in all others.
        day_forms=(ISO, IN_WORDS),
    ),
)


if __name__ == "__main__":
    run(FX_RATES)
