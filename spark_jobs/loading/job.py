"""A load: the raw objects of a manifest become days of a table. `run` is the whole job of a dataset."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from spark_jobs.loading import days as d
from spark_jobs.loading.header import Columns, Refusal, read_header
from spark_jobs.loading.lines import LINE_BYTES, Profile, profile, read_lines, read_numbered, row_numbers
from spark_jobs.loading.manifest import File, Manifest, parse
from spark_jobs.loading.tables import append_missing, ensure_table, lineage, merge

#: Of all datasets, and always on the branch that everybody reads: what was refused is known before a load is published.
QUARANTINE = "published.raw.quarantine"
_ORIGIN = ("source_file", "ingested_at")
#: Reasons in a RESULT.
SHOWN = 20
#: Up to here a list of days is sent to every task; longer ones are sorted and merged.
_BROADCAST_DAYS = 200_000
_FILES = """sha256 string not null, source_file string not null, ingested_at timestamp not null, bytes bigint not null,
    rows bigint not null comment 'values found good', days bigint not null,
    quarantined bigint not null comment 'rows, or 1 for the file', loaded_at timestamp not null"""
_QUARANTINE = """dataset string not null, source_file string not null,
    row_number int not null comment '1 is the first line, 0 the file', reason string not null, content string,
    quarantined_at timestamp not null"""

#: Spark's types of Rejected.
REJECTED = "source_file string, row_number int, reason string, content string"


@dataclass(frozen=True)
class Table:
    """A table that is loaded from files, whatever is in them."""

    name: str
    comment: str

    @property
    def table(self) -> str:
        """Where the rows are."""
        return f"lakehouse.raw.{self.name}"

    @property
    def ledger(self) -> str:
        """Which files were loaded."""
        return f"{self.table}_files"


@dataclass(frozen=True)
class Dataset(Table):
    """A table with a row for each day and code, loaded from files with a row a day and a column a code."""

    #: Names of its columns.
    day: str
    code: str
    value: str
    rules: d.Rules

    def named(self, rows: DataFrame) -> DataFrame:
        """Rows (`day, code, value`, origin) under the names of the table."""
        return rows.toDF(self.day, self.code, self.value, *_ORIGIN)

    @property
    def deciders(self) -> str:
        """Which file decides each day."""
        return f"{self.table}_days"


class Rejected(NamedTuple):
    """A row, or with row number 0 a file, that is not loaded."""

    source_file: str
    row_number: int
    reason: str
    content: str


class Tally(NamedTuple):
    """What was found in a file."""

    rows: int
    days: int
    quarantined: int


class Source(NamedTuple):
    """What `read` finds: see lines and days.judge."""

    lines: DataFrame
    numbered: DataFrame
    shifts: DataFrame
    files: DataFrame


def run(dataset: Table, work: Callable[..., dict[str, Any]] | None = None) -> None:
    """Load the manifest that the command line names; the last line is `RESULT` and a JSON object (see `load`).

    Args:
        dataset: what.
        work: takes what `load` takes and answers as it does; `load` for a Dataset.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--manifest", required=True, help="URI of the manifest: ROOT/_manifests/DATASET/RUN.json")
    uri = parser.parse_args().manifest
    spark = SparkSession.builder.appName(f"{dataset.name}.load").getOrCreate()
    try:
        (document,) = spark.read.text(uri, wholetext=True).collect()
        manifest, root = parse(document["value"], dataset.name), uri.rpartition("/_manifests/")[0]
        result = (work or load)(spark, dataset, manifest, root)
        print(f"RESULT {json.dumps(result, ensure_ascii=False)}")
    finally:
        spark.stop()


def load(spark: SparkSession, dataset: Dataset, manifest: Manifest, root: str) -> dict[str, Any]:
    """Read, transform, write. Loading the same again changes nothing.

    Args:
        spark: with the catalogs `lakehouse` (the branch to write to) and `published`.
        dataset: what.
        manifest: which files.
        root: URI under which the objects are.

    Returns:
        `files`; `days` and `rows` in them that are good; `changed_days` of the table; `quarantined` rows and files, and
        the first `reasons` of these.
    """
    make_tables(spark, dataset)
    forget(spark, dataset, manifest.taken_back)
    paths = [f"{root}/{file.object}" for file in manifest.files]
    profiles = profile(spark, paths) if paths else {}
    headers, refusals = sort_out(manifest.files, profiles, dataset.rules)
    tallies = {file.sha256: Tally(0, 0, 1) for file, _ in refusals}
    whole = [Rejected(r.source_file, 0, r.reason, r.object) for r in manifest.refused]
    whole += [Rejected(file.source_file, *refusal) for file, refusal in refusals]
    quarantine(spark.createDataFrame(whole, REJECTED) if whole else None, dataset)
    reasons, quarantined, days_found, changed = list(whole), len(whole), 0, 0
    if headers:
        source = read(spark, paths, headers, profiles)
        days, rejected = (frame.persist(StorageLevel.DISK_ONLY) for frame in transform(source, dataset.rules, manifest))
        days_found = days.where("is_clear").select("day").distinct().count()
        found = tally(days, rejected, headers, profiles)
        if rejects := sum(t.quarantined for t in found.values()):
            quarantine(rejected.drop("sha256"), dataset)
            first = rejected.orderBy("source_file", "row_number").limit(SHOWN).collect()
            reasons += [Rejected(r["source_file"], r["row_number"], r["reason"], r["content"]) for r in first]
        quarantined += rejects
        tallies |= found
        changed = write(days, dataset)
    if not manifest.is_partial:
        note(spark, manifest.files, tallies, dataset)
    return {
        "files": len(manifest.files),
        "days": days_found,
        "rows": sum(t.rows for t in tallies.values()),
        "changed_days": changed,
        "quarantined": quarantined,
        "reasons": [f"{r.source_file}, row {r.row_number}: {r.reason}" for r in reasons[:SHOWN]],
    }


def make_books(spark: SparkSession, dataset: Table) -> None:
    """Make the ledger, and the table of what was refused, where they are missing."""
    ensure_table(spark, QUARANTINE, _QUARANTINE, "what was not loaded, and why")
    ensure_table(spark, dataset.ledger, _FILES, "which files were loaded", order="sha256")


def make_tables(spark: SparkSession, dataset: Dataset) -> None:
    """Make what is missing."""
    make_books(spark, dataset)
    ensure_table(
        spark,
        dataset.table,
        f"{dataset.day} date not null, {dataset.code} string not null, {dataset.value} {dataset.rules.value_type} "
        "not null, source_file string not null, ingested_at timestamp not null",
        dataset.comment,
        order=f"{dataset.day}, {dataset.code}",
    )
    decides = f"{dataset.day} date not null, sha256 string not null, ingested_at timestamp not null"
    ensure_table(spark, dataset.deciders, decides, "which file decides each day", order=dataset.day)


def forget(spark: SparkSession, dataset: Dataset, digests: Sequence[str]) -> None:
    """Remove the days that these files decide, and what the ledger knows of them; other files may decide them now.

    Args:
        spark: the session.
        dataset: what.
        digests: of files that were loaded.
    """
    if not digests:
        return
    listed = sql_list(digests)
    decided = f"select {dataset.day} from {dataset.deciders} where sha256 in ({listed})"  # noqa: S608 - digests, our names
    spark.sql(f"delete from {dataset.table} where {dataset.day} in ({decided})")  # noqa: S608 - as above
    for table in (dataset.deciders, dataset.ledger):
        spark.sql(f"delete from {table} where sha256 in ({listed})")  # noqa: S608 - as above


def sql_list(digests: Sequence[str]) -> str:
    """Digests as they stand in a statement; `manifest.parse` has seen that they are such."""
    return ", ".join(f"'{digest}'" for digest in digests)


def sort_out(
    files: Iterable[File], profiles: Mapping[str, Profile], rules: d.Rules
) -> tuple[dict[File, Columns], list[tuple[File, Refusal]]]:
    """The files that can be read, with what their headers say, and those that cannot, with the reason."""
    readable: dict[File, Columns] = {}
    refused: list[tuple[File, Refusal]] = []
    for file in files:
        answer = _header(profiles.get(file.name), rules)
        if isinstance(answer, Columns):
            readable[file] = answer
        else:
            refused.append((file, answer))
    return readable, refused


def _header(found: Profile | None, rules: d.Rules) -> Columns | Refusal:
    if found is None:
        return Refusal(0, "the file is empty", "")
    if not found.is_whole:
        return Refusal(0, f"a line is longer than {LINE_BYTES} bytes", "")
    answer = read_header(found.header, rules.code_pattern, rules.code_called)
    if isinstance(answer, Columns) and found.lines == 1:
        return Refusal(1, "the file has a header and no rows", found.header)
    return answer


def read(
    spark: SparkSession, paths: Sequence[str], headers: Mapping[File, Columns], profiles: Mapping[str, Profile]
) -> Source:
    """The lines of files and what is known of each file.

    Args:
        spark: the session.
        paths: of all files, those that were refused included: lines are numbered as in their profiles.
        headers: of the files that are read.
        profiles: see lines.profile.
    """
    known = [(x.name, x.source_file, x.sha256, x.ingested_at, c.width, c.columns) for x, c in headers.items()]
    files = spark.createDataFrame(
        known,
        "name string, source_file string, sha256 string, at string, width int, "
        "columns array<struct<code: string, position: int>>",
    )
    taken = f.col("at").cast("timestamp")
    files = files.select("*", taken.alias("ingested_at"), f.date_add(taken.cast("date"), 1).alias("latest")).drop("at")
    names = {file.name for file in headers}
    lines = read_lines(spark, [path for path in paths if path.rpartition("/")[2] in names])
    shifts = row_numbers(spark, [(name, profiles[name]) for name in names])
    return Source(lines, read_numbered(spark, paths), shifts, files)


def transform(source: Source, rules: d.Rules, manifest: Manifest) -> tuple[DataFrame, DataFrame]:
    """The good days of each file, and the rows that are rejected."""
    limits = manifest.first, manifest.last
    days = d.good_days(d.between(d.judge(source.lines, source.files, rules), *limits))
    numbered = d.between(d.judge(source.numbered, source.files, rules), *limits)
    return days, d.rejected_rows(numbered, source.shifts, days)


def tally(
    days: DataFrame, rejected: DataFrame, headers: Mapping[File, Columns], profiles: Mapping[str, Profile]
) -> dict[str, Tally]:
    """What was found in each file, by digest."""
    sums = days.where("is_clear").groupBy("sha256").agg(f.sum(f.size("entries")), f.count("*"), f.sum("times"))
    nothing = [0, 0, 0]
    found = {sha256: numbers for sha256, *numbers in sums.collect()}
    # Rejected rows are looked for only where a line is not accounted for: it reads everything once more.
    bad: dict[str, int] = {}
    if any(profiles[file.name].lines - 1 > found.get(file.sha256, nothing)[2] for file in headers):
        bad = dict(rejected.groupBy("sha256").count().collect())
    return {x.sha256: Tally(*found.get(x.sha256, nothing)[:2], bad.get(x.sha256, 0)) for x in headers}


def quarantine(rejected: DataFrame | None, dataset: Table) -> None:
    """Keep what was rejected, each row once, however often it is found."""
    if rejected is None:
        return
    now = f.lit(datetime.now(UTC).isoformat()).cast("timestamp")
    rows = rejected.select(f.lit(dataset.name).alias("dataset"), *Rejected._fields, now.alias("quarantined_at"))
    append_missing(rows, QUARANTINE, "dataset", *Rejected._fields)


def write(days: DataFrame, dataset: Dataset) -> int:
    """Bring the table to what the files say and return how many days changed.

    Each day changes in one commit, from what one file says to what another one says.
    """
    spark = days.sparkSession
    decided = spark.table(dataset.deciders).withColumnRenamed(dataset.day, "day")
    # Checkpoints cut the plan: lineage shows where values come from, and not what is read to choose among files.
    deciders = d.deciding(days, decided).localCheckpoint()
    # As texts: a Python date before the year 1000 does not reach Spark.
    limits = deciders.agg(f.min("day").cast("string"), f.max("day").cast("string")).first() or (None, None)
    first, last = (f.lit(limit).cast("date") for limit in limits)
    rows = spark.table(dataset.table).toDF("day", "code", "value", *_ORIGIN).where(f.col("day").between(first, last))
    changed = d.changed_days(days, deciders, rows).localCheckpoint()
    counts = {row["is_there"]: row["count"] for row in changed.groupBy("is_there").count().collect()}
    if sum(counts.values()) <= _BROADCAST_DAYS:
        changed = f.broadcast(changed)
    with lineage(spark):
        if counts.get(False):
            # What `changed` says is looked up once more in the table: it is by its input that lineage knows its name.
            new = d.rows_of(days.join(rows, "day", "left_anti"), changed.where("not is_there"))
            dataset.named(new).writeTo(dataset.table).append()
        if counts.get(True):
            replace_days(d.rows_of(days, changed.where("is_there")), rows, changed.where("is_there"), dataset)
    news = deciders.where("is_news").select("day", "sha256", "ingested_at")
    if not news.isEmpty():
        merge(news.withColumnRenamed("day", dataset.day), dataset.deciders, dataset.day)
    return sum(counts.values())


def replace_days(wanted: DataFrame, rows: DataFrame, replaced: DataFrame, dataset: Dataset) -> None:
    """Make the replaced days what is wanted, in one commit: codes that are not wanted any more disappear."""
    gone = rows.join(replaced, "day", "left_semi").join(wanted, ["day", "code"], "left_anti")
    gone = gone.withColumn("value", f.lit(None).cast(dataset.rules.value_type)).select(wanted.columns)
    everything = dataset.named(wanted.unionByName(gone))
    merge(everything, dataset.table, dataset.day, dataset.code, gone=f"{dataset.value} is null")


def note(spark: SparkSession, files: Sequence[File], tallies: Mapping[str, Tally], dataset: Table) -> None:
    """Write into the ledger which files are loaded now."""
    if not files:
        return
    now = datetime.now(UTC).isoformat()
    rows = [(x.sha256, x.source_file, x.ingested_at, x.bytes, *tallies[x.sha256], now) for x in files]
    frame = spark.createDataFrame(
        rows,
        "sha256 string, source_file string, ingested_at string, bytes bigint, rows bigint, days bigint, "
        "quarantined bigint, loaded_at string",
    )
    stamped = {name: f.col(name).cast("timestamp") for name in ("ingested_at", "loaded_at")}
    append_missing(frame.withColumns(stamped), dataset.ledger, "sha256")
