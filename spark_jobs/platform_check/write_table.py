"""Write a small Iceberg table in two steps, for the check kind `spark_job`.

Row `id` (0, 1, 2, …) has amount = (id * 7919 mod 1000003) / 100 and day = 2024-01-01 + (id mod 366) days. The first
step writes every third row with amount 0, the second merges all rows, so that some are updated and some inserted.
"""

from __future__ import annotations

import argparse

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

FIRST_DAY = "2024-01-01"


def read(spark: SparkSession, rows: int) -> DataFrame:
    """The numbers from 0 to rows - 1, as `id`."""
    return spark.range(rows, numPartitions=2)


def transform(ids: DataFrame) -> DataFrame:
    """Amount and day of each id."""
    cents = (f.col("id") * 7919) % 1000003
    return ids.select(
        "id",
        (cents / 100).cast("decimal(12,2)").alias("amount"),
        f.date_add(f.lit(FIRST_DAY).cast("date"), (f.col("id") % 366).cast("int")).alias("day"),
    )


def write(wanted: DataFrame, table: str) -> None:
    """Make the table with some wrong rows, then merge the wanted ones into it."""
    spark = wanted.sparkSession
    spark.sql(f"create namespace if not exists {table.rpartition('.')[0]}")
    wrong = wanted.where("id % 3 = 0").withColumn("amount", f.lit(0).cast("decimal(12,2)"))
    wrong.writeTo(table).using("iceberg").create()
    wanted.createOrReplaceTempView("wanted")
    spark.sql(
        f"merge into {table} t using wanted w on t.id = w.id "
        "when matched then update set * when not matched then insert *"
    )


def main() -> None:
    """Read, transform, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", required=True, help="catalog.schema.table, which does not exist")
    parser.add_argument("--rows", type=int, required=True)
    arguments = parser.parse_args()
    spark = SparkSession.builder.appName("platform_check.write_table").getOrCreate()
    try:
        write(transform(read(spark, arguments.rows)), arguments.table)
    finally:
        spark.stop()


if __name__ == "__main__":
    main()
