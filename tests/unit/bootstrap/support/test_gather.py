"""What hangs or fails hides nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from bootstrap.support.archive import Entry, Part
from bootstrap.support.gather import Source, gather
from data_platform.stack.errors import PlatformError

ONE, TWO = Entry("one.txt", "one", "1"), Entry("two.txt", "two", "2")


def test_a_part_that_hangs_is_named_and_what_it_had_is_kept() -> None:
    never = threading.Event()

    def hangs() -> Iterator[Entry]:
        yield ONE
        never.wait(600)
        yield TWO

    heard: list[Part] = []
    sources = [Source("stuck", "what hangs", 0.2, hangs), Source("fine", "what does not", 60, lambda: iter([TWO]))]
    stuck, fine = gather(sources, heard.append)
    never.set()
    assert stuck.entries == (ONE,)
    assert stuck.lacks.startswith("not done after 0 s; what was there by then")
    assert (fine.entries, fine.lacks) == ((TWO,), "")
    assert heard == [stuck, fine]


def test_parts_are_gathered_beside_each_other() -> None:
    met = threading.Barrier(2, timeout=60)

    def meets() -> Iterator[Entry]:
        met.wait()
        yield ONE

    found = gather([Source("a", "", 60, meets), Source("b", "", 60, meets)], lambda _: None)
    assert [part.lacks for part in found] == ["", ""]


def test_a_part_that_fails_says_why_and_keeps_what_it_had() -> None:
    def refused() -> Iterator[Entry]:
        yield ONE
        raise PlatformError("PostgreSQL does not answer", "start it")

    def broken() -> Iterator[Entry]:
        yield from ()
        raise KeyError

    found = gather([Source("a", "", 60, refused), Source("b", "", 60, broken)], lambda _: None)
    assert [part.lacks for part in found] == ["PostgreSQL does not answer\n  → start it", "KeyError"]
    assert [part.entries for part in found] == [(ONE,), ()]
