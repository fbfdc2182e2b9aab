"""Iceberg tables of a load: made when missing, changed only when something changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

_TRANSPORT = "spark.openlineage.transport.type"
_LISTENERS_MS = 10_000
_PROPERTIES = {
    "format-version": "2",
    "history.expire.max-snapshot-age-ms": str(30 * 24 * 3600 * 1000),
    "history.expire.min-snapshots-to-keep": "10",
    "write.parquet.compression-codec": "zstd",
}


def ensure_table(spark: SparkSession, table: str, columns: str, comment: str, order: str = "") -> None:
    """Make a table and its namespace where they are missing.

    Args:
        spark: the session.
        table: catalog.schema.table.
        columns: as in CREATE TABLE.
        comment: what is in it.
        order: columns that identify a row and by which the rows are sorted, comma-separated; empty for none.
    """
    if spark.catalog.tableExists(table):
        return
    spark.sql(f"create namespace if not exists {table.rpartition('.')[0]}")
    properties = ", ".join(f"'{key}' = '{value}'" for key, value in _PROPERTIES.items())
    spark.sql(
        f"create table if not exists {table} ({columns}) using iceberg comment '{comment}' tblproperties ({properties})"
    )
    if order:
        spark.sql(f"alter table {table} set identifier fields {order}")
        spark.sql(f"alter table {table} write ordered by {order}")


def append_missing(rows: DataFrame, table: str, *key: str) -> None:
    """Append the rows whose key is not in the table yet, each once. No commit when there are none."""
    there, new = rows.sparkSession.table(table).alias("there"), rows.dropDuplicates(list(key)).alias("new")
    same = f.lit(True)
    for column in key:
        same &= f.col(f"new.{column}").eqNullSafe(f.col(f"there.{column}"))
    missing = new.join(there, same, "left_anti").persist()
    try:
        if not missing.isEmpty():
            missing.writeTo(table).append()
    finally:
        missing.unpersist()


def merge(rows: DataFrame, table: str, *key: str, gone: str = "false") -> None:
    """Insert or update rows by key in one commit; rows where `gone` is true are deleted instead."""
    rows.createOrReplaceTempView("wanted")
    same = " and ".join(f"t.{column} = w.{column}" for column in key)
    update = ", ".join(f"t.{column} = w.{column}" for column in rows.columns)
    names, values = ", ".join(rows.columns), ", ".join(f"w.{column}" for column in rows.columns)
    rows.sparkSession.sql(
        f"merge into {table} t using (select *, {gone} as gone from wanted) w on {same} "  # noqa: S608 - our own names
        f"when matched and w.gone then delete when matched then update set {update} "
        f"when not matched and not w.gone then insert ({names}) values ({values})"
    )


@contextmanager
def lineage(spark: SparkSession) -> Iterator[None]:
    """Tell the lineage catalog of what is done inside, where Spark's settings name one.

    A listener for the whole job (spark.extraListeners) would tell it of bookkeeping too. Listeners run behind, so this
    ends when it has seen everything, or after ten seconds: the catalog must not hold up a load.
    """
    context = spark.sparkContext._jsc.sc()  # PySpark has no other way to its listeners
    if not context.conf().contains(_TRANSPORT):
        yield
        return
    listener = spark.sparkContext._jvm.io.openlineage.spark.agent.OpenLineageSparkListener(context.conf())
    context.addSparkListener(listener)
    try:
        yield
        context.listenerBus().waitUntilEmpty(_LISTENERS_MS)
    except Py4JJavaError as error:
        if "TimeoutException" not in error.java_exception.getClass().getName():
            raise
        print("lineage is incomplete: the catalog takes too long to answer")
    finally:
        context.removeSparkListener(listener)
