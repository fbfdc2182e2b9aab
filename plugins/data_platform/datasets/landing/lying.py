"""What lies in a landing folder: what the flow is to take, and what it never will. Pure.

The flow (`TakeFile` and its file filter) takes files that it may read, whose names are UTF-8, not hidden and do not end
in .part, and that were changed more than two seconds ago. For all else that lies there every run would wait in vain.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from data_platform.datasets.landing.names import DRAFT, HIDDEN, REPLACEMENT, shown

#: A time so far ahead may be of another machine's clock, and passes while a run waits.
_AHEAD_SECONDS = 60.0
#: For so long somebody who sees that it was not taken may mend it where it lies.
_RESTS_SECONDS = 600.0
#: A file that is being written is not idle for so long, and one whose writing goes on tomorrow not for a day.
_IDLE_SECONDS, _DRAFT_RESTS_SECONDS = 3600.0, 86400.0
#: Kinds of entries, by find's letter.
FILE = "f"
_KINDS = {"d": "a folder", "l": "a link, and links are not followed", "p": "a pipe", "s": "a socket", "b": "a device",
          "c": "a device"}  # fmt: skip


class Entry(NamedTuple):
    """Something in a landing folder, as the server sees it that has the flows.

    Attributes:
        name: as the file system has it.
        kind: find's letter for it.
        readable: whether the server may read it.
        changed: when its content was changed, in seconds since 1970; whoever writes it may say what he likes.
        touched: when anything of it was changed, its name and rights included; nobody can say otherwise.
        mark: by what it is known again, as long as nothing of it is changed.
    """

    name: bytes
    kind: str
    readable: bool
    changed: float
    touched: float
    mark: str


class Left(NamedTuple):
    """An entry that is not taken.

    Attributes:
        entry: which.
        why: a sentence for people, with its name and what to do.
        rested: whether it has lain there for so long that it may be set aside.
    """

    entry: Entry
    why: str
    rested: bool


class Lying(NamedTuple):
    """What lies in a landing folder, sorted by name.

    Attributes:
        waiting: names of the files that the flow is to take.
        left: what it does not take. Drafts that are being written are in neither.
    """

    waiting: list[str]
    left: list[Left]


def judge(entries: Iterable[Entry], now: float) -> Lying:
    """Tell apart what is waited for and what is not.

    Args:
        entries: all that lies in the folder.
        now: the server's time, in seconds since 1970.
    """
    waiting: list[str] = []
    left: list[Left] = []
    for entry in sorted(entries):
        idle = now - entry.touched
        if _is_draft(entry.name):
            if idle >= _IDLE_SECONDS:
                why = f"is called like a file that is being written, and nobody has for {idle / 3600:.0f} h"
                left.append(_left(entry, why, "rename it if it is whole", idle >= _DRAFT_RESTS_SECONDS))
        elif found := _why(entry, now):
            left.append(_left(entry, *found, idle >= _RESTS_SECONDS))
        else:
            waiting.append(entry.name.decode())
    return Lying(waiting, left)


def _is_draft(name: bytes) -> bool:
    return name.startswith(HIDDEN.encode()) or name.endswith(DRAFT.encode())


def _left(entry: Entry, why: str, remedy: str, rested: bool) -> Left:
    return Left(entry, f"'{shown(entry.name)}' {why}: {remedy}", rested)


def _why(entry: Entry, now: float) -> tuple[str, str] | None:
    """Why the flow never takes it, and what to do; None for a file that it takes."""
    if entry.kind != FILE:
        return f"is {_KINDS.get(entry.kind, 'no file')}", "land the files themselves"
    if REPLACEMENT in entry.name.decode("utf-8", errors="replace"):
        return "has a name that is not UTF-8", "land it under another name"
    if not entry.readable:
        return "may not be read by the server that has the flows", "give it the right to read"
    if entry.changed > now + _AHEAD_SECONDS:
        return f"was changed in the future, at {_time(entry.changed)}", "land it by `ingest`, or touch it"
    return None


def _time(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (OverflowError, ValueError, OSError):
        return f"{seconds:.0f} seconds after 1970"


def reason(left: Left, folder: str) -> str:
    """What is written beside a thing that is set aside.

    Args:
        left: the thing.
        folder: where it lay.
    """
    found = {"why": left.why, "folder": folder, "at": datetime.now(UTC).isoformat(timespec="seconds")}
    return json.dumps(found, ensure_ascii=False)
