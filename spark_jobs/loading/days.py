"""From lines to days: which rows are good, what each good row says, and which file decides a day.

DataFrames in, DataFrames out, by expressions that Spark runs in the JVM: nothing is written, no server is asked.
A row of a file is a day and is taken whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as f

from spark_jobs.loading.header import BLANKS

_DAY = "\\A[0-9]{4}-[0-9]{2}-[0-9]{2}\\z"
_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_IN_WORDS = f"(?i)\\A([0-9]{{1,2}}) +({'|'.join(_MONTHS)}) +([0-9]{{4}})\\z"
_NOT_AVAILABLE = "N/A"
_CONTENT_CHARACTERS = 1000
#: Columns of what is rejected.
REJECTED = ("sha256", "source_file", "row_number", "reason", "content")


@dataclass(frozen=True)
class DayForm:
    """A way to write a day; one that leaves open which day is meant, such as 1/2/2026, is none."""

    called: str
    #: YYYY-MM-DD for a cell of this form, whether there is such a day or not; null for all others.
    read: Callable[[Column], Column]


def _read_words(cell: Column) -> Column:
    day, month, year = (f.regexp_extract(cell, _IN_WORDS, group) for group in (1, 2, 3))
    numbers = f.create_map(*(f.lit(word) for n, name in enumerate(_MONTHS, 1) for word in (name, f"{n:02}")))
    written = f.concat_ws("-", year, numbers[f.lower(month)], f.lpad(day, 2, "0"))
    return f.when(cell.rlike(_IN_WORDS), written)


ISO = DayForm("YYYY-MM-DD", lambda cell: f.when(cell.rlike(_DAY), cell))
#: In English, whatever the language of the machine.
IN_WORDS = DayForm("words such as 27 November 2026", _read_words)


@dataclass(frozen=True)
class Rules:
    """What the files of a dataset look like: a row a day, a column a code."""

    #: Regular expression of a code, and what a code is in words.
    code_pattern: str
    code_called: str
    #: Spark's type of a value.
    value_type: str
    #: Why a cell is no value, in words; null for a good one. Blank cells do not come here.
    problem: Callable[[Column], Column]
    #: How days may be written.
    day_forms: tuple[DayForm, ...] = (ISO,)


def judge(lines: DataFrame, files: DataFrame, rules: Rules) -> DataFrame:
    """Adds to each line `day`, `entries` (code and value of each filled cell) and `problem` (null for a good row).

    Blanks around a cell are no part of it.

    Args:
        lines: `line`, `name`, and whatever else is to be kept. Blank lines are left out.
        files: `name`, `width`, `columns` (array of code, position), `latest` (day), and whatever else is to be kept.
        rules: of the dataset.
    """
    cells = f.transform(f.split("line", ",", -1), lambda cell: f.btrim(cell, f.lit(BLANKS)))
    filled = f.filter(
        f.transform(
            "columns", lambda c: f.struct(c["code"].alias("code"), f.get("cells", c["position"] - 1).alias("cell"))
        ),
        lambda entry: (entry["cell"] != "") & (entry["cell"] != _NOT_AVAILABLE),
    )
    bad = f.filter("filled", lambda entry: rules.problem(entry["cell"]).isNotNull())[0]
    day = f.col("cells")[0]
    written = f.coalesce(*(form.read(day) for form in rules.day_forms))
    expected = " or ".join(form.called for form in rules.day_forms)
    right_width = f.size("cells") == f.col("width")
    problem = (
        f.when(~right_width, f.concat(f.size("cells").cast("string"), f.lit(" cells, expected "), f.col("width")))
        .when(f.col("day").isNull(), f.concat(f.lit("date "), shown(day), f.lit(f" is no day, expected {expected}")))
        .when(
            f.col("day") > f.col("latest"),
            f.concat(f.lit("date "), day, f.lit(" is in the future: the file came before "), f.col("latest")),
        )
        .when(
            # The last column may be there without a name, and is empty then.
            (f.col("width") > f.size("columns") + 1) & (f.element_at("cells", -1) != ""),
            f.concat(shown(f.element_at("cells", -1)), f.lit(" is in the last column, which has no name")),
        )
        .when(f.col("bad").isNotNull(), f.concat(f.col("bad.code"), f.lit(": "), rules.problem(f.col("bad.cell"))))
        .when(f.size("filled") == 0, f.lit("no value in the row"))
    )
    return (
        lines.where(f.trim("line") != "")
        .join(f.broadcast(files), "name", "inner")
        .withColumn("cells", cells)
        .withColumn("day", f.when(written >= "0001", written.cast("date")))
        .withColumn("filled", f.when(right_width, filled))
        .withColumn("bad", bad)
        .withColumn("problem", problem)
        .withColumn(
            "entries",
            f.when(
                f.col("problem").isNull(),
                f.transform(
                    "filled",
                    lambda e: f.struct(e["code"].alias("code"), e["cell"].cast(rules.value_type).alias("value")),
                ),
            ),
        )
        .drop("cells", "filled", "bad", "columns", "width", "latest")
    )


def shown(text: Column) -> Column:
    """A text in quotes, shortened."""
    return f.concat(f.lit("'"), f.substring(text, 1, 40), f.lit("'"))


def between(judged: DataFrame, first: date | None, last: date | None) -> DataFrame:
    """Without the rows of other days; rows whose day is not known stay."""
    for limit, inside in ((first, "day >= '{}'"), (last, "day <= '{}'")):
        if limit:
            judged = judged.where(f"day is null or {inside.format(limit.isoformat())}")
    return judged


def good_days(judged: DataFrame) -> DataFrame:
    """One row for each file and day: `name, source_file, sha256, ingested_at, day, entries, is_clear, times`.

    A day that is twice in a file counts once; `is_clear` is false when its rows differ.
    """
    file = ["name", "source_file", "sha256", "ingested_at"]
    # Bad rows have no entries and are dropped after grouping: Spark would work a filter before it into the reading of
    # the file, and judge each cell many times.
    return (
        judged.groupBy(*file, "day")
        .agg(f.min("entries").alias("entries"), f.max("entries").alias("other"), f.count("entries").alias("times"))
        .where("entries is not null")
        .select(*file, "day", "entries", f.col("entries").eqNullSafe(f.col("other")).alias("is_clear"), "times")
    )


def rejected_rows(numbered: DataFrame, shifts: DataFrame, days: DataFrame) -> DataFrame:
    """Rows that are not loaded, as REJECTED.

    Args:
        numbered: judged lines, with `start` and `id`.
        shifts: see lines.row_numbers.
        days: see good_days.
    """
    unclear = days.where("not is_clear").select("name", "day", f.lit(True).alias("is_unclear"))
    twice = f.concat(f.lit("date "), f.col("day"), f.lit(" is in the file twice, with different values"))
    return (
        numbered.join(f.broadcast(shifts), ["name", "start"])
        .withColumn("row_number", (f.col("id") + f.col("shift")).cast("int"))
        .where("row_number > 1")
        .join(f.broadcast(unclear), ["name", "day"], "left")
        .withColumn("reason", f.coalesce("problem", f.when(f.col("is_unclear"), twice)))
        .where("reason is not null")
        # Decoded once more: what is no UTF-8 becomes a question mark that every reader of the table can show.
        .withColumn("content", f.decode(f.encode(f.substring("line", 1, _CONTENT_CHARACTERS), "UTF-8"), "UTF-8"))
        .select(*REJECTED)
    )


def deciding(days: DataFrame, decided: DataFrame) -> DataFrame:
    """Which file each day must follow: of those taken last the one with the greatest digest.

    Args:
        days: see good_days.
        decided: `day, sha256, ingested_at` of earlier loads. A day that a later file decided is left out.

    Returns:
        `day, sha256, ingested_at, is_news`; `is_news` is false where an earlier load found the same.
    """
    rank = f.struct("ingested_at", "sha256")
    last = days.where("is_clear").groupBy("day").agg(f.max(rank).alias("last")).select("day", "last.*")
    earlier = decided.select("day", rank.alias("earlier"))
    return (
        last.join(earlier, "day", "left")
        .where(f.col("earlier").isNull() | (rank >= f.col("earlier")))
        .select("day", "sha256", "ingested_at", (~rank.eqNullSafe(f.col("earlier"))).alias("is_news"))
    )


def changed_days(days: DataFrame, deciders: DataFrame, rows: DataFrame) -> DataFrame:
    """Days that the table does not hold as the file that decides says: `day, sha256, is_there`.

    Args:
        days: see good_days.
        deciders: see deciding.
        rows: `day, code, value` of the table. `is_there` says whether it has any row of the day.
    """
    there = rows.groupBy("day").agg(f.sort_array(f.collect_list(f.struct("code", "value"))).alias("there"))
    return (
        days.join(deciders, ["day", "sha256"], "left_semi")
        .join(there, "day", "left")
        .where(~f.col("entries").eqNullSafe(f.col("there")))
        .select("day", "sha256", f.col("there").isNotNull().alias("is_there"))
    )


def rows_of(days: DataFrame, chosen: DataFrame) -> DataFrame:
    """Rows of the chosen days: `day, code, value, source_file, ingested_at`.

    Args:
        days: see good_days.
        chosen: `day, sha256`.
    """
    return (
        days.join(chosen, ["day", "sha256"], "left_semi")
        .select("day", f.explode("entries").alias("entry"), "source_file", "ingested_at")
        .select("day", "entry.code", "entry.value", "source_file", "ingested_at")
    )
