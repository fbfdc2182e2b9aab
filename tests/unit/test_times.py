"""Moments are told in the reader's zone, and as how long ago they were."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from data_platform.times import ago, instant, iso, local, plain
from tests.unit.zones import shell_in

NOW = datetime(2026, 11, 26, 16, 33, 12, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "just now"),
        (0.9, "just now"),
        (1, "1 s ago"),
        (59.9, "59 s ago"),
        (60, "1 min ago"),
        (199, "3 min ago"),
        (3599, "59 min ago"),
        (3600, "1 h ago"),
        (2 * 86400 - 1, "47 h ago"),
        (2 * 86400, "2 days ago"),
        (400 * 86400, "400 days ago"),
        (-180, "in 3 min"),
        (-0.5, "just now"),
    ],
)
def test_how_long_ago_is_told_in_the_largest_unit_that_says_something(seconds: float, said: str) -> None:
    assert ago(NOW - timedelta(seconds=seconds), NOW) == said


def test_a_moment_is_told_in_the_zone_of_the_reader() -> None:
    at = NOW - timedelta(minutes=3)
    assert local(at, NOW, PARIS) == "2026-11-26 17:30:12 CET (3 min ago)"
    assert local(at, NOW, ZoneInfo("Asia/Kathmandu")) == "2026-11-26 22:15:12 +0545 (3 min ago)"


@pytest.mark.parametrize(
    ("zone", "said"), [("Europe/Paris", "2026-11-26 17:33:12 CET"), ("UTC", "2026-11-26 16:33:12 UTC")]
)
def test_the_zone_of_a_terminal_is_that_of_its_shell(zone: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with shell_in(zone, monkeypatch):
        assert local(NOW, NOW) == f"{said} (just now)"


def test_a_text_keeps_its_moments_until_somebody_reads_it() -> None:
    told = ("2 runs wait, the first since ", NOW - timedelta(minutes=3), ".")
    assert plain(told, NOW, PARIS) == "2 runs wait, the first since 2026-11-26 17:30:12 CET (3 min ago)."
    assert iso(told) == "2 runs wait, the first since 2026-11-26T16:30:12+00:00."


def test_a_moment_without_a_zone_is_utc() -> None:
    assert instant("2026-11-26T16:33:12") == instant(NOW.replace(tzinfo=None)) == NOW
    assert instant("2026-11-26T17:33:12+01:00") == NOW
    assert instant(NOW.astimezone(PARIS)).tzinfo is UTC
