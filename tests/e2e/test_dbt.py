"""dbt on the real platform: the marts are what the rates say, and writing only what changed ends with the same rows."""

from __future__ import annotations

import itertools
import json
import math
import os
import statistics
from collections.abc import Iterator
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest

from data_platform.checks.base import Deadline, ToolResult
from data_platform.clients import s3
from data_platform.clients.trino import Trino
from data_platform.datasets import audit
from data_platform.datasets.dbt_docs import PROJECT, build_docs
from tests.lake import lab
from tests.running import Running

pytestmark = pytest.mark.timeout(900)

SELECT = ["--select", "path:models/staging/fx_rates", "path:models/marts/fx_rates"]
COLUMNS = {
    "staging.stg_fx_rates": "rate_date, currency, rate, source_file, ingested_at",
    "marts.fx_rates_daily": "rate_date, currency, rate, xof_per_unit, origin",
    "marts.fx_currency_monthly": (
        "currency, month, first_rate, last_rate, min_rate, max_rate, mean_rate, days, volatility, volatility_annualised"
    ),
}
RATES = {
    (date(2020, 1, 30), "USD"): Decimal("1.1"),
    (date(2020, 1, 31), "USD"): Decimal("1.2"),
    (date(2020, 2, 3), "USD"): Decimal("1.15"),
    (date(2020, 2, 4), "USD"): Decimal("1.17"),
    (date(2020, 2, 5), "USD"): Decimal("1.11"),
    (date(2020, 1, 31), "JPY"): Decimal("119.95"),
    (date(2020, 2, 4), "JPY"): Decimal("120.60"),
}


class Dbt:
    """dbt in the catalog of the branch."""

    def __init__(self, platform: Running, trino: Trino) -> None:
        self.platform = platform
        self.trino = trino

    def __call__(self, *words: str, writes: tuple[Path, ...] = ()) -> ToolResult:
        return self.platform.target.run_tool("dbt", "dbt", [*words], 300, writes)

    def build(self, *words: str) -> str:
        done = self("build", "--exclude-resource-type", "unit_test", *SELECT, *words)
        assert done.returncode == 0, done.output
        return done.output

    def content(self) -> dict[str, Any]:
        """Number of rows and a checksum of each table."""
        return {
            table: self.trino.rows(f"select count(*), to_hex(checksum(row({columns}))) from {table}")[0]
            for table, columns in COLUMNS.items()
        }

    def snapshots(self) -> dict[str, Any]:
        return {
            table: self.trino.value(f'select max_by(snapshot_id, committed_at) from {schema}."{name}$snapshots"')
            for table in COLUMNS
            for schema, name in [table.split(".")]
        }


@pytest.fixture(scope="module")
def dbt(platform: Running) -> Iterator[Dbt]:
    """A branch with the rates above, and dbt that works in it."""
    target, deadline = platform.target, Deadline(300)
    with pytest.MonkeyPatch.context() as patch:
        # With raw rates of its own.
        dataset = lab(platform)
        catalog = audit.branch_of(dataset)
        audit.open_audit(target, dataset, deadline)
        patch.setenv("DBT_CATALOG", catalog)
        with Trino(target.address("trino", "http").url, 300, catalog) as trino:
            # Never `drop table` in a branch: that removes files that main may still use.
            trino.rows(
                "create or replace table raw.fx_rates (rate_date date, currency varchar, rate decimal(18,8),"
                " source_file varchar, ingested_at timestamp(6) with time zone)"
            )
            insert(trino, RATES)
            found = Dbt(platform, trino)
            found.build("--full-refresh")
            yield found
        audit.discard(target, dataset, deadline)


def insert(trino: Trino, rates: dict[tuple[date, str], Decimal], source: str = "a.csv") -> None:
    rows = ", ".join(
        f"(date '{day}', '{currency}', cast({rate} as decimal(18,8)), '{source}', timestamp '2020-02-05 16:00:00 UTC')"
        for (day, currency), rate in rates.items()
    )
    trino.rows(f"insert into raw.fx_rates values {rows}")


def rounded(value: float) -> float:
    return round(value, 12)


def test_unit_tests_of_the_models_pass(dbt: Dbt) -> None:
    done = dbt("test", "--select", "test_type:unit")
    assert done.returncode == 0, done.output
    assert "PASS=5 " in done.output


def test_daily_rates_are_as_computed_apart(dbt: Dbt) -> None:
    peg, last = Decimal("655.957"), Decimal("1e-12")
    wanted = {key: (rate, (peg / rate).quantize(last, ROUND_HALF_UP), "published") for key, rate in RATES.items()}
    for day in {day for day, _ in RATES}:
        wanted[day, "EUR"] = (Decimal(1), peg, "fixed")
        wanted[day, "XOF"] = (peg, Decimal(1), "fixed")
    rows = dbt.trino.rows("select rate_date, currency, rate, xof_per_unit, origin from marts.fx_rates_daily")
    assert len(rows) == len(wanted) == 17
    assert {(day, currency): tuple(rest) for day, currency, *rest in rows} == wanted


def test_the_month_is_as_computed_apart(dbt: Dbt) -> None:
    rates = [1.2, 1.15, 1.17, 1.11]  # the first return of February begins in January
    returns = [math.log(now / before) for before, now in itertools.pairwise(rates)]
    found = dbt.trino.rows(
        "select first_rate, last_rate, min_rate, max_rate, mean_rate, days, volatility, volatility_annualised"
        " from marts.fx_currency_monthly where currency = 'USD' and month = date '2020-02-01'"
    )
    exact = [Decimal(text) for text in ("1.15", "1.11", "1.11", "1.17", "1.14333333")]
    volatility = statistics.stdev(returns)
    assert found == [[*exact, 3, rounded(volatility), rounded(volatility * math.sqrt(252))]]


def test_building_again_writes_nothing(dbt: Dbt) -> None:
    before = dbt.snapshots()
    assert all(before.values())
    assert dbt.build().count("NOTHING CHANGED") == len(COLUMNS)
    assert dbt.snapshots() == before


@pytest.mark.deep
def test_what_changed_is_written_and_ends_as_a_full_refresh_does(dbt: Dbt) -> None:
    before = dbt.content()
    for statement in (
        # A rate is corrected, by a file that is older than all others.
        """update raw.fx_rates
        set rate = 1.16, source_file = 'b.csv', ingested_at = timestamp '2019-01-01 00:00:00 UTC'
        where rate_date = date '2020-02-04' and currency = 'USD'""",
        # A currency is gone, and a day is gone.
        "delete from raw.fx_rates where rate_date = date '2020-01-31' and currency = 'JPY'",
        "delete from raw.fx_rates where rate_date = date '2020-02-05'",
        # A day is new.
        "insert into raw.fx_rates values (date '2020-03-02', 'USD', 1.3, 'c.csv', timestamp '2020-03-02 16:00:00 UTC')",
    ):
        dbt.trino.rows(statement)
    said = dbt("run", *SELECT).output
    assert "changed: 2020-01-31, 2020-02-04, 2020-02-05, 2020-03-02" in said
    written = dbt.content()
    assert all(written[table] != before[table] for table in COLUMNS)
    assert dbt("run", "--full-refresh", *SELECT).returncode == 0
    assert dbt.content() == written


def test_a_rate_that_cannot_be_fails_the_build_by_the_name_of_the_test(dbt: Dbt) -> None:
    insert(dbt.trino, {(date(2020, 3, 3), "USD"): Decimal(0)})
    done = dbt("build", "--exclude-resource-type", "unit_test", *SELECT)
    dbt.trino.rows("delete from raw.fx_rates where rate_date = date '2020-03-03'")
    assert done.returncode == 1
    assert "Failure in test in_range_stg_fx_rates" in done.output
    assert "SKIP relation marts.fx_rates_daily" in done.output


def test_columns_refuse_nothing_in_the_place_of_a_value(dbt: Dbt) -> None:
    for table in ("staging.stg_fx_rates", "marts.fx_rates_daily"):
        definition = dbt.trino.value(f"show create table {table}")
        assert "rate decimal(18, 8) NOT NULL COMMENT 'Units of the currency for one euro" in definition


def test_the_slim_manifest_is_what_dbt_reads(dbt: Dbt, tmp_path: Path) -> None:
    from dbt_project.slim_manifest import SLIM, digest, slim

    done = dbt("parse", "--no-partial-parse", "--target-path", str(tmp_path), writes=(tmp_path,))
    assert done.returncode == 0, done.output
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    assert json.loads(SLIM.read_text(encoding="utf-8")) == slim(manifest, digest(PROJECT))


@pytest.mark.deep
def test_documentation_is_published_with_the_names_that_readers_use(dbt: Dbt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DBT_CATALOG")
    target = dbt.platform.target
    keys = target.credentials("s3")
    store = s3.client(target.address("s3", "http").url, keys["access_key"], keys["secret_key"])
    page = build_docs(target, "fx_rates", 300)
    assert page == "fx_rates/dbt/index.html"
    assert b"fx_rates_daily" in (s3.read(store, "reports", page) or b"")
    manifest = json.loads(s3.read(store, "reports", "fx_rates/dbt/manifest.json") or b"{}")
    assert manifest["nodes"]["model.data_platform.fx_rates_daily"]["relation_name"] == (
        '"lakehouse"."marts"."fx_rates_daily"'
    )


def test_the_executable_of_the_project_is_dbt_wherever_it_is_called(dbt: Dbt) -> None:
    import subprocess
    import sys

    environment = {
        **os.environ,
        "PLATFORM_PYTHON": sys.executable,
        "PYTHONPATH": str(PROJECT.parent / "plugins"),
        "DATA_PLATFORM_STATE": str(dbt.platform.folder),
    }
    command = [str(PROJECT / "bin" / "dbt"), "--version"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "installed: 1.11" in done.stdout
