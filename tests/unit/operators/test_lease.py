"""Runs give the lease back, and a lease that is held too long is told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from data_platform.operators import lease
from data_platform.records import leases, writes
from tests.unit.operators.fake_lease import FakeLease, held_by
from tests.unit.zones import shell_in

PLACE: Any = "the place"
RUN: Any = {"ti": SimpleNamespace(dag_id="stack_deploy", run_id="first")}


@pytest.mark.parametrize(("mine", "said"), [(True, "the lease is released"), (False, "the lease was not this run's")])
def test_a_run_gives_back_its_own_lease(monkeypatch: pytest.MonkeyPatch, mine: bool, said: str) -> None:
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr(writes, "release", lambda *words: asked.append(words) or mine)
    assert lease.release(PLACE, RUN) == said
    assert asked == [(PLACE, "stack_deploy/first")]


LIMIT = leases.TOO_LONG.total_seconds()


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (None, "nobody is changing the platform"),
        (held_by("stack_deploy/first", LIMIT), "held by stack_deploy/first (deploy) since 2026-03-02 00:00:00 UTC"),
    ],
)
def test_who_holds_it_is_told(monkeypatch: pytest.MonkeyPatch, other: Any, said: str) -> None:
    FakeLease([other]).put(monkeypatch)
    with shell_in("UTC", monkeypatch):
        assert lease.require_not_held_too_long(PLACE, RUN).startswith(said)


def test_who_waits_in_a_terminal_is_told_in_its_zone_since_when(monkeypatch: pytest.MonkeyPatch) -> None:
    with shell_in("Europe/Paris", monkeypatch):
        told = str(held_by("stack_deploy/first", 180))
    assert "since 2026-03-02 01:00:00 CET (3 min ago), until 2026-03-02 01:00:00 CET" in told


def test_a_lease_that_is_held_too_long_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeLease([held_by("stack_deploy/first", LIMIT + 1)]).put(monkeypatch)
    with pytest.raises(AirflowFailException, match=r"held for more than 2 hours.*stack_deploy/first \(deploy\)"):
        lease.require_not_held_too_long(PLACE, RUN)
