"""Suites say everything that a report needs, and a verdict names rule, file, rows and next step."""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from analysis.lake import Lake
from analysis.retention import superseded
from analysis.suites import SEVERITIES, SuiteError, load
from analysis.verdict import UnaskableError, judge, lines

ROOT = Path(__file__).resolve().parents[3]

SUITES = sorted((p.parent.name, p.stem) for p in (ROOT / "expectations").glob("*/*.yaml"))
GOOD = """
tables:
  raw.rates:
    - {type: expect_column_values_to_not_be_null, kwargs: {column: rate}, severity: critical,
       description: Every row has a rate, meta: {next_step: mend the job}}
"""


@pytest.mark.parametrize(("dataset", "name"), SUITES)
def test_every_suite_of_the_project_can_be_used(dataset: str, name: str) -> None:
    suite = load(dataset, name)
    assert suite.count >= 3
    assert {e["severity"] for table in suite.tables.values() for e in table} <= set(SEVERITIES)


def test_the_project_has_suites() -> None:
    assert {("fx_rates", "raw"), ("fx_rates", "marts"), ("platform_check", "sample")} <= set(SUITES)


def test_rules_in_sql_judge_their_own_table_and_name_files() -> None:
    rules = [e["kwargs"]["unexpected_rows_query"] for t in load("fx_rates", "raw").tables.values() for e in t
             if "unexpected_rows_query" in e["kwargs"]]  # fmt: skip
    assert len(rules) >= 10
    assert [rule for rule in rules if "{batch}" not in rule] == []
    # The newest day, and the days and the digests of the ledger, are not of one file.
    assert sum("source_file" not in rule for rule in rules) == 3


def write(root: Path, text: str) -> None:
    folder = root / "expectations" / "rates"
    folder.mkdir(parents=True)
    (folder / "raw.yaml").write_text(text, encoding="utf-8")


def test_a_good_suite_is_read(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    suite = load("rates", "raw", tmp_path)
    assert (suite.count, list(suite.tables)) == (1, ["raw.rates"])


RULE = GOOD.split("    - ")[1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tables: {}", "`tables` is empty"),
        ("other: 1", "the key `tables`"),
        ("[", "the key `tables`"),
        ("tables: {raw.rates: []}", "nothing about it could fail"),
        (GOOD.replace("raw.rates", "rates"), "not SCHEMA.TABLE"),
        (GOOD.replace("critical", "fatal"), "severity 'fatal'"),
        (GOOD.replace("next_step", "nothing"), "meta.next_step is missing"),
        (GOOD.replace("severity: critical,", ""), "severity missing"),
        (GOOD.replace("severity:", "sort: x, severity:"), "unknown keys sort"),
        (f"{GOOD}    - {RULE}", "two rules 'Every row has a rate'"),
    ],
)
def test_a_suite_that_says_too_little_is_refused_with_its_file(tmp_path: Path, text: str, words: str) -> None:
    write(tmp_path, text)
    with pytest.raises(SuiteError, match=r"expectations/rates/raw\.yaml") as error:
        load("rates", "raw", tmp_path)
    assert words in str(error.value)


def test_an_unknown_suite_names_those_that_are_there(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    with pytest.raises(SuiteError, match=r"there is no expectations/rates/mart\.yaml; .*expectations/rates/raw\.yaml"):
        load("rates", "mart", tmp_path)


def result(success: bool = False, severity: str = "critical", **changes: Any) -> dict[str, Any]:
    """A result as Great Expectations writes it."""
    return {
        "success": success,
        "expectation_config": {
            "type": "expect_column_values_to_not_be_null",
            "kwargs": {"column": "rate"},
            "severity": severity,
            "description": "Every row has a rate",
            "meta": {"next_step": "mend the job"},
        },
        "result": {
            "element_count": 100,
            "unexpected_count": 2,
            "unexpected_index_query": "SELECT rate \nFROM raw.rates \nWHERE rate IS NULL;",
        },
        "exception_info": {"raised_exception": False, "exception_message": None},
        **changes,
    }


class Trino:
    """Answers two rows of two files; notes what was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, sql: str) -> list[dict[str, Any]]:
        self.asked.append(sql)
        if "group by source_file" in sql:
            return [{"source_file": "b é.csv", "n": 9}, {"source_file": "a.csv", "n": 1}]
        return [{"rate": None, "source_file": "a.csv"}]


def test_a_broken_rule_names_rule_rows_files_and_next_step() -> None:
    trino = Trino()
    verdict = judge({"raw.rates": [result(), result(success=True)]}, trino, "rates/expectations/index.html")
    assert (verdict["success"], verdict["evaluated"], verdict["warnings"]) == (False, 2, [])
    (entry,) = verdict["failed"]
    assert entry["expectation"] == "raw.rates: Every row has a rate"
    assert (entry["column"], entry["observed"]) == ("rate", "2 of 100 rows")
    assert entry["files"] == ["b é.csv", "a.csv"]
    assert entry["sample"] == [{"rate": None, "source_file": "a.csv"}]
    assert entry["next_step"] == "mend the job"
    assert trino.asked[0].startswith("select * from (select * from raw.rates")
    assert "limit 5" in trino.asked[0]
    text = "\n".join(lines(verdict))
    assert "FAILED  raw.rates: Every row has a rate (2 of 100 rows)" in text
    assert "file: b é.csv" in text
    assert "1 of 2 expectations are met" in text


@pytest.mark.parametrize(
    ("kwargs", "shown", "asked"),
    [
        ({"min_value": "1999-01-04"}, "day < datetime.date(1999, 1, 4)", "day < date '1999-01-04'"),
        ({}, "at > datetime.datetime(2026, 1, 2, 3, 4)", "at > timestamp '2026-01-02 03:04:00.000000'"),
        (
            {},
            "at > datetime.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=datetime.timezone.utc)",
            "at > timestamp '2026-01-02 03:04:05.000006 UTC'",
        ),
        ({}, "rate > Decimal('1.50')", "rate > decimal '1.50'"),
        ({"value_set": ["it's", "x"]}, """name in ("it's", 'x')""", "name in ('it''s', 'x')"),
        ({"regex": r"^\d+$"}, r"regexp_like(n, '^\\d+$')", r"regexp_like(n, '^\d+$')"),
    ],
)
def test_values_of_a_rule_are_asked_for_as_trino_writes_them(kwargs: dict[str, Any], shown: str, asked: str) -> None:
    trino = Trino()
    broken = result()
    broken["expectation_config"]["kwargs"] |= kwargs
    broken["result"]["unexpected_index_query"] = f"SELECT rate \nFROM raw.rates \nWHERE {shown};"
    judge({"raw.rates": [broken]}, trino, "")
    assert trino.asked[0].startswith(f"select * from (select * from raw.rates \nWHERE {asked})")


def test_a_rule_whose_rows_cannot_be_asked_for_is_broken_all_the_same_and_nobody_is_blamed() -> None:
    def ask(sql: str) -> list[dict[str, Any]]:
        raise UnaskableError(f"no such function in {sql[:6]}")

    verdict = judge({"raw.rates": [result()]}, ask, "", ["a.csv"])
    assert verdict["success"] is False
    (entry,) = verdict["failed"]
    assert (entry["observed"], entry["sample"], entry["files"]) == ("2 of 100 rows", [], [])
    assert "    rows: not to be asked for: no such function in select" in lines(verdict)


def test_a_rule_in_sql_is_asked_about_its_table() -> None:
    trino = Trino()
    broken = result(result={"observed_value": 7})
    broken["expectation_config"]["kwargs"] = {"unexpected_rows_query": "select * from {batch} where rate < 0"}
    (entry,) = judge({"raw.rates": [broken]}, trino, "")["failed"]
    assert entry["observed"] == "7 rows"
    assert "from (select * from raw.rates where rate < 0)" in trino.asked[0]


def test_warnings_do_not_fail() -> None:
    verdict = judge({"raw.rates": [result(severity="warning"), result(success=True)]}, Trino(), "")
    assert (verdict["success"], verdict["failed"]) == (True, [])
    assert len(verdict["warnings"]) == 1


@pytest.mark.parametrize(("others", "passes"), [(0, True), (3, False)])
def test_a_rule_that_only_accepted_files_break_is_a_warning(others: int, passes: bool) -> None:
    trino = Trino()

    def ask(sql: str) -> list[dict[str, Any]]:
        return [{"n": others}] if "select count(*) as n" in sql and "group by" not in sql else trino(sql)

    verdict = judge({"raw.rates": [result()]}, ask, "", ["it's so.csv", "b é.csv"])
    assert verdict["success"] is passes
    (entry,) = verdict["warnings" if passes else "failed"]
    assert entry["accepted"] is passes
    # Nobody accepted anything, or it is not the rows that are wrong.
    assert judge({"raw.rates": [result()]}, ask, "")["success"] is False
    broken = result(exception_info={"raised_exception": True, "exception_message": "no such column"})
    assert judge({"raw.rates": [broken]}, ask, "", ["a.csv"])["success"] is False


def test_names_of_accepted_files_are_texts_whatever_is_in_them() -> None:
    asked: list[str] = []

    def ask(sql: str) -> list[dict[str, Any]]:
        asked.append(sql)
        return [{"n": 1}] if "select count(*) as n" in sql else Trino()(sql)

    judge({"raw.rates": [result()]}, ask, "", ["it's so.csv"])
    assert asked[-1].endswith("where source_file is null or source_file not in ('it''s so.csv')")


@pytest.mark.parametrize(
    "info",
    [
        {"raised_exception": True, "exception_message": "no such column"},
        {"metric": {"raised_exception": True, "exception_message": "no such column"}},
    ],
)
def test_a_rule_that_could_not_be_evaluated_fails_even_as_a_warning(info: dict[str, Any]) -> None:
    trino = Trino()
    verdict = judge({"raw.rates": [result(severity="warning", exception_info=info)]}, trino, "")
    assert verdict["success"] is False
    assert verdict["failed"][0]["observed"] == "no such column"
    assert trino.asked == []


@pytest.mark.parametrize("results", [{}, {"raw.rates": []}])
def test_nothing_evaluated_is_no_success(results: dict[str, Any]) -> None:
    verdict = judge(results, Trino(), "")
    assert (verdict["success"], verdict["evaluated"]) == (False, 0)


def test_only_what_broke_is_asked_about() -> None:
    trino = Trino()
    assert judge({"raw.rates": [result(success=True)]}, trino, "")["success"] is True
    assert trino.asked == []


def results(suite: str, table: str, *times: int) -> list[str]:
    return [f"{suite}/{table}/{suite}-202611{t:02}T060000Z/202611{t:02}T060000.1Z/x.json" for t in times]


def test_the_last_runs_of_each_suite_are_kept_with_all_their_tables() -> None:
    raw = [*results("raw", "fx_rates", 1, 2, 3), *results("raw", "fx_rates_days", 1, 2, 3)]
    marts = results("marts", "daily", 1)
    assert superseded([*raw, *marts], kept=2) == [*results("raw", "fx_rates", 1), *results("raw", "fx_rates_days", 1)]
    assert superseded([*raw, *marts], kept=3) == []


def test_the_day_after_a_typo_is_not_blamed_for_it() -> None:
    """The rule itself, asked of SQLite: the file that a rule names is set aside."""
    rules = load("fx_rates", "raw").tables["raw.fx_rates"]
    (query,) = (r["kwargs"]["unexpected_rows_query"] for r in rules if "the factor e" in r["description"])
    rates = [
        ("2026-01-05", "USD", 1.1, "before.csv"),
        ("2026-01-06", "USD", 11.0, "typo.csv"),
        ("2026-01-07", "USD", 1.1, "after.csv"),
        # A new level is a move once, and so is the end of a move that was none, over a gap.
        ("2026-01-05", "JPY", 100.0, "before.csv"),
        ("2026-01-06", "JPY", 1000.0, "level.csv"),
        ("2026-01-07", "JPY", 1000.0, "after.csv"),
        ("2026-01-05", "ISK", 10.0, "before.csv"),
        ("2026-02-05", "ISK", 100.0, "gap.csv"),
        ("2026-02-06", "ISK", 10.0, "back.csv"),
    ]
    with closing(sqlite3.connect(":memory:")) as database:
        database.create_function("ln", 1, lambda number: number and math.log(number))
        database.create_function(
            "date_diff", 3, lambda _, a, b: a and (date.fromisoformat(b) - date.fromisoformat(a)).days
        )
        database.execute("create table rates (rate_date text, currency text, rate real, source_file text)")
        database.executemany("insert into rates values (?, ?, ?, ?)", rates)
        asked = query.replace("{batch}", "rates").replace("as double", "as real")
        blamed = {row[-1] for row in database.execute(asked)}
    assert blamed == {"typo.csv", "level.csv", "back.csv"}


def test_a_request_of_a_statement_has_a_deadline_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trino's client makes each three times: a Trino that says nothing would be waited for as often as long."""
    monkeypatch.setenv("TRINO_HTTP_HOST", "trino.test")
    monkeypatch.setenv("TRINO_HTTP_PORT", "8440")
    with Lake("lakehouse") as lake:
        connection = lake._connection
        (statement,) = connection._client_session.properties.values()
        assert 3 * connection.request_timeout <= int(statement.removesuffix("s"))
