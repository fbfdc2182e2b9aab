"""Results of checks, as they were kept. What keeps them is `writes`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from data_platform.records.database import reading

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
    """The newest result of each check."""
    query = "select distinct on (component, name) * from check_results order by component, name, at desc"
    with reading(target) as connection:
        return [KeptResult(*row) for row in connection.execute(query).fetchall()]  # type: ignore[arg-type]


def since(target: Target, hours: int) -> list[KeptResult]:
    """All results of the last hours, oldest first."""
    query = "select * from check_results where at > now() - make_interval(hours => %s) order by at"
    with reading(target) as connection:
        return [KeptResult(*row) for row in connection.execute(query, (hours,)).fetchall()]  # type: ignore[arg-type]


def is_proven(target: Target, component: str, checks: Sequence[str], definition: str, seconds: float) -> bool:
    """Whether the newest result of each check passed, with this definition, within the last seconds."""
    query = (
        "select count(*) from (select distinct on (name) * from check_results where component = %s"
        " order by name, at desc) newest where status = 'passed' and definition = %s and name = any(%s)"
        " and at > now() - make_interval(secs => %s)"
    )
    with reading(target) as connection:
        row = connection.execute(query, (component, definition, list(checks), seconds)).fetchone()
    return row is not None and row[0] == len(checks)
