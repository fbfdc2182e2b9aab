"""Load a list of currencies into `lakehouse.raw.currencies`: the newest good file is the whole table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as f

from spark_jobs.loading.days import shown
from spark_jobs.loading.job import (
    REJECTED,
    SHOWN,
    Rejected,
    Table,
    Tally,
    make_books,
    note,
    quarantine,
    run,
    sql_list,
)
from spark_jobs.loading.manifest import Manifest
from spark_jobs.loading.tables import ensure_table, lineage, merge

CURRENCIES = Table("currencies", "Currencies by ISO 4217, as the newest good file says")
HEADER = "Code,Numeric code,French name,English name"
_CELLS = ["code", "numeric_code", "name_fr", "name_en"]
_COLUMNS = """code string not null, numeric_code string not null, name_fr string not null, name_en string not null,
    source_file string not null, ingested_at timestamp not null"""


def problem() -> Column:
    """Why a line is no currency; null for a good one. Only the first line may be, and must be, the header."""
    cells, times = f.col("cells"), f.count("*").over(Window.partitionBy("name", f.col("cells")[0]))
    return (
        f.when(
            f.col("row_number") == 1,
            f.when(f.col("line") != HEADER, f.concat(shown(f.col("line")), f.lit(f" is not the header '{HEADER}'"))),
        )
        .when(f.size(cells) != len(_CELLS), f.concat(f.size(cells), f.lit(f" cells, expected {len(_CELLS)}")))
        .when(~cells[0].rlike(r"\A[A-Z]{3}\z"), f.concat(shown(cells[0]), f.lit(" is no currency code")))
        .when(~cells[1].rlike(r"\A[0-9]{3}\z"), f.concat(shown(cells[1]), f.lit(" is no number of three digits")))
        .when((f.trim(cells[2]) == "") | (f.trim(cells[3]) == ""), f.lit("a name is missing"))
        .when(times > 1, f.concat(cells[0], f.lit(" is in the file more than once")))
    )


def judge(texts: DataFrame, files: DataFrame) -> DataFrame:
    """Lines of whole files, with `row_number`, `cells` and `problem`; with a wrong header the first line is all.

    Args:
        texts: `value`, with Spark's metadata of the file.
        files: `name`, and what is to be kept.
    """
    of_file = Window.partitionBy("name")
    text = f.regexp_replace("value", "^\ufeff", "")
    lines = texts.select(f.col("_metadata.file_name").alias("name"), f.posexplode(f.split(text, "\r?\n")))
    judged = (
        lines.select("name", (f.col("pos") + 1).alias("row_number"), f.col("col").alias("line"))
        .where((f.trim("line") != "") | (f.col("row_number") == 1))
        .withColumn("cells", f.split("line", ",", -1))
        .withColumn("problem", problem())
        .withColumn("of_header", f.max(f.when(f.col("row_number") == 1, f.col("problem"))).over(of_file))
    )
    return judged.where("of_header is null or row_number = 1").join(f.broadcast(files), "name")


def load(spark: SparkSession, dataset: Table, manifest: Manifest, root: str) -> dict[str, Any]:
    """Read, judge, write: arguments and answer as of spark_jobs.loading.job.load, without days."""
    make_books(spark, dataset)
    ensure_table(spark, dataset.table, _COLUMNS, dataset.comment, order="code")
    forget(spark, dataset, manifest.taken_back)
    rejected = [Rejected(r.source_file, 0, r.reason, r.object) for r in manifest.refused]
    tallies: dict[str, Tally] = {}
    if manifest.files:
        known = [(x.name, x.source_file, x.sha256, x.ingested_at) for x in manifest.files]
        files = spark.createDataFrame(known, "name string, source_file string, sha256 string, at string")
        texts = spark.read.text([f"{root}/{file.object}" for file in manifest.files], wholetext=True)
        judged = judge(texts, files.withColumn("ingested_at", f.col("at").cast("timestamp"))).persist()
        bad = judged.where("problem is not null").select("source_file", "row_number", "problem", "line", "sha256")
        bad_rows = bad.orderBy("source_file", "row_number").collect()
        rejected += [Rejected(*row[:4]) for row in bad_rows]
        good = judged.where("problem is null and row_number > 1")
        counts = dict(good.groupBy("sha256").count().collect())
        bad_counts = Counter(row["sha256"] for row in bad_rows)
        tallies = {x.sha256: Tally(counts.get(x.sha256, 0), 0, bad_counts[x.sha256]) for x in manifest.files}
        write(good, dataset)
    quarantine(spark.createDataFrame(rejected, REJECTED) if rejected else None, dataset)
    note(spark, manifest.files, tallies, dataset)
    return {
        "files": len(manifest.files),
        "rows": sum(tally.rows for tally in tallies.values()),
        "quarantined": len(rejected),
        "reasons": [f"{r.source_file}, row {r.row_number}: {r.reason}" for r in rejected[:SHOWN]],
    }


def forget(spark: SparkSession, dataset: Table, digests: Sequence[str]) -> None:
    """Empty the table where it is one of these files, and remove what the ledger knows of them."""
    if not digests:
        return
    listed = sql_list(digests)
    spark.sql(
        f"delete from {dataset.table} where (source_file, ingested_at) in"  # noqa: S608 - digests, our names
        f" (select source_file, ingested_at from {dataset.ledger} where sha256 in ({listed}))"
    )
    spark.sql(f"delete from {dataset.ledger} where sha256 in ({listed})")  # noqa: S608 - as above


def write(good: DataFrame, dataset: Table) -> None:
    """Make the newest file the table, unless the table is from a newer one."""
    spark = good.sparkSession
    ((newest,),) = good.agg(f.max(f.struct("ingested_at", "sha256"))).collect()
    ((there,),) = spark.table(dataset.table).agg(f.max("ingested_at")).collect()
    if newest is None or (there is not None and newest["ingested_at"] < there):
        return
    cells = [f.trim(f.col("cells")[place]).alias(name) for place, name in enumerate(_CELLS)]
    rows = good.where(f.col("sha256") == newest["sha256"]).select(*cells, "source_file", "ingested_at")
    # What the file has no longer goes. (Of an `overwrite`, the lineage listener does not say which table it was.)
    gone = spark.table(dataset.table).join(rows, "code", "left_anti").withColumn("source_file", f.lit(""))
    with lineage(spark):
        merge(rows.unionByName(gone.select(*rows.columns)), dataset.table, "code", gone="source_file = ''")


if __name__ == "__main__":
    run(CURRENCIES, load)
