"""The check `postgres_roundtrip`, against a database of SQLite in the place of PostgreSQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, Self

import pytest
from psycopg import sql

from data_platform.checks.base import Address, CheckFailed, Deadline, Params
from data_platform.checks.postgres_roundtrip import check
from data_platform.clients import postgres

VERSION = "PostgreSQL 18.1 on x86_64-pc-linux-gnu, compiled by gcc"


class Server:
    """Keeps rows. What it does with a statement that begins with a known word can be another one.

    Attributes:
        instead: statements that are carried out in the place of one; an exception is raised.
        open: connections that were not left again.
    """

    def __init__(self, rows: sqlite3.Connection) -> None:
        self.rows = rows
        self.instead: dict[str, str | Exception] = {}
        self.open = 0

    def connect(self, host: str, port: int, user: str, password: str, database: str, *, seconds: float) -> Self:
        assert 0 < seconds <= 5
        assert (host, port, user, password, database) == ("127.0.0.1", 5432, "checks", "generated", "checks")
        return self

    def __enter__(self) -> Self:
        self.open += 1
        return self

    def __exit__(self, *_: object) -> None:
        self.open -= 1

    def execute(self, statement: sql.Composed, parameters: tuple[object, ...] = ()) -> sqlite3.Cursor:
        text = statement.as_string(None).replace("%s", "?")
        done = self.instead.get(text.partition(" ")[0], text)
        if isinstance(done, Exception):
            raise done
        table = next(word for word in text.split() if word.startswith('"check_'))
        done = done.replace("TABLE", table)
        return self.rows.execute(done, parameters if "?" in done else ())

    def tables(self) -> list[str]:
        return [name for (name,) in self.rows.execute("select name from sqlite_master")]


class Place:
    """A platform with a database."""

    def address(self, component: str, endpoint: str) -> Address:
        assert (component, endpoint) == ("database-server", "sql")
        return Address("127.0.0.1", 5432, "tcp://127.0.0.1:5432")

    def credentials(self, holder: str) -> Mapping[str, str]:
        # The superuser is none of its business.
        assert holder == "checks"
        return {"database_user": "checks", "database_password": "generated"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that is right, with a table of somebody else."""
    with closing(sqlite3.connect(":memory:")) as rows:
        rows.create_function("version", 0, lambda: VERSION)
        rows.execute("create table of_somebody_else (token text)")
        made = Server(rows)
        monkeypatch.setattr(postgres, "connect", made.connect)
        yield made


def run() -> str:
    place: Any = Place()
    return check(Params(), place, Deadline(5))


def left_as_it_was(server: Server) -> bool:
    return (server.tables(), server.open) == (["of_somebody_else"], 0)


def test_a_server_that_gives_the_row_back_passes_and_nothing_is_left(server: Server) -> None:
    first, second = run(), run()
    assert first.endswith(" on PostgreSQL 18.1")
    # Each run writes a row of its own: one that was left by another would not do.
    assert first != second
    assert left_as_it_was(server)


@pytest.mark.parametrize(
    ("begins", "instead", "said"),
    [
        ("insert", "insert into TABLE values ('x' || substr(?, 2))", r"^wrote ([0-9a-f]{32}), read \('x"),
        ("insert", "select ?", r"^wrote [0-9a-f]{32}, read None$"),
        ("select", "select null, version()", r"read \(None, "),
        ("select", "select upper(token) || '.', version() from TABLE", r"read \('[0-9A-F]{32}\.', "),
    ],
    ids=["a row that is changed", "a row that is lost", "a value that is lost", "a row that is read otherwise"],
)
def test_a_row_that_comes_back_otherwise_fails_and_nothing_is_left(
    server: Server, begins: str, instead: str, said: str
) -> None:
    server.instead[begins] = instead
    with pytest.raises(CheckFailed, match=said):
        run()
    assert left_as_it_was(server)


@pytest.mark.parametrize("begins", ["insert", "select"])
def test_a_server_that_refuses_a_statement_fails_and_nothing_is_left(server: Server, begins: str) -> None:
    server.instead[begins] = RuntimeError("cannot execute it in a read-only transaction")
    with pytest.raises(RuntimeError, match="read-only"):
        run()
    assert left_as_it_was(server)


@pytest.mark.parametrize("begins", ["create", "drop"])
def test_a_server_that_makes_or_drops_no_table_fails(server: Server, begins: str) -> None:
    server.instead[begins] = RuntimeError(f"permission denied to {begins}")
    with pytest.raises(RuntimeError, match=f"permission denied to {begins}"):
        run()
    assert server.open == 0
