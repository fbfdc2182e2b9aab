"""From Great Expectations' results to what a person must know: rule, file, rows, next step. Pure."""

# ruff: noqa: S608 - the queries come from suites in git and from Great Expectations

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

#: Rows that a report shows of a broken rule, and files that it names.
SAMPLE, FILES = 5, 20
_FILE = "source_file"
Ask = Callable[[str], Sequence[Mapping[str, Any]]]
#: Values of a query as Python writes them, which is how Great Expectations shows them.
_DATE = re.compile(r"datetime\.date\((\d+), (\d+), (\d+)\)")
_TIME = re.compile(r"datetime\.datetime\((\d+(?:, \d+)*)(, tzinfo=datetime\.timezone\.utc)?\)")
_DECIMAL = re.compile(r"Decimal\('([^']+)'\)")


class UnaskableError(Exception):
    """The rows that break a rule cannot be asked for; that it is broken is known all the same."""


def judge(
    results: Mapping[str, Sequence[Mapping[str, Any]]], ask: Ask, docs: str, accepted: Sequence[str] = ()
) -> dict[str, Any]:
    """The verdict over the results of a suite.

    Args:
        results: for each table (schema.table), results as Great Expectations writes them as JSON.
        ask: runs a query and returns its rows, or raises UnaskableError; asked about broken rules only.
        docs: key of the Data Docs in the bucket `reports`.
        accepted: names of files that somebody has accepted: a rule that only rows of theirs break is a warning.

    Returns:
        What RESULT holds: success, evaluated, failed, warnings, docs. Nothing evaluated is no success.
    """
    failed: list[dict[str, Any]] = []
    warnings: list[dict[str, Any]] = []
    evaluated = 0
    for table, found in results.items():
        for result in found:
            evaluated += 1
            if not result["success"]:
                # A rule that could not be evaluated was not kept, whatever its severity.
                entry = _entry(table, result, ask)
                harmless = entry["severity"] == "warning" and not _error(result)
                if not harmless and entry["files"] and accepted:
                    entry["accepted"] = harmless = not _others(_rows_query(table, result), accepted, ask)
                (warnings if harmless else failed).append(entry)
    return {
        "success": evaluated > 0 and not failed,
        "evaluated": evaluated,
        "failed": failed,
        "warnings": warnings,
        "docs": docs,
    }


def _entry(table: str, result: Mapping[str, Any], ask: Ask) -> dict[str, Any]:
    config = result["expectation_config"]
    error = _error(result)
    query = "" if error else _rows_query(table, result)
    sample, files, unasked = list[dict[str, Any]](), list[str](), ""
    try:
        sample = [_plain(row) for row in ask(f"select * from ({query}) limit {SAMPLE}")] if query else []
        files = _files(query, ask) if sample and _FILE in sample[0] else []
    except UnaskableError as refused:
        unasked = str(refused)
    return {
        "expectation": f"{table}: {config['description']}",
        "table": table,
        "rule": config["description"],
        "severity": config["severity"],
        "type": config["type"],
        "column": config["kwargs"].get("column"),
        "observed": error or _observed(config["kwargs"], result.get("result") or {}),
        "sample": sample,
        "unasked": unasked,
        "files": files,
        "next_step": config["meta"]["next_step"],
    }


def _rows_query(table: str, result: Mapping[str, Any]) -> str:
    """The query for the rows that break the rule; empty where rows do not."""
    kwargs = result["expectation_config"]["kwargs"]
    if "unexpected_rows_query" in kwargs:
        return str(kwargs["unexpected_rows_query"]).replace("{batch}", table)
    # Great Expectations selects the judged column; the whole row says more.
    query = str((result.get("result") or {}).get("unexpected_index_query") or "").rstrip().rstrip(";")
    return _in_sql(
        re.sub(r"\Aselect\b.*?\bfrom\b", "select * from", query, count=1, flags=re.IGNORECASE | re.DOTALL), kwargs
    )


def _in_sql(query: str, kwargs: Mapping[str, Any]) -> str:
    """A query that Great Expectations shows, with the values of the rule as Trino writes them."""
    for text in _texts(kwargs):
        query = query.replace(repr(text), "'" + text.replace("'", "''") + "'")
    query = _DATE.sub(lambda found: "date '{:0>4}-{:0>2}-{:0>2}'".format(*found.groups()), query)
    query = _TIME.sub(_time_in_sql, query)
    return _DECIMAL.sub(r"decimal '\1'", query)


def _texts(value: Any) -> Iterator[str]:
    """All texts in what a rule is told."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from _texts(list(value.values()))
    elif isinstance(value, Sequence):
        for each in value:
            yield from _texts(each)


def _time_in_sql(found: re.Match[str]) -> str:
    year, month, day, hour, minute, second, micros = (*map(int, found[1].split(", ")), 0, 0, 0, 0)[:7]
    zone = " UTC" if found[2] else ""
    return f"timestamp '{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{micros:06}{zone}'"


def _files(query: str, ask: Ask) -> list[str]:
    rows = ask(
        f"select {_FILE}, count(*) as n from ({query}) where {_FILE} is not null "
        f"group by {_FILE} order by n desc, {_FILE} limit {FILES}"
    )
    return [str(row[_FILE]) for row in rows]


def _others(query: str, accepted: Sequence[str], ask: Ask) -> bool:
    """Whether rows of other files, or of none, break the rule too."""
    names = ", ".join("'" + name.replace("'", "''") + "'" for name in accepted)
    (row,) = ask(f"select count(*) as n from ({query}) where {_FILE} is null or {_FILE} not in ({names})")
    return bool(row["n"])


def _observed(kwargs: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    if "unexpected_rows_query" in kwargs:
        return f"{result['observed_value']} rows"
    if "unexpected_count" in result:
        return f"{result['unexpected_count']} of {result['element_count']} rows"
    return str(result.get("observed_value"))


def _error(result: Mapping[str, Any]) -> str:
    """Why the rule could not be evaluated; empty where it was."""
    info = result.get("exception_info") or {}
    if "raised_exception" in info:
        return str(info["exception_message"]) if info["raised_exception"] else ""
    # One entry for each metric that failed.
    messages = [str(each["exception_message"]) for each in info.values() if each.get("raised_exception")]
    return messages[0] if messages else ""


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row for JSON: dates, times and decimals as text, as Trino writes them."""
    return {k: v if v is None or isinstance(v, bool | int | float | str) else str(v) for k, v in row.items()}


def lines(verdict: Mapping[str, Any]) -> list[str]:
    """The verdict for people: one paragraph for each broken rule."""
    found = []
    for title, entries in (("FAILED", verdict["failed"]), ("warning", verdict["warnings"])):
        for entry in entries:
            found.append(f"{title}  {entry['expectation']} ({entry['observed']})")
            found += [f"    file: {name}" for name in entry["files"]]
            found += [f"    rows: not to be asked for: {entry['unasked']}"] if entry["unasked"] else []
            found += [f"    row: {', '.join(f'{k}={v}' for k, v in row.items())}" for row in entry["sample"]]
            found.append(f"    next: {entry['next_step']}")
    kept = verdict["evaluated"] - len(verdict["failed"]) - len(verdict["warnings"])
    found.append(f"{kept} of {verdict['evaluated']} expectations are met")
    return found
