"""What a load of the list does: good rows, refused rows, and which file is the table."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from spark_jobs.currencies.load import CURRENCIES, HEADER, load
from tests.integration.spark_jobs.rawzone import RawZone, Taken

REFERENCE = Path(__file__).resolve().parents[4] / "nifi_flows" / "currencies" / "reference.csv"
EURO, FRANC = "EUR,978,euro,Euro", "XOF,952,franc CFA (BCEAO),West African CFA Franc"
LATER = "2026-11-03T12:00:00.000Z"


class Lists(RawZone):
    """Lists of currencies in a folder."""

    def put(self, *files: Taken) -> dict[str, Any]:
        return load(self.spark, self.dataset, self.manifest(*files), self.uri)

    def codes(self) -> list[str]:
        return [code for (code,) in self.rows("code")]


@pytest.fixture
def lists(spark: SparkSession, tmp_path: Path, request: pytest.FixtureRequest) -> Lists:
    name = f"currencies_{abs(hash(request.node.name))}"
    return Lists(tmp_path, spark, dataclasses.replace(CURRENCIES, name=name))  # type: ignore[arg-type]


def taken(*lines: str, header: str = HEADER, name: str = "list.csv", at: str = LATER) -> Taken:
    return Taken("".join(f"{line}\r\n" for line in (header, *lines)).encode("utf-8-sig"), name, at)


def test_the_list_that_comes_with_the_platform_is_loaded_whole(lists: Lists) -> None:
    wanted = [tuple(line.split(",")) for line in REFERENCE.read_text(encoding="utf-8").splitlines()[1:]]
    assert len(wanted) >= 43
    assert lists.put(Taken(REFERENCE.read_bytes())) == {
        "files": 1, "rows": len(wanted), "quarantined": 0, "reasons": []
    }  # fmt: skip
    assert lists.rows("code, numeric_code, name_fr, name_en") == sorted(wanted)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("eur,978,euro,Euro", "'eur' is no currency code"),
        ("GBP,26,livre sterling,British Pound", "'26' is no number of three digits"),
        ("GBP,826,livre sterling, ", "a name is missing"),
        ("GBP,826,livre sterling", "3 cells, expected 4"),
        (EURO, "EUR is in the file more than once"),
    ],
)
def test_a_bad_row_is_kept_apart_and_the_others_load(lists: Lists, line: str, reason: str) -> None:
    rows = [FRANC, line] if line != EURO else [FRANC, line, line]
    result = lists.put(taken(*rows))
    assert lists.codes() == ["XOF"]
    assert lists.quarantined() == [("list.csv", row, reason, line) for row in range(3, len(rows) + 2)]
    assert result["quarantined"] == len(rows) - 1


def test_a_file_with_another_header_is_refused_and_the_table_stays(lists: Lists) -> None:
    lists.put(taken(EURO, at="2026-11-01T00:00:00.000Z"))
    bad = taken(EURO, FRANC, header="Code;Name", name="other.csv")
    lists.put(bad)
    assert lists.codes() == ["EUR"]
    ((file, row, reason, _),) = lists.quarantined()
    assert (file, row) == ("other.csv", 1)
    assert "is not the header" in reason
    assert lists.ledger()[bad.sha256] == (0, 0, 1)


def test_the_newest_file_is_the_table_in_whatever_order_files_are_loaded(lists: Lists) -> None:
    old, new = taken(EURO, FRANC, at="2026-11-01T00:00:00.000Z", name="old.csv"), taken(FRANC, name="new.csv")
    lists.put(new)
    lists.put(old)
    assert lists.rows("code, source_file") == [("XOF", "new.csv")]
    lists.put(old, new)
    assert lists.rows("code, source_file") == [("XOF", "new.csv")]
    assert len(lists.ledger()) == 2


def test_a_list_that_is_taken_back_makes_room_for_the_newest_of_the_others(lists: Lists) -> None:
    old = taken(EURO, FRANC, at="2026-11-01T00:00:00.000Z", name="old.csv")
    new = taken(FRANC, name="new.csv")
    lists.put(old)
    lists.put(new)
    assert lists.codes() == ["XOF"]
    manifest = lists.manifest(old, taken_back=[new.sha256])
    load(lists.spark, lists.dataset, manifest, lists.uri)
    assert lists.rows("code, source_file") == [("EUR", "old.csv"), ("XOF", "old.csv")]
    assert lists.ledger().keys() == {old.sha256}
    # The last one: nothing is left, and the audit says so.
    load(lists.spark, lists.dataset, lists.manifest(taken_back=[old.sha256]), lists.uri)
    assert lists.codes() == []
