"""The check kind `sql`."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from data_platform.checks import sql
from data_platform.checks.base import CheckFailed, Deadline
from tests.unit.checks.fake_lake import FakePlatform, FakeTrino, use


def test_it_passes_with_the_value_as_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    trino = use(monkeypatch, FakeTrino({"select 1": [[25]]}))
    evidence = sql.check(sql.Params(sql="select 1", expect=25), FakePlatform(), Deadline(5))
    assert evidence == "select 1: 25"
    assert trino.asked == ["select 1"]


@pytest.mark.parametrize(("expect", "rows"), [(25, [[24]]), (25, [["25"]]), (25, []), (1, [[True]]), (True, [[1]])])
def test_another_value_or_type_or_no_row_fails(
    monkeypatch: pytest.MonkeyPatch, expect: int | bool, rows: list[list[object]]
) -> None:
    use(monkeypatch, FakeTrino({"select 1": rows}))
    with pytest.raises(CheckFailed, match=f"expected {expect!r}, found"):
        sql.check(sql.Params(sql="select 1", expect=expect), FakePlatform(), Deadline(5))


def test_a_check_must_say_what_it_expects() -> None:
    with pytest.raises(ValidationError, match="expect"):
        sql.Params.model_validate({"sql": "select 1"})
