"""The first pipeline on the real platform: exact, repeatable, and nothing is lost on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from decimal import Decimal
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from data_platform.checks.base import Deadline
from data_platform.clients.trino import Trino
from tests.e2e import ecb
from tests.holding import rest
from tests.running import Running

pytestmark = pytest.mark.timeout(3600)

DAG = "pipelines_fx_rates"
#: The ECB publishes on no Saturday: days of the tests' own, which no file of the ECB ever replaces.
SATURDAY, NEXT = date(2001, 3, 3), date(2001, 3, 10)
GOOD, TYPED = date(2001, 4, 14), date(1926, 3, 3)


class NotYetError(Exception):
    """It has not happened yet."""


@pytest.fixture(scope="module")
def trino(platform: Running) -> Iterator[Trino]:
    # On a cluster the address is a forwarded port, which lasts as long as the target is open.
    with closing(platform.target) as target, Trino(target.address("trino", "http").url, 120, "lakehouse") as client:
        yield client


@pytest.fixture(scope="module")
def history() -> ecb.Rates:
    return ecb.rates(ecb.member(ecb.history()).decode())


def feed(platform: Running, folder: Path, name: str, content: str | bytes) -> None:
    """Put a file into the landing folder by the command that users have, and run the pipeline."""
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    platform.bootstrap("ingest", "fx_rates", str(file))


def run(platform: Running, check: bool = True, conf: str = "{}") -> str:
    return platform.bootstrap("run", DAG, "--conf", conf, check=check).stdout


def failed_with(platform: Running, folder: Path, files: dict[str, str]) -> str:
    """What runs say that failed after these files came: each file begins one by itself, and any of them may take it."""
    with platform.airflow() as airflow:
        rest(airflow, DAG)
        before = {run["dag_run_id"] for run in airflow.runs(DAG)}
        for name, content in files.items():
            feed(platform, folder, name, content)
        run(platform, check=False)
        rest(airflow, DAG)
        since = [each for each in airflow.runs(DAG) if each["dag_run_id"] not in before]
        red = [each["dag_run_id"] for each in since if each["state"] == "failed"]
        lines = [
            line
            for each in red
            for task in airflow.tasks(DAG, each)
            if task["state"] == "failed"
            for line in airflow.log(DAG, each, task["task_id"], task["try_number"])
        ]
    return "\n".join(lines)


def rates_of(trino: Trino, day: date) -> dict[str, Decimal]:
    rows = trino.rows(f"select currency, rate from raw.fx_rates where rate_date = date '{day}'")
    return {currency: Decimal(rate) for currency, rate in rows}


def refused(trino: Trino, name: str) -> list[list[Any]]:
    return trino.rows(
        "select row_number, reason, content from raw.quarantine"
        f" where dataset = 'fx_rates' and source_file = '{name}' order by row_number"
    )


def snapshots(trino: Trino) -> list[list[Any]]:
    tables = ("raw.fx_rates", "staging.stg_fx_rates", "marts.fx_rates_daily", "marts.fx_currency_monthly")
    # The newest one: numbers of snapshots are random.
    return [
        trino.rows(f'select snapshot_id from {schema}."{table}$snapshots" order by committed_at desc limit 1')
        for schema, table in (name.split(".") for name in tables)
    ]


def test_up_ends_with_the_raw_table_equal_to_the_file(trino: Trino, history: ecb.Rates) -> None:
    rows = trino.rows("select rate_date, currency, rate from raw.fx_rates where day_of_week(rate_date) < 6")
    found = {(day, currency): Decimal(rate) for day, currency, rate in rows}
    assert len(history) > 200_000
    assert len(rows) == len(found)
    assert found == history


def test_the_daily_mart_has_the_cross_rate_of_every_day(trino: Trino, history: ecb.Rates) -> None:
    rows = trino.rows(
        "select rate_date, currency, rate, xof_per_unit from marts.fx_rates_daily"
        " where day_of_week(rate_date) < 6 and origin = 'published'"
    )
    found = {(day, currency): (Decimal(rate), Decimal(xof)) for day, currency, rate, xof in rows}
    assert len(rows) == len(found)
    assert found == {key: (rate, ecb.xof_per_unit(rate)) for key, rate in history.items()}


def test_every_day_has_the_euro_and_the_franc_that_the_list_leaves_out(trino: Trino, history: ecb.Rates) -> None:
    days = len({day for day, _ in history})
    rows = trino.rows(
        "select currency, count(*), min(rate), max(rate), min(xof_per_unit), max(xof_per_unit)"
        " from marts.fx_rates_daily where day_of_week(rate_date) < 6 and origin = 'fixed' group by currency order by 1"
    )
    found = [[currency, number, *map(Decimal, values)] for currency, number, *values in rows]
    assert found == [["EUR", days, 1, 1, ecb.PEG, ecb.PEG], ["XOF", days, ecb.PEG, ecb.PEG, 1, 1]]


def test_the_monthly_mart_is_what_the_days_say(trino: Trino, history: ecb.Rates) -> None:
    rows = trino.rows(
        "select currency, month, first_rate, last_rate, min_rate, max_rate, mean_rate, volatility, days"
        " from marts.fx_currency_monthly where currency not in ('EUR', 'XOF')"
    )
    found = {(row[0], row[1]): row[2:] for row in rows}
    months: dict[tuple[str, date], list[Decimal]] = {}
    for currency, series in ecb.by_currency(history).items():
        for day, rate in series:
            months.setdefault((currency, day.replace(day=1)), []).append(rate)
    deviations = ecb.volatility(history)
    # Months into which tests and drills put days of their own.
    own = {key for key in months if key[1].year in (2001, 2002) and key[0] in ("USD", "JPY")}
    assert set(found) - own == set(months) - own
    for key, values in months.items():
        if key in own:
            continue
        first, last, low, high, mean, deviation, days = found[key]
        exact = [Decimal(value) for value in (first, last, low, high)]
        assert exact == [values[0], values[-1], min(values), max(values)], key
        assert days == len(values), key
        assert float(mean) == pytest.approx(float(sum(values) / len(values)), rel=1e-7), key
        assert deviation == (None if deviations[key] is None else pytest.approx(deviations[key], rel=1e-6)), key


def test_the_same_content_again_changes_nothing(platform: Running, trino: Trino, tmp_path: Path) -> None:
    before = snapshots(trino)
    feed(platform, tmp_path, "the same under another name.csv", ecb.member(ecb.history()))
    feed(platform, tmp_path, "the same.zip", ecb.history())
    assert "publish" not in run(platform)
    assert snapshots(trino) == before


def test_good_rows_load_and_what_is_refused_is_in_one_table_with_file_row_and_reason(
    platform: Running, trino: Trino, tmp_path: Path
) -> None:
    lines = [
        "Date,USD,JPY",
        "2001-03-17,0.95,112",
        "2001-03-24,-1,113",
        "2001-03-31,0.96,abc",
        "2999-01-01,1,1",
        "",
    ]
    feed(platform, tmp_path, "samedi.csv", f"Date,USD,JPY\n{SATURDAY},0.93,110\n{NEXT},0.94,111\n")
    feed(platform, tmp_path, "mixed rows.csv", "\r\n".join(lines))
    feed(platform, tmp_path, "vidé.csv", b"")
    run(platform)

    assert rates_of(trino, SATURDAY) == {"USD": Decimal("0.93"), "JPY": Decimal(110)}
    rows = refused(trino, "mixed rows.csv")
    assert [row[0] for row in rows] == [3, 4, 5]
    assert all(reason for _, reason, _ in rows)
    assert "-1" in rows[0][2]
    assert rates_of(trino, date(2001, 3, 17)) == {"USD": Decimal("0.95"), "JPY": Decimal(112)}
    assert [rates_of(trino, date(2001, 3, day)) for day in (24, 31)] == [{}, {}]
    # Refused by the flow, as a whole; once, however often the pipeline runs.
    assert [row[0] for row in refused(trino, "vidé.csv")] == [0]
    run(platform)
    assert len(refused(trino, "vidé.csv")) == 1


@pytest.mark.deep
def test_readers_never_see_a_failed_audit_and_corrected_files_go_on_without_anybody_asking(
    platform: Running, trino: Trino, history: ecb.Rates, tmp_path: Path
) -> None:
    before = snapshots(trino)
    day = date(2001, 4, 7)
    # A good file comes with it, and is published all the same; the run that set the other one aside is red at its end.
    files = {"faute de frappe.csv": f"Date,USD\n{day},95.0\n", "bon jour.csv": f"Date,USD\n{GOOD},0.96\n"}
    output = failed_with(platform, tmp_path, files)
    assert "1 of the run's files were set aside; the others are published" in output
    assert "faute de frappe.csv" in output
    assert "No rate moves by more than the factor e" in output
    assert rates_of(trino, GOOD) == {"USD": Decimal("0.96")}
    assert snapshots(trino) != before
    # Later runs are green without anybody's help, and say what became of it.
    run(platform)
    assert refused(trino, "faute de frappe.csv")[0][0] == 0
    before = snapshots(trino)
    run(platform)
    assert snapshots(trino) == before
    assert rates_of(trino, day) == {}
    # The next step that the failure names: a corrected file. Another one replaces a day that is published.
    feed(platform, tmp_path, "faute corrigée.csv", f"Date,USD\n{day},0.95\n")
    feed(platform, tmp_path, "samedi corrigé.csv", f"Date,USD\n{SATURDAY},0.935\n")

    def published() -> None:
        if (rates_of(trino, day), rates_of(trino, SATURDAY)) != ({"USD": Decimal("0.95")}, {"USD": Decimal("0.935")}):
            raise NotYetError

    Deadline(900).retry(published, on=(NotYetError,))
    with platform.airflow() as airflow:
        since = [run["run_type"] for run in takewhile(lambda run: run["run_type"] != "manual", airflow.runs(DAG))]
    assert "asset_triggered" in since
    assert rates_of(trino, NEXT) == {"USD": Decimal("0.94"), "JPY": Decimal(111)}
    sources = trino.rows(f"select distinct source_file from staging.stg_fx_rates where rate_date = date '{SATURDAY}'")
    assert sources == [["samedi corrigé.csv"]]
    assert trino.value("select count(*) from raw.fx_rates where day_of_week(rate_date) < 6") == len(history)


@pytest.mark.deep
def test_a_mistyped_year_poisons_nothing_and_a_person_may_say_otherwise(
    platform: Running, trino: Trino, tmp_path: Path
) -> None:
    output = failed_with(platform, tmp_path, {"année.csv": f"Date,USD\n{TYPED},0.97\n"})
    assert "année.csv" in output
    assert "No day lies before the first fixing" in output
    run(platform)
    assert rates_of(trino, TYPED) == {}
    assert "set aside: raw.fx_rates: No day lies before" in platform.bootstrap("files", "list", "fx_rates").stdout
    # Somebody knows better: it is loaded, and rules that it alone breaks are warnings, in this run and in later ones.
    platform.bootstrap("files", "accept", "fx_rates", "année.csv", "--why", "a test of the platform")
    run(platform)
    assert rates_of(trino, TYPED) == {"USD": Decimal("0.97")}
    feed(platform, tmp_path, "après.csv", f"Date,USD\n{GOOD},0.961\n")
    run(platform)
    with platform.airflow() as airflow:
        rest(airflow, DAG)
    assert rates_of(trino, GOOD) == {"USD": Decimal("0.961")}
    # And better still: what was loaded from it goes, and what other files say stays.
    platform.bootstrap("files", "take-back", "fx_rates", "année.csv", "--why", "it was a typo after all")
    run(platform)
    assert rates_of(trino, TYPED) == {}
    platform.bootstrap("files", "take-back", "fx_rates", "après.csv", "--why", "the first one was right")
    run(platform)
    assert rates_of(trino, GOOD) == {"USD": Decimal("0.96")}
    listed = platform.bootstrap("files", "list", "fx_rates").stdout
    assert "it was a typo after all" in listed
    assert "the first one was right" in listed


@pytest.mark.deep
def test_days_are_loaded_again_from_all_files_and_change_nothing_when_nothing_changed(
    platform: Running, trino: Trino
) -> None:
    before = trino.rows("select * from raw.fx_rates where year(rate_date) = 2001")
    run(platform, conf='{"from": "2001-03-01", "to": "2001-03-31"}')
    after = trino.rows("select * from raw.fx_rates where year(rate_date) = 2001")
    assert len(before) > 1000
    assert Counter(map(tuple, after)) == Counter(map(tuple, before))
    assert rates_of(trino, SATURDAY) == {"USD": Decimal("0.935")}


def test_wrong_days_fail_before_anything_is_done(platform: Running) -> None:
    output = run(platform, check=False, conf='{"from": "2001-03-31", "to": "2001-03-01"}')
    assert "is after 'to'" in output
