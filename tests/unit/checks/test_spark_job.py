"""The check kind `spark_job`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import pytest

from data_platform.checks import spark_job
from data_platform.checks.base import CheckFailed, Deadline, ToolResult
from tests.unit.checks.fake_lake import FakePlatform, FakeStore, FakeTrino, use


def test_expected_sums_of_three_rows_by_hand() -> None:
    # id 0: 0.00; id 1: 79.19 on day 1; id 2: 158.38 on day 2
    assert spark_job.expected(3) == spark_job.Sums(
        3, Decimal("237.57"), Decimal("79.19") * 2 + Decimal("158.38") * 4, date(2024, 1, 1), date(2024, 1, 3)
    )


def test_the_weighted_sum_sees_exchanged_amounts() -> None:
    sums = spark_job.expected(3)
    assert sums.weighted_amount != Decimal("158.38") * 2 + Decimal("79.19") * 4


def run(monkeypatch: pytest.MonkeyPatch, sums: spark_job.Sums, returncode: int = 0) -> tuple[str, FakeTrino, list[str]]:
    sent: list[str] = []

    def submit(arguments: Sequence[str]) -> ToolResult:
        sent.extend(arguments)
        return ToolResult(returncode, "\n".join(f"line {n}" for n in range(100)))

    trino = use(monkeypatch, FakeTrino({"select count(*), sum(amount)": [list(sums)]}), FakeStore())
    try:
        return spark_job.check(spark_job.Params(rows=3), FakePlatform(submit), Deadline(5)), trino, sent
    finally:
        assert any(statement.startswith("drop table if exists lakehouse.scratch.check_") for statement in trino.asked)


def test_it_passes_when_trino_reads_what_was_to_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    evidence, trino, sent = run(monkeypatch, spark_job.expected(3))
    assert "Trino reads 3 rows" in evidence
    job, table_option, table, *rest = sent
    assert (job, table_option, rest) == ("spark_jobs/platform_check/write_table.py", "--table", ["--rows", "3"])
    assert table in trino.asked[0]


@pytest.mark.parametrize(
    "change", [{"rows": 2}, {"amount": Decimal(1)}, {"weighted_amount": Decimal(1)}, {"last_day": date(2024, 1, 2)}]
)
def test_any_other_sum_fails(monkeypatch: pytest.MonkeyPatch, change: dict[str, object]) -> None:
    with pytest.raises(CheckFailed, match="expected Sums"):
        run(monkeypatch, spark_job.expected(3)._replace(**change))  # type: ignore[arg-type]


def test_a_failed_job_fails_with_its_last_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckFailed, match=r"(?s)write_table\.py ended with 1:\nline 70\n.*line 99$"):
        run(monkeypatch, spark_job.expected(3), returncode=1)
