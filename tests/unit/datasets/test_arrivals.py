"""What a watcher finds, and what it asks the store for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from data_platform.datasets import arrivals, files
from data_platform.datasets.arrivals import Seen
from tests.unit.datasets.fake_store import Store

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)


def key(at: datetime, digest: str = "0123456789abcdef") -> str:
    """What the flow calls an arrival."""
    return f"{at:%Y%m%dT%H%M%S}{at.microsecond // 1000:03}-{digest}"


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def use(monkeypatch: pytest.MonkeyPatch) -> Store:
    """A new store for the watcher to ask."""
    made = Store()
    for module in (files, arrivals):
        monkeypatch.setattr(module, "store_of", lambda *_: made)
    return made


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store with one file of long ago, which left no arrival, as on a platform of an earlier version."""
    made = use(monkeypatch)
    made.receive("old", "old.csv", "2026-11-01T10:00:00.000Z")
    return made


def look(before: Seen | None = None, now: datetime = NOW) -> Seen:
    return arrivals.look(None, "fx_rates", before, now, 5)  # type: ignore[arg-type]


def test_the_first_look_finds_that_there_are_files_at_all(store: Store) -> None:
    assert look().new == 1
    store.objects.clear()
    assert look().new == 0
    store.refuse("bad.zip", "truncated")
    assert look().new == 1


def test_an_arrival_is_new_once(store: Store) -> None:
    store.arrive(key(ago(600)))
    seen = look()
    seen = look(seen)
    assert seen.new == 0
    store.arrive(key(ago(1)))
    store.arrive(key(ago(1), "fedcba9876543210"))
    seen = look(seen)
    assert seen.new == 2
    assert look(seen).new == 0


def test_an_arrival_of_another_dataset_is_none(store: Store) -> None:
    seen = look()
    store.put("raw", f"_arrivals/fx_rates_2/{key(NOW)}", "")
    assert look(seen).new == 0


def test_an_arrival_that_is_seen_late_or_of_a_slow_clock_is_found(store: Store) -> None:
    store.arrive(key(ago(0)))
    seen = look()
    store.arrive(key(ago(110)))
    assert look(seen).new == 1


def test_a_clock_that_is_ahead_hides_nothing(store: Store) -> None:
    seen = look()
    store.arrive(key(NOW + timedelta(days=900)))
    seen = look(seen)
    assert seen.new == 1
    store.arrive(key(ago(1)))
    seen = look(seen)
    assert seen.new == 1
    assert look(seen, NOW + timedelta(seconds=5)).new == 0


def test_a_clock_here_that_is_ahead_hides_nothing(store: Store) -> None:
    seen = look(now=NOW + timedelta(minutes=50))
    store.arrive(key(NOW))
    assert look(seen, NOW + timedelta(minutes=50)).new == 1


def test_a_clock_that_is_set_back_finds_nothing_twice(store: Store) -> None:
    for seconds in (200, 110, 0):
        store.arrive(key(ago(seconds)))
    seen = look(look())
    assert look(look(seen, ago(100)), ago(100)).new == 0


def test_what_somebody_puts_there_by_hand_stops_nothing(store: Store) -> None:
    seen = look()
    for name in ("README", "20269999T999999999-x", "zzz"):
        store.arrive(name)
    seen = look(seen)
    store.arrive(key(NOW))
    assert look(seen).new == 1


def test_what_is_remembered_does_not_grow(store: Store) -> None:
    seen = look()
    for minute in range(300):
        store.arrive(key(NOW + timedelta(minutes=minute)))
        seen = look(seen, NOW + timedelta(minutes=minute))
        assert seen.new == 1
    assert len(seen.known) == 3  # the last two minutes, both ends


def requests(store: Store, count: int) -> list[int]:
    """Lists that each of four looks asks for where so many files lie, the newest arrivals of them an hour old."""
    for number in range(count):
        content = str(number)
        digest = store.receive(content, f"{number}.csv", "2026-11-20T10:00:00.000Z")
        store.refuse(f"{number}.zip", "truncated")
        store.arrive(key(ago(3600 + number), digest[:16]))
    seen, each = None, []
    for number in range(4):
        before = store.pages
        seen = look(seen, NOW + timedelta(seconds=5 * number))
        each.append(store.pages - before)
        assert seen.new == (1 if number != 1 else 0)
        if number:
            store.arrive(key(NOW + timedelta(seconds=5 * number), "fedcba9876543210"))
    return each


def test_a_look_costs_the_same_however_many_files_lie_there(monkeypatch: pytest.MonkeyPatch) -> None:
    few, many = (requests(use(monkeypatch), count) for count in (10, 5000))
    assert few == many == [2, 1, 1, 1]
