"""Results of checks, as they were kept. What keeps them is `writes`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, LiteralString, NamedTuple

from data_platform.records.database import Connection, attempt

if TYPE_CHECKING:
    from data_platform.targets.base import Target


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


def latest(target: Target) -> list[KeptResult]:
    """The newest result of each check; for who looks at it now, so a server that is away is not waited for."""
    query = "select distinct on (component, name) * from check_results order by component, name, at desc"
    return attempt(target, lambda connection: _kept(connection, query), patience=0)


def since(target: Target, hours: int) -> list[KeptResult]:
    """All results of the last hours, oldest first; for who looks at it now, as `latest`."""
    query = "select * from check_results where at > now() - make_interval(hours => %s) order by at"
    return attempt(target, lambda connection: _kept(connection, query, hours), patience=0)


def _kept(connection: Connection, query: LiteralString, *parameters: object) -> list[KeptResult]:
    return [KeptResult(*row) for row in connection.execute(query, parameters).fetchall()]  # type: ignore[arg-type]


def is_proven(target: Target, component: str, checks: Sequence[str], definition: str, seconds: float) -> bool:
    """Whether the newest result of each check passed, with this definition, within the last seconds.

    A server that is away is not waited for: what is not known to be proven is proven anew.
    """
    query: LiteralString = (
        "select count(*) from (select distinct on (name) * from check_results where component = %s"
        " order by name, at desc) newest where status = 'passed' and definition = %s and name = any(%s)"
        " and at > now() - make_interval(secs => %s)"
    )
    asked = (component, definition, list(checks), seconds)
    row = attempt(target, lambda connection: connection.execute(query, asked).fetchone(), patience=0)
    return row is not None and row[0] == len(checks)
