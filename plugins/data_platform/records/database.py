"""The database `platform`: how it is reached, and which schema this code works with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg

from data_platform.clients.connect import postgres
from data_platform.stack.capabilities import ORCHESTRATOR
from data_platform.stack.errors import PlatformError

if TYPE_CHECKING:
    from data_platform.targets.base import Target

NAME = "platform"
#: Whose role owns it: of who stands for this capability.
OWNER = ORCHESTRATOR
#: The newest of migrations/versions/. They are numbered, so that newer and older can be told apart without Alembic.
REVISION = "0002"
#: Where Alembic keeps which one is there.
VERSION_TABLE = "schema_version"

Connection = psycopg.Connection[tuple[object, ...]]


def connect(target: Target, seconds: float | None = None) -> Connection:
    """A connection in autocommit mode, as the owner; for `seconds` see `clients.connect.postgres`.

    Raises:
        psycopg.OperationalError: PostgreSQL does not answer, the login is refused, or there is no such database yet.
    """
    return postgres(target, OWNER, NAME, seconds=seconds)


@contextmanager
def reading(target: Target) -> Iterator[Connection]:
    """A connection in a transaction in which PostgreSQL lets nothing be written.

    Raises:
        psycopg.OperationalError: see `connect`.
        PlatformError: see `require`.
    """
    with connect(target) as connection:
        connection.read_only = True
        with connection.transaction():
            require(connection)
            yield connection


def revision(connection: Connection) -> str:
    """Which schema is there; empty when none is, or one of before there were migrations."""
    try:
        row = connection.execute("select version_num from schema_version").fetchone()
    except psycopg.errors.UndefinedTable:
        return ""
    return str(row[0]) if row else ""


def require(connection: Connection) -> None:
    """Refuse a schema that is not the one of this code.

    Raises:
        PlatformError: it is not there yet, of an earlier version or of a later one.
    """
    found = revision(connection)
    if found == REVISION:
        return
    refuse_newer(found)
    there = f"has the schema {found}, and this code works with {REVISION}" if found else "has no schema yet"
    raise PlatformError(f"the database {NAME} {there}", "run: python3 -m bootstrap up, or trigger stack_deploy")


def refuse_newer(found: str) -> None:
    """Refuse a schema that a later version of the platform has made.

    Raises:
        PlatformError: it is one.
    """
    if found > REVISION:
        raise PlatformError(
            f"the database {NAME} has the schema {found}, which is newer than this code's {REVISION}",
            "a later version of the platform has been here: use its code",
        )
