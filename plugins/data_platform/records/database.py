"""The database `platform`: how it is reached, and which schema this code works with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import psycopg

from data_platform.checks.base import Deadline
from data_platform.clients.connect import postgres
from data_platform.clients.postgres import AwayError
from data_platform.stack.capabilities import ORCHESTRATOR
from data_platform.stack.errors import PlatformError

if TYPE_CHECKING:
    from data_platform.targets.base import Target

T = TypeVar("T")

NAME = "platform"
#: Seconds in which a server that is away may come back: a failover takes up to 30 (docs/decisions/postgresql-ha.md).
PATIENCE = 45.0
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
        AwayError: PostgreSQL does not answer.
        psycopg.OperationalError: the login is refused, or there is no such database yet.
    """
    return postgres(target, OWNER, NAME, seconds=seconds)


def attempt(target: Target, act: Callable[[Connection], T], *, writes: bool = False, patience: float = PATIENCE) -> T:
    """Act on the database in one transaction, from the beginning where the server goes away meanwhile.

    Args:
        target: whose database.
        act: given a connection; may be repeated, for a server that goes away may have taken what it was told.
        writes: without it PostgreSQL lets nothing be written.
        patience: seconds in which a server that is away may come back.

    Raises:
        AwayError: it did not.
        psycopg.OperationalError: the login is refused, or there is no such database yet.
        PlatformError: see `require`.
    """

    def once() -> T:
        with connect(target) as connection:
            try:
                if not writes:
                    connection.read_only = True
                with connection.transaction():
                    require(connection)
                    return act(connection)
            except psycopg.Error as error:
                # Or it has just become a copy of another one.
                if connection.closed or (writes and isinstance(error, psycopg.errors.ReadOnlySqlTransaction)):
                    raise AwayError(str(error)) from error
                raise

    return Deadline(patience).retry(once, on=AwayError)


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
