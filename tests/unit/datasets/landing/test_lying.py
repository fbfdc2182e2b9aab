"""What is waited for in a landing folder, and what is not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from data_platform.datasets.landing.lying import Entry, Left, judge, reason

NOW = 1_800_000_000.0
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


def entry(name: bytes = b"a.csv", **changed: Any) -> Entry:
    """A file that was put there a second ago."""
    made = Entry(name, "f", True, NOW - 1, NOW - 1, "1 1")
    return made._replace(**changed)


def left(*entries: Entry) -> list[Left]:
    found = judge(entries, NOW)
    assert found.waiting == []
    return found.left


def test_files_that_are_taken_are_waited_for_sorted() -> None:
    names = (b"b.csv", "été.csv".encode(), b"a b.zip", b"rates.xlsx", b"a\nb.csv", b"x.part.csv", b"-n")
    assert judge([entry(name) for name in names], NOW) == (sorted(name.decode() for name in names), [])


def test_a_file_that_rests_or_is_as_old_as_the_hills_is_waited_for() -> None:
    for changed in (NOW, NOW - 30 * DAY, 0.0, NOW + 59):
        assert judge([entry(changed=changed, touched=NOW - 3 * DAY)], NOW) == (["a.csv"], [])


@pytest.mark.parametrize(
    ("never", "why"),
    [
        (entry(kind="d"), "'a.csv' is a folder: land the files themselves"),
        (entry(kind="l"), "'a.csv' is a link, and links are not followed: land the files themselves"),
        (entry(kind="p"), "'a.csv' is a pipe: "),
        (entry(kind="s"), "'a.csv' is a socket: "),
        (entry(kind="c"), "'a.csv' is a device: "),
        (entry(kind="D"), "'a.csv' is no file: "),
        (entry(b"taux_\xe9.csv"), r"'taux_\xe9.csv' has a name that is not UTF-8: land it under another name"),
        (entry("\ufffd.csv".encode()), "has a name that is not UTF-8"),
        (entry(readable=False), "'a.csv' may not be read by the server that has the flows: give it the right to read"),
        (
            entry(changed=NOW + 61),
            "'a.csv' was changed in the future, at 2027-01-15T08:01:01+00:00: land it by `ingest`",
        ),
        (entry(changed=1e17), "'a.csv' was changed in the future, at 100000000000000000 seconds after 1970"),
    ],
)
def test_what_is_never_taken_is_told_at_once_and_set_aside_after_ten_minutes(never: Entry, why: str) -> None:
    (found,) = left(never)
    assert why in found.why
    assert not found.rested
    assert [each.rested for each in left(never._replace(touched=NOW - 10 * MINUTE))] == [True]
    assert [each.rested for each in left(never._replace(touched=NOW - 10 * MINUTE + 1))] == [False]


@pytest.mark.parametrize("name", [b".hidden.csv", b"a.csv.part", b".both.part", b".\xff", b".part"])
def test_a_draft_is_left_alone_until_nobody_writes_it_any_more(name: bytes) -> None:
    assert left(entry(name, touched=NOW - HOUR + 1)) == []
    (idle,) = left(entry(name, touched=NOW - HOUR))
    assert (idle.rested, idle.why.endswith("nobody has for 1 h: rename it if it is whole")) == (False, True)
    assert [each.rested for each in left(entry(name, touched=NOW - DAY))] == [True]


def test_how_old_something_says_to_be_does_not_count() -> None:
    """`cp -p` and archives bring the time of the content with them."""
    assert left(entry(b".draft", changed=NOW - 30 * DAY)) == []
    assert [each.rested for each in left(entry(kind="d", changed=NOW - 30 * DAY))] == [False]


def test_one_that_is_never_taken_hides_no_other() -> None:
    found = judge([entry(b"b.csv"), entry(b"a", kind="d"), entry(b"c.csv", changed=NOW + DAY), entry(b".d")], NOW)
    assert (found.waiting, [each.entry.name for each in found.left]) == (["b.csv"], [b"a", b"c.csv"])


def test_the_reason_says_what_where_and_when() -> None:
    found = json.loads(reason(Left(entry(), "'é' is a folder", rested=True), "/landing/x"))
    assert (found["why"], found["folder"], sorted(found)) == ("'é' is a folder", "/landing/x", ["at", "folder", "why"])
