"""A rule in SQL is asked once, and judged as Great Expectations judges it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from data_platform.stack.load import load_stack
from data_platform.targets.local.artifacts import fetch, place
from data_platform.targets.local.cache import cache_folder

#: Judges a table of SQLite by one rule, in the environment of the tool, and tells every statement about the table.
_JUDGE = """
import json, sqlite3, sys, tempfile
from pathlib import Path
import sqlalchemy
from analysis import gx, verdict
from analysis.suites import Suite

with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "rates.db"
    with sqlite3.connect(file) as database:
        database.execute("create table rates (currency text, rate real, day date)")
        rates = [("USD", 1.1, "2001-01-01"), ("JPY", -2.0, "1926-03-03"), ("NOK", -3.0, "2001-01-02")]
        database.executemany("insert into rates values (?, ?, ?)", rates)
    gx.sqlalchemy_url = lambda catalog: f"sqlite:///{file}"
    asked = []
    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
    results = []
    for number, suite in enumerate(json.loads(sys.argv[1])):
        rules = [
            {"type": "unexpected_rows_expectation", "severity": "critical", "description": word, "meta": {},
             "kwargs": {"unexpected_rows_query": f"select currency from {{batch}} where {condition}"}}
            for word, condition in suite.items()
        ]
        if not number:
            rules.append({"type": "expect_column_values_to_be_between", "severity": "critical", "meta": {},
                          "description": "lately", "kwargs": {"column": "day", "min_value": "1999-01-04"}})
        home = Path(folder) / str(number)
        home.mkdir()
        results += gx.Project(home).run(Suite("rates", "raw", {"main.rates": rules}), "lakehouse")["main.rates"]
queries = [verdict._rows_query("main.rates", result) for result in results]
print(json.dumps({"results": results, "asked": asked, "queries": queries}))
"""
RULES = {"above 0": "rate <= 0", "capitals": "upper(currency) <> currency"}
#: In a suite of its own: Great Expectations asks others again too when one cannot be asked.
BROKEN = {"broken": "no_such_column = 1"}


@pytest.fixture(scope="module")
def judged(root: Path) -> dict[str, Any]:
    stack = load_stack(root)
    artifact = place(stack, "analysis", cache_folder())["analysis"]
    fetch(artifact, {}, cache_folder())
    tools = root / "stack/components/processing/analysis/tools"
    done = subprocess.run(
        [str(artifact.folder / "bin" / "python"), "-B", "-c", _JUDGE, json.dumps([RULES, BROKEN])],
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "PYTHONPATH": str(tools)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def result(judged: dict[str, Any], rule: str) -> dict[str, Any]:
    (found,) = (r for r in judged["results"] if r["expectation_config"]["description"] == rule)
    return dict(found)


@pytest.mark.parametrize("rule", ["above 0", "capitals"])
def test_a_rule_is_asked_once(judged: dict[str, Any], rule: str) -> None:
    about = [statement for statement in judged["asked"] if RULES[rule] in statement]
    assert len(about) == 1, about


def test_a_rule_that_is_broken_counts_its_rows(judged: dict[str, Any]) -> None:
    found = result(judged, "above 0")
    assert (found["success"], found["result"]["observed_value"]) == (False, 2)


def test_a_day_is_asked_for_as_trino_writes_it(judged: dict[str, Any]) -> None:
    """As Great Expectations shows it, no database takes it: datetime.date(1999, 1, 4)."""
    (query,) = (text for text in judged["queries"] if "day" in text)
    assert "datetime" in json.dumps(result(judged, "lately")["result"]["unexpected_index_query"])
    assert "date '1999-01-04'" in query
    assert "datetime" not in query


def test_a_rule_that_is_kept_has_no_rows(judged: dict[str, Any]) -> None:
    found = result(judged, "capitals")
    assert (found["success"], found["result"]["observed_value"]) == (True, 0)


def test_a_rule_that_cannot_be_asked_is_no_success(judged: dict[str, Any]) -> None:
    found = result(judged, "broken")
    assert found["success"] is False
    assert "no_such_column" in json.dumps(found["exception_info"])
