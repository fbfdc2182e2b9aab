"""What is read of a file, and what is rejected, case by case and against an independent reading."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from spark_jobs.fx_rates.load import FX_RATES
from spark_jobs.loading import job
from spark_jobs.loading.lines import LINE_BYTES, profile
from tests.integration.spark_jobs.fx_rates import reference
from tests.integration.spark_jobs.rawzone import RawZone, Taken

_TAKEN = date(2026, 11, 2)


class Found(NamedTuple):
    """What the job finds in a file."""

    days: dict[date, reference.Day]
    #: Reason by row number.
    rejected: dict[int, str]


def parse(raw: RawZone, contents: list[bytes]) -> list[Found]:
    """Read and judge files as the job does, without writing."""
    files = {content: Taken(content, source_file=f"{n}.csv") for n, content in enumerate(contents)}
    manifest = raw.manifest(*files.values())
    paths = [f"{raw.uri}/{file.object}" for file in manifest.files]
    profiles = profile(raw.spark, paths)
    headers, refusals = job.sort_out(manifest.files, profiles, FX_RATES.rules)
    found = {file.sha256: Found({}, {}) for file in manifest.files}
    for file, refusal in refusals:
        found[file.sha256].rejected[refusal.row_number] = refusal.reason
    if headers:
        source = job.read(raw.spark, paths, headers, profiles)
        days, rejected = job.transform(source, FX_RATES.rules, manifest)
        for row in days.where("is_clear").collect():
            rates = {entry["code"]: entry["value"] for entry in row["entries"]}
            assert row["day"] not in found[row["sha256"]].days, "a day is there twice"
            found[row["sha256"]].days[row["day"]] = rates
        for row in rejected.collect():
            assert row["row_number"] not in found[row["sha256"]].rejected, "a row is rejected twice"
            found[row["sha256"]].rejected[row["row_number"]] = row["reason"]
    return [found[files[content].sha256] for content in contents]


class Case(NamedTuple):
    """A file, and what is to be found: USD by day, and words of the reason by row number."""

    content: str | bytes
    days: dict[str, str]
    rejected: dict[int, str]


_GOOD = {"2026-10-30": "1.1"}
CASES = {
    "plain": Case("Date,USD\n2026-10-30,1.1\n", _GOOD, {}),
    "no line feed at the end": Case("Date,USD\n2026-10-30,1.1", _GOOD, {}),
    "CRLF": Case("Date,USD\r\n2026-10-30,1.1\r\n", _GOOD, {}),
    "BOM": Case(b"\xef\xbb\xbfDate,USD\n2026-10-30,1.1\n", _GOOD, {}),
    "trailing comma": Case("Date,USD,\n2026-10-30,1.1,\n", _GOOD, {}),
    "trailing comma only above": Case("Date,USD,\n2026-10-30,1.1\n", {}, {2: "2 cells, expected 3"}),
    "value under the trailing comma": Case("Date,USD,\n2026-10-30,1.1,7\n", {}, {2: "which has no name"}),
    "blank lines": Case("Date,USD\n\n2026-10-30,1.1\n  \n2026-10-29,0\n\n", _GOOD, {5: "is zero"}),
    "out of order": Case(
        "Date,USD\n2026-10-28,3\n2026-10-30,1.1\n2026-10-29,2\n",
        {"2026-10-28": "3", "2026-10-29": "2", **_GOOD},
        {},
    ),
    "new currency": Case("Date,USD,XYZ\n2026-10-30,1.1,N/A\n", _GOOD, {}),
    "all digits": Case("Date,USD\n2026-10-30,9999999.99999999\n", {"2026-10-30": "9999999.99999999"}, {}),
    "leading zeros": Case("Date,USD\n2026-10-30,0000000001.1\n", _GOOD, {}),
    "empty": Case("", {}, {0: "the file is empty"}),
    "header only": Case("Date,USD\n", {}, {1: "a header and no rows"}),
    "header and blank lines": Case("Date,USD\r\n\r\n", {}, {1: "a header and no rows"}),
    "no date column": Case("USD,JPY\n1.1,2\n", {}, {1: "first column is 'USD', expected 'Date'"}),
    "renamed date column": Case("Day,USD\n2026-10-30,1.1\n", {}, {1: "first column is 'Day'"}),
    "date column elsewhere": Case("USD,Date\n1.1,2026-10-30\n", {}, {1: "first column is 'USD'"}),
    "only a date column": Case("Date\n2026-10-30\n", {}, {1: "no column beside 'Date'"}),
    "malformed code": Case("Date,usd\n2026-10-30,1.1\n", {}, {1: "column 'usd' is no currency code"}),
    "long code": Case("Date,USDX\n2026-10-30,1.1\n", {}, {1: "column 'USDX' is no currency code"}),
    "nameless column in the middle": Case("Date,USD,,JPY\n2026-10-30,1,2,3\n", {}, {1: "column '' is no currency"}),
    "code twice": Case("Date,USD,USD\n2026-10-30,1,1\n", {}, {1: "column USD is there twice"}),
    "semicolons": Case("Date;USD\n2026-10-30;1,1\n", {}, {1: "semicolons, expected commas"}),
    "carriage returns only": Case("Date,USD\r2026-10-30,1.1\r", {}, {1: "is no currency code"}),
    "date twice, same": Case("Date,USD\n2026-10-30,1.10\n2026-10-30,1.1\n", _GOOD, {}),
    "date twice, different": Case(
        "Date,USD\n2026-10-30,1.1\n2026-10-29,1.1\n2026-10-30,1.2\n",
        {"2026-10-29": "1.1"},
        {2: "in the file twice, with different values", 4: "in the file twice, with different values"},
    ),
    "date twice, one of them bad": Case("Date,USD\n2026-10-30,1.1\n2026-10-30,x\n", _GOOD, {3: "is no number"}),
    "no such day": Case(
        "Date,USD\n2024-02-30,1.1\n2024-02-29,1.1\n", {"2024-02-29": "1.1"}, {2: "'2024-02-30' is no day"}
    ),
    "other form of a day": Case(
        "Date,USD\n30/10/2026,1\n2026-1-2,1\n20261030,1\n", {}, {2: "no day", 3: "no day", 4: "no day"}
    ),
    "day with a time": Case("Date,USD\n2026-10-30T00:00,1\n2026-10-30 00:00,1\n", {}, {2: "no day", 3: "no day"}),
    "the bank's file of a day": Case("Date, USD, JPY, \n30 October 2026, 1.1, N/A, \n", {"2026-10-30": "1.1"}, {}),
    "the bank's file of a day, one digit": Case("Date, USD, \n3 May 2026, 1.1, \n", {"2026-05-03": "1.1"}, {}),
    "the bank's file of a day, a nought": Case("Date, USD, \n03 May 2026, 1.1, \n", {"2026-05-03": "1.1"}, {}),
    "the bank's file of a day, saved in Windows": Case(
        b"\xef\xbb\xbfDate, USD, \r\n30 October 2026, 1.1, \r\n", _GOOD, {}
    ),
    "the bank's file of a day, no last comma": Case("Date, USD\n30 October 2026, 1.1\n", _GOOD, {}),
    "blanks on both sides": Case(" Date ,\tUSD \n 2026-10-30 ,\u00a01.1 \n", _GOOD, {}),
    "a month in capitals": Case("Date,USD\n30 OCTOBER 2026,1.1\n", _GOOD, {}),
    "every month": Case(
        "Date,USD\n" + "".join(f"28 {date(2026, n, 1):%B} 2025,{n}\n" for n in range(1, 13)),
        {f"2025-{n:02}-28": str(n) for n in range(1, 13)},
        {},
    ),
    "a day in both forms, different": Case(
        "Date,USD\n30 October 2026,1.1\n2026-10-30,1.2\n", {}, dict.fromkeys((2, 3), "in the file twice")
    ),
    "no such day in words": Case(
        "Date,USD\n30 February 2024,1\n0 May 2024,1\n29 February 2024,1.1\n",
        {"2024-02-29": "1.1"},
        dict.fromkeys((2, 3), "is no day, expected YYYY-MM-DD or words such as 27 November 2026"),
    ),
    "tomorrow and after in words": Case(
        "Date,USD\n3 November 2026,1.1\n4 November 2026,1.1\n", {"2026-11-03": "1.1"}, {3: "is in the future"}
    ),
    "words that may mean several days": Case(
        "Date,USD\n30 Oct 2026,1\n30 October 26,1\n30-October-2026,1\nOctober 30 2026,1\n30 octobre 2026,1\n"
        "30October2026,1\n",
        {},
        dict.fromkeys(range(2, 8), "is no day"),
    ),
    "year zero": Case("Date,USD\n0000-01-01,1\n0001-01-01,1.1\n", {"0001-01-01": "1.1"}, {2: "is no day"}),
    "tomorrow and after": Case(
        "Date,USD\n2026-11-03,1.1\n2026-11-04,1.1\n", {"2026-11-03": "1.1"}, {3: "2026-11-04 is in the future"}
    ),
    "wrong number of cells": Case(
        "Date,USD\n2026-10-30\n2026-10-29,1,2\n2026-10-28,1.1\n",
        {"2026-10-28": "1.1"},
        {2: "1 cells, expected 2", 3: "3 cells, expected 2"},
    ),
    "no rate in a row": Case(
        "Date,USD\n2026-10-30,N/A\n2026-10-29, \n2026-10-28,\n", {}, dict.fromkeys((2, 3, 4), "no value")
    ),
    "header again": Case("Date,USD\n2026-10-30,1.1\nDate,USD\n", _GOOD, {3: "'Date' is no day"}),
    "quotes": Case('Date,USD\n"2026-10-30","1.1"\n', {}, {2: "is no day"}),
    "line of 100 kB": Case(f"Date,USD\n2026-10-30,1.1\n{'x' * 100_000}\n", _GOOD, {3: "1 cells, expected 2"}),
    "line of more than 1 MiB": Case(
        f"Date,USD\n2026-10-30,1.1\n{'x' * LINE_BYTES}\n", {}, {0: "a line is longer than"}
    ),
    "header of more than 1 MiB": Case(f"Date,{'x' * LINE_BYTES}\n2026-10-30,1.1\n", {}, {0: "a line is longer than"}),
    "no UTF-8": Case(b"Date,USD\n2026-10-30,1.1\n2026-10-29,\xff\n", _GOOD, {3: "is no number"}),
}
#: A cell, and words of the reason.
BAD_CELLS = {
    "0": "zero", "0.0": "zero", "00.00": "zero", "-1.1": "negative", "-0": "negative", "1,1": "cells, expected",
    "10000000": "not below 10,000,000", "99999999999": "not below 10,000,000", "1.123456789": "more than 8 decimals",
    "abc": "no number", "1e5": "no number", "1E-2": "no number", "+1": "no number", ".5": "no number",
    "1.": "no number",
    "1.1.1": "no number", "NaN": "no number", "Infinity": "no number", "0x1": "no number", "1 1": "no number",
    "1\u00a0000": "no number", "n/a": "no number", "NA": "no number", "null": "no number", "\u0661": "no number",
    "1.1\u2028": "no number", "1_000": "no number", "1.1\r\r": "no number", "1.1\x00": "no number",
}  # fmt: skip


@pytest.fixture(scope="module")
def parsed(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Found]:
    """All cases, read in one run."""
    raw = RawZone(tmp_path_factory.mktemp("cases"), spark, FX_RATES)
    cells = {f"cell {cell!r}": f"Date,USD\n2026-10-30,{cell}\n" for cell in BAD_CELLS}
    contents = {name: case.content for name, case in CASES.items()} | cells
    as_bytes = [c if isinstance(c, bytes) else c.encode() for c in contents.values()]
    return dict(zip(contents, parse(raw, as_bytes), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_a_file_is_read_as_documented(parsed: dict[str, Found], name: str) -> None:
    case, found = CASES[name], parsed[name]
    assert {day.isoformat(): rates for day, rates in found.days.items()} == {
        day: {"USD": Decimal(rate)} for day, rate in case.days.items()
    }
    assert found.rejected.keys() == case.rejected.keys(), found.rejected
    for row, words in case.rejected.items():
        assert words in found.rejected[row]


@pytest.mark.parametrize("cell", BAD_CELLS)
def test_a_row_with_a_bad_cell_is_rejected_with_its_reason(parsed: dict[str, Found], cell: str) -> None:
    found = parsed[f"cell {cell!r}"]
    assert found.days == {}
    assert found.rejected.keys() == {2}
    assert BAD_CELLS[cell] in found.rejected[2]


def test_row_numbers_are_right_where_a_file_is_read_in_parts(raw: RawZone) -> None:
    lines = [f"{date.fromordinal(730000 + n)},{'bad' if n % 7 == 0 else '1.1'}" for n in range(300)]
    lines[20:20] = ["", "", ""]
    contents = ["\n".join([f"Date,{code}", *lines]).encode() for code in ("USD", "JPY")]
    settings_before = {key: raw.spark.conf.get(key) for key in _PARTS}
    try:
        for key, value in _PARTS.items():
            raw.spark.conf.set(key, value)
        taken = [raw.manifest(Taken(content)).files[0] for content in contents]
        blocks = profile(raw.spark, [f"{raw.uri}/{file.object}" for file in taken])
        found = parse(raw, contents)
    finally:
        for key, before in settings_before.items():
            raw.spark.conf.set(key, before)
    assert all(len(found.blocks) > 3 for found in blocks.values()), "the files were not read in parts"
    for content, result in zip(contents, found, strict=True):
        assert result.rejected.keys() == reference.read(content, _TAKEN).rejected
        assert len(result.rejected) == 43


_PARTS = {"spark.sql.files.maxPartitionBytes": "700", "spark.sql.files.openCostInBytes": "0"}

_CELLS = st.one_of(
    st.sampled_from(["N/A", "", " ", "1.1", " 1.1", "1.1 ", " N/A", "\t2\u00a0", "2", "1.10", "9999999.99999999"]),
    st.decimals(min_value=0, max_value=Decimal("2e7"), places=4, allow_nan=False).map(str),
    st.sampled_from(list(BAD_CELLS)),
    st.text(st.characters(blacklist_characters="\n", blacklist_categories=["Cs"]), max_size=6),
)
_DAYS = st.one_of(
    st.sampled_from(["2026-10-30", "2026-10-29", "2026-11-03"]),
    st.dates(max_value=date(2027, 1, 1)).map(date.isoformat),
    st.dates(max_value=date(2027, 1, 1)).map("{0.day} {0:%B} {0.year:04}".format),
    st.sampled_from([" 2026-10-30", "30 October 2026", "31 November 2026"]),
    st.sampled_from(["2024-02-30", "2026-13-01", "", "Date", "2026-1-1", "2026-11-04", "N/A"]),
)
_CODES = st.lists(st.sampled_from(["USD", "JPY", "XOF", "AAA"]), min_size=1, max_size=4, unique=True)
_HEADERS = st.one_of(
    _CODES.map(lambda codes: ["Date", *codes]),
    st.sampled_from(
        [
            ["Date", "USD", "JPY"],
            ["Date", " USD", " JPY"],
            ["Day", "USD"],
            ["Date", "usd"],
            ["Date", "USD", "USD"],
            ["Date"],
        ]
    ),
)


@st.composite
def _contents(draw: st.DrawFn) -> bytes:
    header = draw(_HEADERS)
    # Most rows have a cell for each column and mostly good ones, or hardly any row would be good.
    good = st.sampled_from(["1.1", "2", "N/A", ""])
    cells = st.one_of(
        st.lists(good, min_size=len(header) - 1, max_size=len(header) - 1),
        st.lists(_CELLS, min_size=len(header) - 1, max_size=len(header) - 1),
        st.lists(_CELLS, max_size=5),
    )
    rows = draw(st.lists(st.tuples(_DAYS, cells), max_size=8))
    end = draw(st.sampled_from(["", ",", ", "]))
    lines = [",".join(header) + end, *(",".join([day, *values]) + end for day, values in rows)]
    lines += draw(st.lists(st.sampled_from(["", "  "]), max_size=1))
    text = draw(st.sampled_from(["\n", "\r\n"])).join(lines) + draw(st.sampled_from(["", "\n"]))
    return draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + text.encode()


@settings(
    max_examples=6,
    # Each example is a run of Spark over many files: to make one smaller takes longer than to read it.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.data_too_large, HealthCheck.too_slow],
)
@given(contents=st.lists(_contents(), min_size=20, max_size=40, unique=True))
def test_files_are_read_as_by_python(raw: RawZone, contents: list[bytes]) -> None:
    for content, found in zip(contents, parse(raw, contents), strict=True):
        expected = reference.read(content, _TAKEN)
        assert found.days == expected.days, content
        assert found.rejected.keys() == expected.rejected, content
