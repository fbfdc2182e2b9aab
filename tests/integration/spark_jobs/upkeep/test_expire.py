"""Which states of a table the job of upkeep removes, and that the guard stands again however it ends."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from spark_jobs.upkeep.expire import expire

KEY = "raw.expire_test"
TABLE = f"lakehouse.{KEY}"


@pytest.fixture
def times(spark: SparkSession) -> Iterator[list[datetime]]:
    """When each of the three states of a guarded table began."""
    spark.sql("create namespace if not exists lakehouse.raw")
    spark.sql(f"create table {TABLE} (value int) using iceberg tblproperties ('gc.enabled' = 'false')")
    for value in range(3):
        spark.sql(f"insert into {TABLE} values ({value})")
    yield states(spark)
    spark.sql(f"drop table {TABLE}")


def states(spark: SparkSession) -> list[datetime]:
    rows = spark.sql(f"select cast(committed_at as double) from {TABLE}.snapshots order by 1").collect()
    return [datetime.fromtimestamp(row[0], UTC) for row in rows]


def guard(spark: SparkSession) -> str:
    (row,) = spark.sql(f"show tblproperties {TABLE} ('gc.enabled')").collect()
    return str(row["value"])


def test_states_that_began_before_the_time_go_and_the_guard_stays(spark: SparkSession, times: list[datetime]) -> None:
    expire(spark, KEY, times[1])
    assert states(spark) == times[1:]
    assert guard(spark) == "false"
    assert sorted(row.value for row in spark.table(TABLE).collect()) == [0, 1, 2]


def test_what_readers_see_stays_whatever_the_time(spark: SparkSession, times: list[datetime]) -> None:
    expire(spark, KEY, times[-1] + timedelta(days=1))
    assert states(spark) == times[-1:]


def test_without_the_job_the_guard_stands_against_it(spark: SparkSession, times: list[datetime]) -> None:
    with pytest.raises(Py4JJavaError, match="GC is disabled"):
        spark.sql(f"call lakehouse.system.expire_snapshots(table => '{KEY}', older_than => timestamp '2100-01-01')")
    assert states(spark) == times


def test_the_guard_is_put_back_when_it_fails(
    spark: SparkSession, times: list[datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    sql = spark.sql

    def refuse(statement: str) -> object:
        if statement.startswith("call"):
            assert guard(spark) == "true"
            raise RuntimeError("killed")
        return sql(statement)

    with monkeypatch.context() as patch:
        patch.setattr(spark, "sql", refuse)
        with pytest.raises(RuntimeError, match="killed"):
            expire(spark, KEY, times[1])
    assert guard(spark) == "false"
    assert states(spark) == times
