"""The end of a file that may be large, read without its beginning."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

#: Where a line is longer than this, as much is left out in the place of a line.
_LINE = 8192


class Tail(NamedTuple):
    """The end of a file, and how many bytes before it were left out."""

    text: str
    left_out: int


def tail(path: Path, size: int) -> Tail:
    """The last lines of a file, of `size` bytes at most; what is no UTF-8 is replaced.

    It begins with a whole line, so that no word in it is a half one.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        whole = stream.seek(0, os.SEEK_END)
        start = max(0, whole - size)
        stream.seek(start)
        content = stream.read(size)
    if start:
        content = from_line(content)
    return Tail(content.decode(errors="replace"), whole - len(content) if start else 0)


def from_line(content: bytes) -> bytes:
    """What was cut somewhere, from its first whole line on."""
    end = content.find(b"\n", 0, _LINE)
    return content[end + 1 :] if end >= 0 else content[_LINE:]
