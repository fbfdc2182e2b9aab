"""A Spark job writes a table by MERGE and Trino reads it."""

# ruff: noqa: S608 - the only name in these statements is made by scratch_table()

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from pydantic import Field

from data_platform.checks.base import CheckFailed, Deadline, KindParams, Platform
from data_platform.checks.scratch import SCHEMA, drop_left_over_tables, object_store, scratch_table
from data_platform.clients import connect
from data_platform.stack.capabilities import JOBS

_JOB = "spark_jobs/platform_check/write_table.py"
_FIRST_DAY = date(2024, 1, 1)
_SHOWN = 30


class Params(KindParams):
    """Arguments of the kind."""

    rows: int = Field(default=1000, ge=1, le=1_000_000, description="Rows that the job writes.")


class Sums(NamedTuple):
    """What the table comes to: each value changes when a row is lost, doubled or changed."""

    rows: int
    amount: Decimal
    weighted_amount: Decimal
    first_day: date
    last_day: date


def expected(rows: int) -> Sums:
    """The sums by the rule in the job's docstring, computed without Spark."""
    table = [(i, Decimal(i * 7919 % 1000003) / 100, _FIRST_DAY + timedelta(days=i % 366)) for i in range(rows)]
    days = [day for _, _, day in table]
    amount = sum((amount for _, amount, _ in table), Decimal(0))
    # Weighted by id and day, so that two rows that exchange their amounts or days show.
    weighted = sum((amount * (i + (day - _FIRST_DAY).days) for i, amount, day in table), Decimal(0))
    return Sums(rows, amount, weighted, min(days), max(days))


def check(params: Params, platform: Platform, deadline: Deadline) -> str:
    """Run the job, compare what Trino reads with an independent computation, and drop the table."""
    store = object_store(platform, deadline)
    with connect.trino(platform, deadline.remaining) as trino:
        with scratch_table(trino, store) as name:
            table = f"{SCHEMA}.{name}"
            arguments = [_JOB, "--table", table, "--rows", str(params.rows)]
            job = platform.run_tool(JOBS, "submit", arguments, deadline.remaining)
            if job.returncode != 0:
                last = "\n".join(job.output.strip().splitlines()[-_SHOWN:])
                raise CheckFailed(f"{_JOB} ended with {job.returncode}:\n{last}")
            (sums,) = trino.rows(
                "select count(*), sum(amount), sum(amount * (id + date_diff('day', "
                f"date '{_FIRST_DAY}', day))), min(day), max(day) from {table}"
            )
        drop_left_over_tables(trino, store)
    found = Sums(*sums)
    if found != (wanted := expected(params.rows)):
        raise CheckFailed(f"{table}: expected {wanted}, Trino reads {found}")
    return f"{table}: Trino reads {found.rows} rows that Spark merged, sum of amount {found.amount}, as computed apart"
