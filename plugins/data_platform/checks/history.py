"""Results of checks, kept in the database `platform`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from data_platform.checks.base import CheckResult
from data_platform.claims.database import PASSWORD, USER
from data_platform.clients import postgres

if TYPE_CHECKING:
    import psycopg

    from data_platform.targets.base import Target

DATABASE = "platform"
#: Component whose role owns the database.
OWNER = "airflow"
#: Results older than this are removed whenever new ones come.
KEEP_DAYS = 90

_TABLES = """
create table if not exists check_results (
    at timestamptz not null default now(),
    component text not null,
    name text not null,
    status text not null check (status in ('passed', 'failed', 'skipped')),
    seconds double precision not null,
    evidence text not null,
    definition text not null,
    reason text not null
);
create index if not exists check_results_by_check on check_results (component, name, at desc);
"""


class KeptResult(NamedTuple):
    """A result with its time, the definition of the component that it was for, and why it was run."""

    at: datetime
    component: str
    name: str
    status: str
    seconds: float
    evidence: str
    definition: str
    reason: str


@contextmanager
def _connection(target: Target) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    server, login = target.address("postgresql", "sql"), target.credentials(OWNER)
    connection = postgres.connect(server.host, server.port, login[USER], login[PASSWORD], DATABASE)
    with connection:
        # Several tasks may come first at the same time; `create if not exists` alone can then fail.
        with connection.transaction():
            connection.execute("select pg_advisory_xact_lock(hashtext('check_results'))")
            connection.execute(_TABLES)
        yield connection


def keep(target: Target, results: Sequence[CheckResult], definition: str, reason: str) -> None:
    """Save results.

    Args:
        target: whose database.
        results: of one component or dataset.
        definition: digest of what was checked: the component's definition, the dataset's code.
        reason: deploy, health, pipeline or hand.
    """
    with _connection(target) as connection:
        for r in results:
            connection.execute(
                "insert into check_results (component, name, status, seconds, evidence, definition, reason)"
                " values (%s, %s, %s, %s, %s, %s, %s)",
                # PostgreSQL's text holds no zero bytes.
                (r.component, r.name, r.status, r.seconds, r.evidence.replace("\0", ""), definition, reason),
            )
        connection.execute("delete from check_results where at < now() - make_interval(days => %s)", (KEEP_DAYS,))


def latest(target: Target) -> list[KeptResult]:
    """The newest result of each check."""
    query = "select distinct on (component, name) * from check_results order by component, name, at desc"
    with _connection(target) as connection:
        return [KeptResult(*row) for row in connection.execute(query).fetchall()]  # type: ignore[arg-type]


def since(target: Target, hours: int) -> list[KeptResult]:
    """All results of the last hours, oldest first."""
    query = "select * from check_results where at > now() - make_interval(hours => %s) order by at"
    with _connection(target) as connection:
        return [KeptResult(*row) for row in connection.execute(query, (hours,)).fetchall()]  # type: ignore[arg-type]


def is_proven(target: Target, component: str, checks: Sequence[str], definition: str, seconds: float) -> bool:
    """Whether the newest result of each check passed, with this definition, within the last seconds."""
    query = (
        "select count(*) from (select distinct on (name) * from check_results where component = %s"
        " order by name, at desc) newest where status = 'passed' and definition = %s and name = any(%s)"
        " and at > now() - make_interval(secs => %s)"
    )
    with _connection(target) as connection:
        row = connection.execute(query, (component, definition, list(checks), seconds)).fetchone()
    return row is not None and row[0] == len(checks)
