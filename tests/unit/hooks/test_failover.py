"""Which of Airflow's functions are let go on, and what they keep when they break off."""

from __future__ import annotations

import inspect
from importlib import import_module
from socket import gaierror
from typing import Any

import asyncpg
import psycopg2
import pytest
from airflow import settings
from sqlalchemy.exc import InvalidRequestError, OperationalError, PendingRollbackError

import airflow_local_settings
from data_platform.hooks import failover, server

LOST = OperationalError("select 1", {}, psycopg2.OperationalError("server closed"), connection_invalidated=True)
REFUSED = OperationalError(
    "", {}, psycopg2.OperationalError('connection to server at "127.0.0.1", port 1 failed: Connection refused')
)
PASSWORD = OperationalError(
    "", {}, psycopg2.OperationalError('FATAL:  password authentication failed for user "airflow"')
)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failover, "_PAUSE", 0.0)


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (LOST, True),
        (REFUSED, True),
        (PendingRollbackError("Can't reconnect until invalid transaction is rolled back", code="8s2b"), True),
        (PendingRollbackError("rolled back due to a previous exception during flush", code="7s2a"), False),
        (PASSWORD, False),
        (InvalidRequestError("any"), False),
        (ConnectionRefusedError("of the API of Kubernetes, perhaps"), False),
        (OSError(28, "No space left on device"), False),
    ],
)
def test_what_means_that_the_database_is_away(error: Exception, away: bool) -> None:
    assert failover.is_away(error) is away


@pytest.mark.parametrize(
    ("error", "nobody"),
    [
        (asyncpg.exceptions.CannotConnectNowError("the database system is starting up"), True),
        (asyncpg.exceptions.ConnectionDoesNotExistError("connection was closed in the middle of operation"), True),
        (asyncpg.exceptions.TargetServerAttributeNotMatched("None of the hosts match"), True),
        (ConnectionRefusedError(111, "Connect call failed"), True),
        (gaierror(-2, "Name or service not known"), True),
        (asyncpg.exceptions.InvalidPasswordError("password authentication failed"), False),
        (asyncpg.exceptions.QueryCanceledError("canceling statement"), False),
        (PermissionError(13, "Permission denied"), False),
    ],
)
def test_what_means_that_there_is_nobody_to_connect_to(error: Exception, nobody: bool) -> None:
    assert failover.cannot_connect(error) is nobody


def test_airflow_takes_its_engines_from_here() -> None:
    assert settings.create_metadata_engine is airflow_local_settings.create_metadata_engine
    assert settings.create_async_metadata_engine is failover.create_async_metadata_engine


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("scheduler", {"_run_scheduler_loop", "_process_executor_events"}),
        ("dag-processor", {"_run_parsing_loop"}),
        ("triggerer", {"run_once", "on_trigger_event", "on_trigger_failure"}),
    ],
)
def test_what_goes_on_is_there_in_this_airflow(command: str, names: set[str]) -> None:
    module, name, let_go_on = server.SERVERS[command]
    real = getattr(import_module(module), name)
    ours = type(name, (real,), {})
    let_go_on(ours)
    assert {each for each in vars(ours) if not each.startswith("__")} == names
    for each in names:
        assert inspect.signature(getattr(ours, each)) == inspect.signature(getattr(real, each))


def test_what_a_trigger_said_is_told_when_the_database_is_back() -> None:
    told: list[tuple[int, str]] = []
    errors: list[Exception] = [LOST, REFUSED]

    class Supervisor:
        def on_trigger_event(self, trigger_id: int, event: str) -> None:
            if errors:
                raise errors.pop()
            told.append((trigger_id, event))

        def on_trigger_failure(self, trigger_id: int, exc: object) -> None: ...
        def run_once(self) -> None: ...

    failover.of_triggerer(Supervisor)  # type: ignore[arg-type]
    Supervisor().on_trigger_event(trigger_id=7, event="a file")
    assert told == [(7, "a file")]


class Executor:
    def __init__(self) -> None:
        self.event_buffer: dict[str, str] = {"a task": "failed"}


class Session:
    """Its commit fails as often as is said."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)

    def commit(self) -> None:
        if self.errors:
            raise self.errors.pop()


class Runner:
    """Takes what the executor tells, as Airflow's does."""

    job: Any = None

    def _process_executor_events(self, executor: Executor, session: Session) -> int:
        del session
        events, executor.event_buffer = executor.event_buffer, {"meanwhile": "success"}
        return len(events)

    def _run_scheduler_loop(self) -> None: ...


@pytest.mark.parametrize(
    ("errors", "left"),
    [
        ((), {"meanwhile": "success"}),
        ((LOST,), {"a task": "failed", "meanwhile": "success"}),
        # What is wrong otherwise would be wrong again.
        ((PASSWORD,), {"meanwhile": "success"}),
    ],
)
def test_what_the_executor_told_is_kept_until_it_is_written(
    errors: tuple[Exception, ...], left: dict[str, str]
) -> None:
    class Kept(Runner): ...

    failover.of_scheduler(Kept)  # type: ignore[arg-type]
    executor = Executor()
    if errors:
        with pytest.raises(type(errors[0])):
            Kept()._process_executor_events(executor=executor, session=Session(*errors))
    else:
        assert Kept()._process_executor_events(executor=executor, session=Session()) == 1
    assert executor.event_buffer == left


def test_the_scheduler_tells_that_it_lives_before_it_gives_up_what_the_dead_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []

    class Loop(Runner):
        heartbeat_callback = None

        def _run_scheduler_loop(self) -> None:
            done.append("loop")
            if done.count("loop") == 1:
                raise LOST

    monkeypatch.setattr("airflow.jobs.job.perform_heartbeat", lambda *_, **__: done.append("heartbeat"))
    failover.of_scheduler(Loop)  # type: ignore[arg-type]
    Loop()._run_scheduler_loop()
    assert done == ["heartbeat", "loop", "heartbeat", "loop"]
