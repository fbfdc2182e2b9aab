"""Remove states of Iceberg tables that are older than a time, with the files that only they need.

Iceberg's catalog of Nessie forbids this (`gc.enabled`), because states may be needed by other branches. Who starts this
job has looked at that (data_platform.datasets.upkeep). The guard is lifted for one statement and put back.
"""

from __future__ import annotations

import argparse
from datetime import datetime

from pyspark.sql import SparkSession

_CATALOG = "lakehouse"
_GUARD = "gc.enabled"


def expire(spark: SparkSession, key: str, oldest: datetime) -> None:
    """Remove the states of a table, `schema.table`, that began before a time."""
    schema, _, name = key.partition(".")
    table = f"{_CATALOG}.`{schema}`.`{name}`"
    spark.sql(f"alter table {table} set tblproperties ('{_GUARD}' = 'true')")
    try:
        spark.sql(
            f"call {_CATALOG}.system.expire_snapshots(table => '`{schema}`.`{name}`',"
            f" older_than => timestamp '{oldest.isoformat(sep=' ')}')"
        )
    finally:
        spark.sql(f"alter table {table} set tblproperties ('{_GUARD}' = 'false')")


def main() -> None:
    """Expire states of the tables that the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", action="append", required=True, help="schema.table=TIME, ISO 8601 with its zone")
    pairs = [argument.partition("=")[::2] for argument in parser.parse_args().table]
    spark = SparkSession.builder.appName("upkeep.expire").getOrCreate()
    try:
        for key, oldest in pairs:
            expire(spark, key, datetime.fromisoformat(oldest))
    finally:
        spark.stop()


if __name__ == "__main__":
    main()
