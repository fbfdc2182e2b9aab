"""Moments as people read them: in the reader's zone, and as "3 min ago".

A text that names moments is kept in parts (`Told`), so that a terminal, a page and a program each write them their way.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo

#: How long ago something was is told in the first of these that is long enough: unit, its seconds, and how many of them
#: there must be. The pages' script goes by the same list (pages/templates/times.js).
UNITS = (("days", 86400, 2), ("h", 3600, 1), ("min", 60, 1), ("s", 1, 1))

#: A text in parts: words, and the moments between them.
Told = Sequence[str | datetime]


def instant(said: str | datetime) -> datetime:
    """A moment with its zone, in UTC where it names none: as Trino gives timestamps.

    Args:
        said: the moment, or its text in ISO 8601.
    """
    at = datetime.fromisoformat(said) if isinstance(said, str) else said
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def ago(at: datetime, now: datetime) -> str:
    """How long ago a moment was, such as `3 min ago`; `in 3 min` when it is still to come."""
    seconds = (now - at).total_seconds()
    for unit, size, least in UNITS:
        if abs(seconds) >= size * least:
            span = f"{int(abs(seconds) // size)} {unit}"
            return f"{span} ago" if seconds > 0 else f"in {span}"
    return "just now"


def local(at: datetime, now: datetime, zone: tzinfo | None = None) -> str:
    """A moment for a terminal: `2026-11-26 17:30:12 CET (3 min ago)`.

    Args:
        at: the moment.
        now: the time of the reader.
        zone: his zone; the shell's (TZ) when it is None.
    """
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S %Z} ({ago(at, now)})"


def plain(told: Told, now: datetime, zone: tzinfo | None = None) -> str:
    """A text in parts for a terminal; for the arguments see `local`."""
    return "".join(part if isinstance(part, str) else local(part, now, zone) for part in told)


def iso(told: Told) -> str:
    """A text in parts for programs: moments in ISO 8601 and UTC."""
    return "".join(part if isinstance(part, str) else instant(part).isoformat(timespec="seconds") for part in told)
