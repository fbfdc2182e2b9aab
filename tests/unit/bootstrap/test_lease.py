"""Commands take the lease when they change something, wait for others, and give it back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from bootstrap import lease
from bootstrap.lease import CommandLease
from bootstrap.progress import Progress
from data_platform.records import database, holding, schema, writes
from data_platform.records.leases import HeldError, of_command
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import load_stack
from tests.unit.operators.fake_lease import held_by

MINE = of_command(lease.platform.node())
STACK = load_stack(Path(__file__).resolve().parents[3])
RUN = held_by("stack_deploy/first")


class Database:
    """In the place of the database: who else has the lease at each try, and what was done."""

    def __init__(self) -> None:
        self.others: list[Exception | None] = [None]
        self.done: list[str] = []
        self.waited: list[float] = []
        self.is_there = True
        self.airflow = "running"
        self.stubborn = ""

    def connect(self, _: object) -> Any:
        if not self.is_there:
            raise psycopg.OperationalError("connection refused")
        return SimpleNamespace(close=lambda: None)

    @contextmanager
    def holding(self, _: object, holder: str, purpose: str, *, dead: str) -> Iterator[None]:
        other = self.others.pop(0)
        if isinstance(other, HeldError) and other.lease and other.lease.holder == dead != self.stubborn:
            other = None
        if other:
            raise other
        self.done.append(f"take it for {purpose}" + f" from {dead}" * bool(dead))
        assert holder == MINE
        yield
        self.done.append("renew it no more")

    def release(self, _: object, holder: str) -> bool:
        assert holder == MINE
        self.done.append("release it")
        return True


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Database:
    made = Database()
    monkeypatch.setattr(database, "connect", made.connect)
    monkeypatch.setattr(schema, "migrate", lambda _: made.done.append("migrate") or [])
    monkeypatch.setattr(holding, "holding", made.holding)
    monkeypatch.setattr(writes, "release", made.release)
    monkeypatch.setattr(lease.time, "sleep", made.waited.append)
    return made


def rotated(known: Database, times: int = 1) -> None:
    """A command that asks for the lease so many times."""
    target: Any = SimpleNamespace(stack=STACK, condition=lambda name: {"airflow": known.airflow}[name])
    with CommandLease(target, "rotate trino", Progress()) as taken:
        for _ in range(times):
            taken.take()


def test_it_is_taken_once_and_given_back_when_nothing_renews_it_any_more(known: Database) -> None:
    rotated(known, times=3)
    assert known.done == ["migrate", "take it for rotate trino", "renew it no more", "release it"]


def test_a_command_that_changes_nothing_takes_none(known: Database) -> None:
    rotated(known, times=0)
    assert known.done == []


def test_before_there_is_a_database_there_is_no_lease(known: Database) -> None:
    known.is_there = False
    rotated(known)
    assert known.done == []


def test_it_is_given_back_when_the_command_fails(known: Database) -> None:
    def fail() -> None:
        with CommandLease(target, "up", Progress()) as taken:
            taken.take()
            raise ZeroDivisionError

    target: Any = None
    with pytest.raises(ZeroDivisionError):
        fail()
    assert known.done[-1] == "release it"


def test_a_command_waits_for_who_has_it_and_says_so_once_in_a_while(
    known: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    known.others = [HeldError(RUN), HeldError(RUN), None]
    rotated(known)
    assert len(known.waited) == 2
    assert known.done[1] == "take it for rotate trino"
    assert capsys.readouterr().out.count("waiting: somebody else is changing the platform: stack_deploy/first") == 1


@pytest.mark.parametrize("condition", ["absent", "stopped"])
def test_where_airflow_is_away_its_runs_are_dead(known: Database, condition: str) -> None:
    known.airflow = condition
    known.others = [HeldError(RUN), HeldError(RUN)]
    rotated(known)
    assert known.done[1] == "take it for rotate trino from stack_deploy/first"
    assert known.waited == []


def test_a_dead_run_whose_lease_is_not_to_be_had_is_asked_for_in_steps(known: Database) -> None:
    known.airflow, known.stubborn = "stopped", "stack_deploy/first"
    known.others = [HeldError(RUN)] * 4 + [None]
    rotated(known)
    # At once when it was seen to be dead; from then on as of anybody.
    assert len(known.waited) == 3


def test_another_command_is_waited_for_also_where_airflow_is_away(known: Database) -> None:
    known.airflow = "stopped"
    known.others = [HeldError(held_by(of_command("elsewhere"))), None]
    rotated(known)
    assert len(known.waited) == 1
    assert known.done[1] == "take it for rotate trino"


@pytest.mark.parametrize(
    "others", [[psycopg.OperationalError("gone")], [HeldError(RUN), psycopg.OperationalError("gone")]]
)
def test_a_database_that_goes_away_is_an_error_with_what_to_do(known: Database, others: Sequence[Exception]) -> None:
    known.others = list(others)
    with pytest.raises(PlatformError, match="PostgreSQL went away: gone") as caught:
        rotated(known)
    assert caught.value.remedy == "run this again"
    assert "release it" not in known.done


def test_a_lease_that_cannot_be_given_back_is_told_and_no_error(
    known: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> bool:
        raise psycopg.OperationalError("restarting")

    monkeypatch.setattr(writes, "release", refuse)
    rotated(known)
    assert "the lease is not released, and expires: restarting" in capsys.readouterr().out


def test_a_lease_that_was_lost_does_not_stand_in_the_place_of_what_went_wrong(
    known: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def lost(*_: object, **__: object) -> Iterator[None]:
        # As `holding`: it tells only where the work itself went well.
        yield
        raise PlatformError("the lease was lost", "look")

    monkeypatch.setattr(holding, "holding", lost)
    target: Any = SimpleNamespace(stack=STACK)

    def work() -> None:
        with CommandLease(target, "rotate trino", Progress()) as taken:
            taken.take()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert known.done[-1] == "release it"


def test_a_lease_that_was_lost_is_told_where_nothing_else_went_wrong(
    known: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def lost(*_: object, **__: object) -> Iterator[None]:
        yield
        raise PlatformError("the lease was lost", "look")

    monkeypatch.setattr(holding, "holding", lost)
    with pytest.raises(PlatformError, match="lost"):
        rotated(known)
