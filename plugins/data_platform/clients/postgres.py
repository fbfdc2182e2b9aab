"""PostgreSQL: connections, roles and databases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, LiteralString, NamedTuple

import psycopg
from psycopg import sql

#: Seconds to wait for a connection.
CONNECT_SECONDS = 10
#: Seconds that a statement may take, its waiting for locks included, where nobody says otherwise.
_STATEMENT_SECONDS = 60.0
#: Role of the pool in front of the server, on targets that have one: it asks in each database who may log in.
_POOLER = "pgbouncer"

#: What libpq says when a server that is up does not let somebody in; one that starts or stops says something else.
_REFUSALS = ("no password supplied", "password authentication failed", "no pg_hba.conf entry", "does not exist")


class AwayError(psycopg.OperationalError):
    """The server is not there, or went away in the middle; one that is there and refuses is another matter."""


def refuses(said: str) -> bool:
    """Whether an error of libpq says that a server which is up does not let somebody in.

    Args:
        said: the error's text.
    """
    return any(words in said for words in _REFUSALS)


class Contents(NamedTuple):
    """Names of what a database holds."""

    schemas: frozenset[str]
    extensions: frozenset[str]


class Connection(psycopg.Connection[tuple[object, ...]]):
    """A connection that is closed when the server has not answered a statement in time.

    The deadline is kept here, not by `statement_timeout`: that one is lost behind a pool of transactions, and ends a
    commit that waits for its second copy with a success (docs/decisions/postgresql-ha.md).

    Attributes:
        seconds: deadline of a statement.
    """

    seconds = _STATEMENT_SECONDS

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Wait for an answer.

        Raises:
            psycopg.OperationalError: none came in time; the connection is closed.
        """
        try:
            return super().wait(gen, interval, self.seconds if timeout is None else timeout)
        except psycopg.errors._WaitTimeout:
            self.close()
            raise psycopg.OperationalError(
                f"the server did not answer a statement within {self.seconds:.0f} s; the connection was closed"
            ) from None


def connect(
    host: str, port: int, user: str, password: str, database: str, *, seconds: float = _STATEMENT_SECONDS
) -> psycopg.Connection[tuple[object, ...]]:
    """A connection in autocommit mode, whose statements have a deadline.

    Raises:
        AwayError: nobody listens there.
        psycopg.OperationalError: the login is refused.
    """
    try:
        found = Connection.connect(
            host=host,
            port=port,
            user=user,
            password=password,
            dbname=database,
            connect_timeout=CONNECT_SECONDS,
            autocommit=True,
            application_name="data-platform",
        )
    except psycopg.OperationalError as error:
        if refuses(str(error)):
            raise
        raise AwayError(str(error)) from error
    found.seconds = seconds
    return found


def answers(host: str, port: int) -> bool:
    """Whether a server takes connections there, whoever may log in.

    Not by libpq's own ping: while that waits no other thread runs, and a forwarded port is threads of this process.
    """
    try:
        connect(host, port, "nobody", "", "postgres").close()
    except AwayError:
        return False
    except psycopg.OperationalError:
        pass
    return True


def look_into(host: str, port: int, user: str, password: str, database: str) -> Contents | None:
    """What the database holds; None where the role may not log in to it with that password."""
    try:
        with connect(host, port, user, password, database) as connection:
            schemas = connection.execute("select nspname from pg_namespace").fetchall()
            extensions = connection.execute("select extname from pg_extension").fetchall()
    except psycopg.OperationalError:
        return None
    return Contents(frozenset(str(name) for (name,) in schemas), frozenset(str(name) for (name,) in extensions))


def verifier(role: str, password: str) -> str:
    """What a server is told in the place of a role's password: a SCRAM verifier (RFC 5802), as libpq makes it.

    Another one each time, for its salt is random; all of them are good.
    """
    # Without a server: the method is named, so libpq need not ask for it.
    nobody = psycopg.pq.PGconn.connect_start(b"host=/nowhere")
    try:
        return nobody.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    finally:
        nobody.finish()


def ensure_role(admin: psycopg.Connection[tuple[object, ...]], role: str, password: str) -> None:
    """Make a role that may log in where it is missing, and set its password.

    The server is sent a verifier, so no log of its can hold the password, whatever its settings are.
    """
    verb: LiteralString = "alter" if _exists(admin, "select 1 from pg_roles where rolname = %s", role) else "create"
    names = sql.Identifier(role), sql.Literal(verifier(role, password))
    admin.execute(sql.SQL(verb) + sql.SQL(" role {} login password {}").format(*names))


def change_password(admin: psycopg.Connection[tuple[object, ...]], role: str, password: str) -> None:
    """Set the password of a role, if there is one of that name; its rights stay as they are."""
    if _exists(admin, "select 1 from pg_roles where rolname = %s", role):
        ensure_role(admin, role, password)


def ensure_database(
    admin: psycopg.Connection[tuple[object, ...]], database: str, role: str, password: str, comment: str
) -> None:
    """Make role and database where they are missing, and set the role's password. Data is left alone."""
    ensure_role(admin, role, password)
    # Autocommit and one statement at a time: `create database` cannot run in a transaction.
    if not _exists(admin, "select 1 from pg_database where datname = %s", database):
        admin.execute(sql.SQL("create database {} owner {}").format(sql.Identifier(database), sql.Identifier(role)))
    admin.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(database)))
    if _exists(admin, "select 1 from pg_roles where rolname = %s", _POOLER):
        names = sql.Identifier(database), sql.Identifier(_POOLER)
        admin.execute(sql.SQL("grant connect on database {} to {}").format(*names))
    admin.execute(sql.SQL("comment on database {} is {}").format(sql.Identifier(database), sql.Literal(comment)))


def ensure_schema(admin: psycopg.Connection[tuple[object, ...]], schema: str, role: str) -> None:
    """Make a schema of that role in the connection's database. One that is there is left alone."""
    names = sql.Identifier(schema), sql.Identifier(role)
    admin.execute(sql.SQL("create schema if not exists {} authorization {}").format(*names))


def ensure_extension(admin: psycopg.Connection[tuple[object, ...]], extension: str) -> None:
    """Make an extension in the connection's database. One that is there is left alone, whatever its version.

    Raises:
        psycopg.Error: the server does not have it, or it needs something that is not there.
    """
    admin.execute(sql.SQL("create extension if not exists {}").format(sql.Identifier(extension)))


def _exists(admin: psycopg.Connection[tuple[object, ...]], question: LiteralString, name: str) -> bool:
    return admin.execute(question, (name,)).fetchone() is not None


def first_row(
    connection: psycopg.Connection[tuple[object, ...]],
    query: LiteralString,
    parameters: Mapping[str, object] | None = None,
) -> tuple[object, ...] | None:
    """First row of a query."""
    return connection.execute(query, parameters).fetchone()
