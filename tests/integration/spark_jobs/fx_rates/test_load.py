"""What a load does to the tables."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from importlib.resources import files
from itertools import pairwise
from typing import Any
from zipfile import ZipFile

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

from spark_jobs.loading import job
from tests.integration.spark_jobs.fx_rates import reference
from tests.integration.spark_jobs.rawzone import NOON, RawZone, Taken

_DAYS = [date(2026, 10, day) for day in (27, 28, 29, 30)]
_COMPILED = {
    "spark.sql.codegen.wholeStage": "true",
    "spark.sql.codegen.factoryMode": "FALLBACK",
    "spark.sql.adaptive.enabled": "true",
}
_REFUSED = {
    "source_file": "old.zip/two.csv",
    "reason": "the zip has two members",
    "quarantined_at": "2026-11-02T11:00:00.000Z",
    "object": "fx_rates/00ff/old.zip%2Ftwo.csv",
}


def day(number: int, **rates: str) -> tuple[date, reference.Day]:
    """A day of October 2026 and its rates."""
    return date(2026, 10, number), {code: Decimal(rate) for code, rate in rates.items()}


def taken(*days: tuple[date, reference.Day], name: str = "rates.csv", at: str = NOON) -> Taken:
    """A file of some days."""
    codes = sorted({code for _, rates in days for code in rates})
    rows = [[when.isoformat(), *(str(rates.get(code, "N/A")) for code in codes)] for when, rates in days]
    return Taken("\n".join(map(",".join, [["Date", *codes], *rows, [""]])).encode(), name, at)


def flat(*days: tuple[date, reference.Day]) -> list[tuple[Any, ...]]:
    """Rows of the table for some days."""
    return sorted((when, code, rate) for when, rates in days for code, rate in rates.items())


@pytest.fixture
def compiled(spark: SparkSession) -> Iterator[None]:
    """Plans are compiled and adapted, as on the platform: there are rows enough for it."""
    before = {key: spark.conf.get(key) for key in _COMPILED}
    for key, value in _COMPILED.items():
        spark.conf.set(key, value)
    yield
    for key, value in before.items():
        spark.conf.set(key, value)


@pytest.mark.usefixtures("compiled")
def test_the_whole_history_is_loaded_exactly_and_only_once(raw: RawZone) -> None:
    with ZipFile(str(files("currency_converter") / "eurofxref-hist.zip")) as bundle:
        content = bundle.read("eurofxref-hist.csv")
    expected = reference.read(content, date(2026, 11, 2))
    assert len(expected.days) > 7000
    history = Taken(content)

    result = raw.load(history)

    rows = flat(*expected.days.items())
    assert result == {
        "files": 1,
        "days": len(expected.days),
        "rows": len(rows),
        "changed_days": len(expected.days),
        "quarantined": 0,
        "reasons": [],
    }
    assert raw.rows() == rows
    assert raw.ledger() == {history.sha256: (len(rows), len(expected.days), 0)}
    before = raw.commits()
    assert raw.load(history) == {**result, "changed_days": 0}
    assert raw.commits() == before


def test_a_corrected_file_replaces_its_days_and_no_others(raw: RawZone) -> None:
    raw.load(taken(day(29, USD="1.1", JPY="170"), day(30, USD="1.2", JPY="171"), name="first.csv"))
    changed = [day(28, USD="1"), day(29, USD="1.1", JPY="170"), day(30, USD="1.25")]
    assert raw.load(taken(*changed, name="été.csv", at="2026-11-02T14:00:00.000Z"))["changed_days"] == 2

    at_noon, at_two = "2026-11-02 12:00:00", "2026-11-02 14:00:00"
    assert raw.rows("rate_date, currency, rate, source_file, string(ingested_at)") == [
        (date(2026, 10, 28), "USD", Decimal(1), "été.csv", at_two),
        (date(2026, 10, 29), "JPY", Decimal(170), "first.csv", at_noon),
        (date(2026, 10, 29), "USD", Decimal("1.1"), "first.csv", at_noon),
        (date(2026, 10, 30), "USD", Decimal("1.25"), "été.csv", at_two),
    ]


def test_a_file_that_was_taken_earlier_changes_only_days_that_no_later_one_has(raw: RawZone) -> None:
    late = taken(day(29, USD="2"), at="2026-11-02T14:00:00.000Z")
    raw.load(late)
    early = taken(day(28, USD="1"), day(29, USD="1"))
    assert raw.load(early)["changed_days"] == 1
    assert raw.rows() == flat(day(28, USD="1"), day(29, USD="2"))
    assert raw.ledger() == {late.sha256: (1, 1, 0), early.sha256: (2, 2, 0)}


def test_what_is_not_loaded_is_quarantined_once(raw: RawZone) -> None:
    partly = Taken(b"Date,USD\n2026-10-30,1.1\n2026-10-29,0\n", "partly.csv")
    header = Taken(b"Date,USD\n", "header.csv")
    refused = [{**_REFUSED}]
    result = raw.load(partly, header, refused=refused)
    expected = [
        ("header.csv", 1, "the file has a header and no rows", "Date,USD"),
        ("old.zip/two.csv", 0, "the zip has two members", _REFUSED["object"]),
        ("partly.csv", 3, "USD: '0' is zero", "2026-10-29,0"),
    ]
    assert result["quarantined"] == 3
    assert sorted(result["reasons"]) == [f"{file}, row {row}: {reason}" for file, row, reason, _ in expected]
    assert raw.quarantined() == expected
    assert raw.ledger() == {partly.sha256: (1, 1, 1), header.sha256: (0, 0, 1)}
    before = raw.commits()
    assert raw.load(partly, header, refused=refused)["quarantined"] == 3
    assert raw.quarantined() == expected
    assert raw.commits() == before


def test_a_run_without_files_only_quarantines(raw: RawZone) -> None:
    result = raw.load(refused=[_REFUSED])
    assert (result["files"], result["rows"], result["quarantined"]) == (0, 0, 1)
    assert raw.rows() == []
    assert len(raw.quarantined()) == 1


def test_a_run_for_some_days_heals_these_and_says_nothing_of_whole_files(raw: RawZone) -> None:
    file = taken(day(27, USD="1"), day(28, USD="2"), day(29, USD="3"))
    part = {"from": "2026-10-28", "to": "2026-10-28"}
    assert raw.load(file, days=part)["days"] == 1
    assert raw.rows() == flat(day(28, USD="2"))
    assert raw.ledger() == {}, "a file counts as loaded although days are left out"
    raw.load(file)
    raw.spark.sql(f"delete from {raw.dataset.table} where rate_date <= date '2026-10-28'")
    assert raw.load(file, days=part)["changed_days"] == 1
    assert raw.rows() == flat(day(28, USD="2"), day(29, USD="3"))
    raw.spark.sql(f"update {raw.dataset.table} set rate = 7")
    assert raw.load(file)["changed_days"] == 3
    assert raw.rows() == flat(day(27, USD="1"), day(28, USD="2"), day(29, USD="3"))


@pytest.mark.parametrize("step", ["replace_days", "merge", "note"])
def test_a_load_that_ends_in_the_middle_is_completed_by_the_next(
    raw: RawZone, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw.load(taken(day(28, USD="1"), day(29, USD="1")))
    files = [
        taken(day(29, USD="2"), day(30, USD="2"), at="2026-11-02T13:00:00.000Z"),
        Taken(b"Date,USD\n2026-10-01,0\n2026-10-02,1\n", "bad.csv"),
    ]

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(job, step, killed)
        with pytest.raises(KeyboardInterrupt):
            raw.load(*files)
    days = {when: rate for when, _, rate in raw.rows()}
    assert days[date(2026, 10, 28)] == 1, "a day that nobody touches has changed"
    assert days[date(2026, 10, 29)] in (1, 2), "a day is half there"
    raw.load(*files)
    expected = [day(28, USD="1"), day(29, USD="2"), day(30, USD="2"), (date(2026, 10, 2), {"USD": Decimal(1)})]
    assert raw.rows() == flat(*expected)
    assert len(raw.ledger()) == 3
    assert len(raw.quarantined()) == 1


_RATES = st.dictionaries(st.sampled_from(["USD", "JPY", "XOF"]), st.sampled_from(["1", "2"]).map(Decimal), min_size=1)
_FILES = st.dictionaries(st.sampled_from(_DAYS), _RATES, min_size=1).map(lambda days: tuple(days.items()))


@settings(
    max_examples=5,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    contents=st.lists(_FILES, min_size=3, max_size=3, unique_by=lambda days: str(sorted(map(str, days)))),
    hours=st.lists(st.integers(12, 14), min_size=3, max_size=3),
    order=st.permutations(range(3)),
    cuts=st.sets(st.integers(1, 2)),
)
def test_the_order_of_loading_makes_no_difference(
    raw: RawZone, contents: list[tuple[Any, ...]], hours: list[int], order: list[int], cuts: set[int]
) -> None:
    files = [
        taken(*days, name=f"{n}.csv", at=f"2026-11-02T{hour}:00:00.000Z")
        for n, (days, hour) in enumerate(zip(contents, hours, strict=True))
    ]
    expected: dict[date, reference.Day] = {}
    for file, days in sorted(zip(files, contents, strict=True), key=lambda pair: (pair[0].ingested_at, pair[0].sha256)):
        assert reference.read(file.content, date(2026, 11, 2)).days == dict(days)
        expected |= dict(days)
    for table in (raw.dataset.table, raw.dataset.deciders, raw.dataset.ledger):
        raw.spark.sql(f"drop table if exists {table}")
    edges = [0, *sorted(cuts), 3]
    for first, last in pairwise(edges):
        raw.load(*(files[n] for n in order[first:last]))
    assert raw.rows() == flat(*expected.items())
    assert len(raw.ledger()) == len({file.sha256 for file in files})


def test_days_of_long_ago_are_days(raw: RawZone) -> None:
    old = Taken(b"Date,USD\n0047-12-01,1.1\n1582-10-10,1.2\n")
    assert raw.load(old)["changed_days"] == 2
    assert raw.load(old)["changed_days"] == 0
    found = raw.spark.sql(f"select string(rate_date) day, rate from {raw.dataset.table}").collect()
    assert {row["day"]: row["rate"] for row in found} == {"0047-12-01": Decimal("1.1"), "1582-10-10": Decimal("1.2")}


def test_a_raw_object_that_is_missing_fails_the_load_by_its_name(raw: RawZone) -> None:
    file = taken(day(30, USD="1"))
    manifest = raw.manifest(file)
    (raw.folder / manifest.files[0].object).unlink()
    with pytest.raises(AnalysisException, match=f"PATH_NOT_FOUND.*{file.sha256}"):
        job.load(raw.spark, raw.dataset, manifest, raw.uri)


def test_what_is_taken_back_is_decided_by_the_other_files_or_by_none(raw: RawZone) -> None:
    before = taken(day(27, USD="1.1", JPY="160"), day(28, USD="1.2"), name="before.csv", at="2026-11-01T12:00:00.000Z")
    wrong = taken(day(28, USD="9.9"), day(29, USD="9.9"), name="wrong.csv")
    other = taken(day(30, USD="1.4"), name="other.csv")
    raw.load(before)
    raw.load(wrong, other)
    assert raw.ledger().keys() == {before.sha256, wrong.sha256, other.sha256}

    result = raw.take_back(wrong, files=[before, other])

    assert raw.rows() == flat(day(27, USD="1.1", JPY="160"), day(28, USD="1.2"), day(30, USD="1.4"))
    assert raw.ledger().keys() == {before.sha256, other.sha256}
    assert result["changed_days"] == 1
    # Nothing of it is remembered: the file may be loaded again, and decides its days again.
    raw.load(wrong)
    assert raw.rows() == flat(day(27, USD="1.1", JPY="160"), day(28, USD="9.9"), day(29, USD="9.9"), day(30, USD="1.4"))


def test_taking_back_what_was_never_loaded_changes_nothing(raw: RawZone) -> None:
    first, never = taken(day(27, USD="1.1")), taken(day(28, USD="1.2"), name="never.csv")
    raw.load(first)
    raw.take_back(never, files=[first])
    assert raw.rows() == flat(day(27, USD="1.1"))
    assert raw.ledger().keys() == {first.sha256}
