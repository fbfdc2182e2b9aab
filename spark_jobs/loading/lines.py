"""Lines of raw files, and where each line stands in its file. Spark expressions only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as f

#: Hadoop's reader leaves out longer lines, without a word: see Profile.is_whole.
LINE_BYTES = 1 << 20
#: A header is read up to here.
_HEADER_CHARACTERS = 1 << 16
#: A byte order mark is not part of the first line.
_BOM_BYTES = 3


class Block(NamedTuple):
    """A part of a file that one Spark task reads."""

    start: int
    #: `id` of its first line.
    first: int
    lines: int


class Profile(NamedTuple):
    """What a file looks like from outside."""

    header: str
    #: Lines that are not blank, the header included.
    lines: int
    #: Whether all its bytes are in its lines.
    is_whole: bool
    blocks: list[Block]


def read_lines(spark: SparkSession, paths: Sequence[str]) -> DataFrame:
    """Lines of text files, without their ends, as `line` with the file's `name`.

    Only a line feed ends a line, so that a lone carriage return does not shift the row numbers.
    """
    return _text(spark, paths).select(_line(), _name())


def read_numbered(spark: SparkSession, paths: Sequence[str]) -> DataFrame:
    """The same with `start`, the block that the line is in, and `id`, which counts in it.

    Spark cuts the same list of files in the same way each time, so `id` may be compared between two queries of it. It
    is of no use in a MERGE, which wants a source that is the same by its definition.
    """
    place = f.col("_metadata.file_block_start").alias("start")
    return _text(spark, paths).select(_line(), _name(), place, f.monotonically_increasing_id().alias("id"))


def profile(spark: SparkSession, paths: Sequence[str]) -> dict[str, Profile]:
    """Look at each file: its header, and how many lines there are in each block. Empty files are not in the answer."""
    size = f.col("_metadata.file_size").alias("size")
    measured = (
        _text(spark, paths)
        .select("value", _line(), _name(), f.col("_metadata.file_block_start").alias("start"), size)
        .select("*", f.monotonically_increasing_id().alias("id"))
        .groupBy("name", "start", "size")
        .agg(
            f.min("id").alias("first"),
            f.count("*").alias("lines"),
            f.count(f.when(f.trim("line") != "", 1)).alias("filled"),
            f.sum(f.octet_length("value") + 1).alias("read"),
        )
        .collect()
    )
    blocks: dict[str, list[Block]] = defaultdict(list)
    read: dict[str, int] = defaultdict(int)
    filled: dict[str, int] = defaultdict(int)
    sizes: dict[str, int] = {}
    for row in sorted(measured, key=lambda row: row["start"]):
        blocks[row["name"]].append(Block(row["start"], row["first"], row["lines"]))
        read[row["name"]] += row["read"]
        filled[row["name"]] += row["filled"]
        sizes[row["name"]] = row["size"]
    # The first block may be empty of lines when the first line is left out; the file is then not whole anyway.
    tops = [found[0].first for found in blocks.values()]
    top = f.substring("line", 1, _HEADER_CHARACTERS).alias("line")
    headers = dict(read_numbered(spark, paths).where(f.col("id").isin(tops)).select("name", top).collect())
    return {
        name: Profile(headers[name], filled[name], sizes[name] - read[name] <= _BOM_BYTES, found)
        for name, found in blocks.items()
    }


def row_numbers(spark: SparkSession, profiles: Iterable[tuple[str, Profile]]) -> DataFrame:
    """For each block the number to add to `id` for the row number (1 is the first line), as `name, start, shift`."""
    shifts = []
    for name, found in profiles:
        before = 0
        for block in found.blocks:
            shifts.append((name, block.start, before + 1 - block.first))
            before += block.lines
    return spark.createDataFrame(shifts, "name string, start bigint, shift bigint")


def _text(spark: SparkSession, paths: Sequence[str]) -> DataFrame:
    limit = "mapreduce.input.linerecordreader.line.maxlength"
    return spark.read.option("lineSep", "\n").option(limit, LINE_BYTES).text(list(paths))


def _line() -> Column:
    text = f.col("value")
    shorter = text.substr(f.lit(1), f.char_length(text) - 1)
    return f.when(text.endswith("\r"), shorter).otherwise(text).alias("line")


def _name() -> Column:
    return f.col("_metadata.file_name").alias("name")
