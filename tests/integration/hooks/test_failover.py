"""Airflow's way to its metadata database, with a real PostgreSQL that goes away."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.util import greenlet_spawn

from data_platform.hooks import failover
from data_platform.hooks.database import ASYNCHRONOUS, SYNCHRONOUS
from tests.postgresql import Server, running

#: Until somebody has noticed, or has come back.
_SECONDS = 60


@pytest.fixture(scope="module")
def server(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(root, tmp_path_factory.mktemp("postgresql") / "server", ["--auth=trust"]) as found:
        yield found


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set when somebody waits for a connection."""
    found = threading.Event()
    monkeypatch.setattr(failover._LOG, "warning", lambda *_: found.set())
    return found


def url(server: Server, driver: str, user: str = "postgres") -> str:
    return f"postgresql+{driver}://{user}@{server.address.host}:{server.address.port}/postgres"


@pytest.fixture
def engine(server: Server) -> Iterator[Engine]:
    """As Airflow makes it."""
    made = failover.create_metadata_engine(
        url(server, "psycopg2"), engine_args={"pool_pre_ping": True}, connect_args=dict(SYNCHRONOUS)
    )
    yield made
    made.dispose()


def one(engine: Engine) -> object:
    with engine.connect() as connection:
        return connection.execute(text("select 1")).scalar()


def one_of_asyncpg(server: Server) -> object:
    async def ask() -> object:
        made = failover.create_async_metadata_engine(url(server, "asyncpg"), connect_args=dict(ASYNCHRONOUS))
        async with made.connect() as connection:
            found = (await connection.execute(text("select 1"))).scalar()
        await made.dispose()
        return found

    return asyncio.run(ask())


@pytest.mark.parametrize("driver", ["psycopg2", "asyncpg"])
def test_a_connection_is_waited_for_until_the_server_is_back(
    server: Server, engine: Engine, waits: threading.Event, driver: str
) -> None:
    # The pool has one, which is lost.
    assert one(engine) == 1
    act: Callable[[], object] = (lambda: one(engine)) if driver == "psycopg2" else (lambda: one_of_asyncpg(server))
    server.stop()
    with ThreadPoolExecutor(1) as pool:
        try:
            asked = pool.submit(act)
            assert waits.wait(_SECONDS)
            assert not asked.done()
        finally:
            server.start()
        assert asked.result(_SECONDS) == 1


def of_psycopg2(server: Server, user: str) -> object:
    made = failover.create_metadata_engine(
        url(server, "psycopg2", user), engine_args={}, connect_args=dict(SYNCHRONOUS)
    )
    arguments, named = made.dialect.create_connect_args(made.url)
    return failover.connect(made.dialect, cast("Any", None), arguments, named)


def of_asyncpg(server: Server, user: str) -> object:
    made = failover.create_async_metadata_engine(
        url(server, "asyncpg", user), connect_args=dict(ASYNCHRONOUS)
    ).sync_engine
    arguments, named = made.dialect.create_connect_args(made.url)
    return asyncio.run(greenlet_spawn(failover.connect, made.dialect, None, arguments, named))


@pytest.mark.parametrize("asks", [of_psycopg2, of_asyncpg])
def test_who_is_refused_is_told_at_once(
    server: Server, waits: threading.Event, asks: Callable[[Server, str], object]
) -> None:
    with pytest.raises(Exception, match='role "nobody" does not exist'):
        asks(server, "nobody")
    assert not waits.is_set()


def test_a_server_that_only_reads_is_not_taken(server: Server, engine: Engine, waits: threading.Event) -> None:
    def read_only(value: str) -> None:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            # The session's own setting, or it could not take its change back.
            connection.execute(text("set default_transaction_read_only = off"))
            connection.execute(text(f"alter role reader set default_transaction_read_only = {value}"))

    with engine.begin() as connection:
        connection.execute(text("create role reader login"))
    read_only("on")
    other = failover.create_metadata_engine(
        url(server, "psycopg2", "reader"), engine_args={}, connect_args=dict(SYNCHRONOUS)
    )
    with ThreadPoolExecutor(1) as pool:
        try:
            asked = pool.submit(one, other)
            assert waits.wait(_SECONDS)
        finally:
            read_only("off")
        assert asked.result(_SECONDS) == 1
    other.dispose()


def test_what_breaks_off_in_the_middle_is_done_anew(engine: Engine) -> None:
    tries = []

    def act() -> object:
        with engine.begin() as connection:
            tries.append("")
            if len(tries) == 1:
                connection.execute(text("select pg_terminate_backend(pg_backend_pid())"))
            return connection.execute(text("select 2")).scalar()

    assert failover.going_on(act)() == 2
    assert len(tries) == 2


def test_a_statement_that_is_wrong_is_not_repeated(engine: Engine) -> None:
    tries = []

    def act() -> None:
        tries.append("")
        with engine.connect() as connection:
            connection.execute(text("select nothing_of_that_name"))

    with pytest.raises(DBAPIError, match="nothing_of_that_name"):
        failover.going_on(act)()
    assert len(tries) == 1


def test_a_connection_to_a_server_that_became_a_copy_is_given_up(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("set transaction read only"))
        with pytest.raises(DBAPIError) as caught:
            connection.execute(text("create table of_a_copy (x int)"))
    assert failover.is_away(caught.value)
