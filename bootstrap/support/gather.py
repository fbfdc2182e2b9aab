"""Gathers parts beside each other, each with a deadline: what hangs or fails is named, and the others are there."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from bootstrap.support.archive import Entry, Part
from data_platform.checks.base import Deadline
from data_platform.stack.errors import PlatformError


class Source(NamedTuple):
    """Where a part comes from.

    Attributes:
        name: of the part.
        what: it is, in words.
        seconds: deadline; what was there by then is kept.
        look: gives its files one after the other, and may raise.
    """

    name: str
    what: str
    seconds: float
    look: Callable[[], Iterator[Entry]]


def gather(sources: Sequence[Source], told: Callable[[Part], object]) -> list[Part]:
    """All parts, in the order of their sources. Takes as long as the longest deadline, at most.

    Args:
        sources: of the parts.
        told: hears of each part when it is done, or given up.
    """
    looks = [_Look(source) for source in sources]
    for look in looks:
        look.start()
    found = []
    for look in looks:
        look.join(look.deadline.remaining)
        found.append(look.part())
        told(found[-1])
    return found


class _Look(threading.Thread):
    """One part. A thread that hangs in a call is left behind: it is a daemon, so that it ends with the command."""

    def __init__(self, source: Source) -> None:
        super().__init__(name=f"support {source.name}", daemon=True)
        self._source = source
        self._entries: list[Entry] = []
        self._lacks = ""
        self._took: float | None = None
        self._begun = time.monotonic()
        self.deadline = Deadline(source.seconds)

    def run(self) -> None:
        """Look; whatever goes wrong is what a reader is told."""
        try:
            for entry in self._source.look():
                self._entries.append(entry)
        except PlatformError as error:
            self._lacks = str(error)
        except Exception as error:  # noqa: BLE001 - what is broken is what the archive is made for
            self._lacks = f"{type(error).__name__}: {error}".rstrip(": ")
        self._took = time.monotonic() - self._begun

    def part(self) -> Part:
        """What there is of it now."""
        took, entries = self._took, tuple(self._entries)
        if took is None:
            took = time.monotonic() - self._begun
            self._lacks = f"not done after {self.deadline.seconds:.0f} s; what was there by then is in the archive"
        return Part(self._source.name, self._source.what, entries, took, self._lacks)
