"""The check kind `iceberg_roundtrip`."""

from __future__ import annotations

import re
from typing import Any

import pytest

from data_platform.checks import iceberg_roundtrip
from data_platform.checks.base import CheckFailed, Deadline, Params
from tests.unit.checks.fake_lake import FakePlatform, FakeStore, FakeTrino, use

OLD = "check_1600000000_0123abcd"
HIDDEN = "check_1500000000_0123abcd"
GOOD: dict[str, Any] = {
    "select count(*), min_by": [[26, "Atlantis"]],
    "select snapshot_id": [[7, "append"], [8, "append"]],
    "select count(*) from": [[25]],
    "show tables": [["fx_rates"], [OLD]],
}


def run(monkeypatch: pytest.MonkeyPatch, answers: dict[str, Any], *objects: str) -> tuple[str, FakeTrino, FakeStore]:
    store = FakeStore(*objects)
    trino = use(monkeypatch, FakeTrino({**GOOD, **answers}), store)
    return iceberg_roundtrip.check(Params(), FakePlatform(), Deadline(5)), trino, store


def test_it_asks_for_the_first_snapshot_and_drops_its_table(monkeypatch: pytest.MonkeyPatch) -> None:
    evidence, trino, _ = run(monkeypatch, {})
    assert "26 rows now, 25 as of snapshot 7" in evidence
    (made,) = [s.split()[2] for s in trino.asked if s.startswith("create table")]
    assert re.fullmatch(r"lakehouse\.scratch\.check_\d{10}_[0-9a-f]{8}", made)
    assert f"select count(*) from {made} for version as of 7" in trino.asked
    assert f"drop table if exists {made}" in trino.asked


def test_it_removes_tables_and_files_of_killed_runs_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = "warehouse/scratch/fx_rates-1/data/a.parquet"
    doomed = [f"warehouse/scratch/{OLD}-1/data/a.parquet", f"warehouse/scratch/{HIDDEN}_2/metadata/b.json"]
    evidence, trino, store = run(monkeypatch, {}, kept, *doomed)
    assert "removed 2 left by earlier runs" in evidence
    assert store.names == {kept}
    dropped = [s.rpartition(".")[2] for s in trino.asked if s.startswith("drop table")]
    assert dropped[1:] == [HIDDEN, OLD]


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"select count(*), min_by": [[25, "ALGERIA"]]}, "in two snapshots, found"),
        ({"select snapshot_id": [[8, "append"]]}, "in two snapshots, found"),
        ({"select count(*) from": [[26]]}, "expected 25 rows, found 26"),
    ],
)
def test_a_lost_row_or_snapshot_or_past_fails_and_the_table_is_dropped(
    monkeypatch: pytest.MonkeyPatch, answers: dict[str, Any], said: str
) -> None:
    trino = use(monkeypatch, FakeTrino({**GOOD, **answers}), FakeStore())
    with pytest.raises(CheckFailed, match=said):
        iceberg_roundtrip.check(Params(), FakePlatform(), Deadline(5))
    assert trino.asked[-1].startswith("drop table if exists lakehouse.scratch.check_")


def test_a_failed_removal_does_not_hide_what_failed_first(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = {"create table": RuntimeError("the first"), "drop table": RuntimeError("the second")}
    with pytest.raises(RuntimeError, match="the first"):
        run(monkeypatch, broken)


def test_a_table_that_cannot_be_removed_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match="the second"):
        run(monkeypatch, {"drop table": RuntimeError("the second")})


def test_a_table_that_stays_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data_platform.checks.scratch.scratch_name", lambda: "check_9999999999_0123abcd")
    with pytest.raises(CheckFailed, match="still there"):
        run(monkeypatch, {"show tables": [["check_9999999999_0123abcd"]]})
