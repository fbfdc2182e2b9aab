"""Whether a file can be read at all: its first line and its size. Plain Python, no Spark."""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

#: What may stand beside a comma and says nothing: some programs write it, and spreadsheets keep it.
BLANKS = " \t\u00a0"
_DAY = "Date"
_SHOWN = 40


class Columns(NamedTuple):
    """What the first line says."""

    #: Cells of each row, the day and an unnamed last one included.
    width: int
    #: Code and position (from 1) of each column of values, by code.
    columns: list[tuple[str, int]]


class Refusal(NamedTuple):
    """Why nothing of a file is loaded."""

    row_number: int
    reason: str
    content: str


def read_header(line: str, pattern: str, called: str) -> Columns | Refusal:
    """Understand the first line of a file whose rows are days and whose columns are codes.

    Args:
        line: with or without byte order mark and carriage return.
        pattern: regular expression of a code.
        called: what a code is, in words.
    """
    line = line.removeprefix("\ufeff").removesuffix("\r")
    names = [name.strip(BLANKS) for name in line.split(",")]
    width = len(names)
    if names[0] != _DAY:
        separator = ": columns are separated by semicolons, expected commas" if ";" in line else ""
        return Refusal(1, f"the first column is {_shown(names[0])}, expected '{_DAY}'{separator}", line)
    codes = names[1:]
    if codes and codes[-1] == "":  # ECB ends each line with a comma, in its file of a day with a blank behind it
        codes.pop()
    if not codes:
        return Refusal(1, f"no column beside '{_DAY}'", line)
    for code in codes:
        if not re.fullmatch(pattern, code):
            return Refusal(1, f"column {_shown(code)} is no {called}", line)
    if twice := sorted(code for code, times in Counter(codes).items() if times > 1):
        return Refusal(1, f"column {', '.join(twice)} is there twice", line)
    return Columns(width, sorted((code, position) for position, code in enumerate(codes, 2)))


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
