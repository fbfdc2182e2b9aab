"""Keep a dataset's tables small: merge small files, expire old snapshots, remove files that nothing names any more.

What a commit of Nessie may still need is never removed: see `keeps` and docs/decisions/write-audit-publish.md.
"""

# ruff: noqa: S608 - names of tables come from the catalog and are quoted

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from data_platform.checks.base import Deadline
from data_platform.clients import connect
from data_platform.clients.nessie import Table
from data_platform.clients.trino import Trino, identifier
from data_platform.datasets.audit import DATASET_PROPERTY, branch_of, settle
from data_platform.stack.capabilities import JOBS
from data_platform.stack.errors import PlatformError
from data_platform.stack.lake import CATALOG, MAIN

if TYPE_CHECKING:
    from data_platform.targets.base import Target

#: How long the past can be read.
KEEP = timedelta(days=14)
#: A retention counts back from the start of Trino's statement, which is a little later than when we read the clock.
_SLACK = timedelta(minutes=1)
#: Forbids to expire states of a table, as other branches may need them. Here that is looked at instead; the job lifts
#: the guard and puts it back.
_GUARD = "gc.enabled"
_JOB = "spark_jobs/upkeep/expire.py"
#: Lines of a job's output that an error shows.
_SHOWN = 30
#: By itself Trino refuses retentions of less than a week.
_SETTINGS = {f"{CATALOG}.remove_orphan_files_min_retention": "0s"}
_NO_SNAPSHOT = -1


class Snapshot(NamedTuple):
    """A state of a table, and when it began to be what readers see."""

    id: int
    since: datetime


class Look(NamedTuple):
    """What there is to do for a table.

    Attributes:
        states: in which it was on main.
        oldest: when the oldest state that stays began; None when all stay.
        guarded: False where the guard against expiring was left lifted.
        reason: why it must be left alone; empty when nothing stands against it.
    """

    states: Sequence[Snapshot]
    oldest: datetime | None
    guarded: bool
    reason: str

    @property
    def kept(self) -> int:
        """How many states stay."""
        return sum(self.oldest is None or state.since >= self.oldest for state in self.states)

    @property
    def expires(self) -> bool:
        """Whether Spark has something to do: states go, or the guard of a job that was killed is to be put back."""
        return not self.reason and self.oldest is not None and (self.kept < len(self.states) or not self.guarded)


def boundary(history: Iterable[Snapshot], since: datetime) -> datetime | None:
    """When the state began that readers saw at a time: older ones are not needed to read the past since then.

    It may be much older than the time: what changes once a year has a state of last year. None when there is none.
    """
    return max((state.since for state in history if state.since <= since), default=None)


def keeps(history: Sequence[Snapshot], oldest: datetime | None, others: Mapping[str, Table]) -> str:
    """Why the table must be left alone: a branch or tag needs a state that would go, or that main does not know.

    Args:
        history: states of the table on main.
        oldest: when the oldest state that stays began; None when all stay.
        others: the table's state at other branches and tags.

    Returns:
        The reason; empty when nothing stands against it.
    """
    kept = {state.id for state in history if oldest is None or state.since >= oldest} | {_NO_SNAPSHOT}
    needed = sorted(name for name, table in others.items() if table.snapshot not in kept)
    return f"left alone, {', '.join(needed)} may need what would be removed" if needed else ""


def maintain(target: Target, dataset: str, deadline: Deadline, since: datetime | None = None) -> list[str]:
    """Maintain the tables that publications of a dataset have written, as readers see them.

    A table is left alone while a branch or tag needs a state of it that would go, and all are while the dataset's own
    audit is open. Branches without commits of their own are moved to main first. One that is opened meanwhile and
    changes the same table cannot be published: `publish` says so.

    Args:
        target: where.
        dataset: its name.
        deadline: of the whole.
        since: from when on the past must stay readable; as long ago as KEEP when None.

    Returns:
        One line a table: what was done, or why nothing was.

    Raises:
        PlatformError: Spark cannot expire; what was done until then is whole.
        trino.exceptions.TrinoQueryError, NessieError: a server refuses; likewise.
    """
    branch, since = branch_of(dataset), since or datetime.now(UTC) - KEEP
    with connect.nessie(target, deadline.remaining) as nessie:
        if branch in settle(nessie):
            return [f"{dataset}: left alone, {branch} is open; publish it or run the pipeline again"]
        there = nessie.tables(MAIN)
        written = {key for c in nessie.history(MAIN, {DATASET_PROPERTY: dataset}) for key in c.keys}
        elsewhere = {name: nessie.tables(name) for name in nessie.references() if name != MAIN}
    with connect.trino(target, deadline.remaining, settings=_SETTINGS) as trino:
        looks = {}
        for key in sorted(written & there.keys()):
            trino.rows(f"alter table {_called(key)} execute optimize")
            others = {name: tables[key] for name, tables in elsewhere.items() if key in tables}
            looks[key] = _look(trino, key, others, since)
        _expire(target, {key: look.oldest for key, look in looks.items() if look.expires and look.oldest}, deadline)
        for key, look in looks.items():
            if not look.reason:
                orphans = f"remove_orphan_files(retention_threshold => '{_age(since)}')"
                trino.rows(f"alter table {_called(key)} execute {orphans}")
    return [f"{key}: {_said(look)}" for key, look in looks.items()]


def _look(trino: Trino, key: str, others: Mapping[str, Table], since: datetime) -> Look:
    rows = trino.rows(f"select snapshot_id, made_current_at from {_called(key, '$history')}")
    states = [Snapshot(int(row[0]), row[1]) for row in rows]
    oldest = boundary(states, since)
    # Tables that Trino made have none until Spark has expired states of them.
    guard = trino.value(f"select value from {_called(key, '$properties')} where key = '{_GUARD}'")
    return Look(states, oldest, guard != "true", keeps(states, oldest, others))


def _expire(target: Target, tables: Mapping[str, datetime], deadline: Deadline) -> None:
    """Let Spark remove the states of tables that are older than the given ones."""
    if not tables:
        return
    words = [word for key, oldest in tables.items() for word in ("--table", f"{key}={oldest.isoformat()}")]
    done = target.run_tool(JOBS, "submit", [_JOB, *words], deadline.remaining)
    if done.returncode != 0:
        last = "\n".join(done.output.strip().splitlines()[-_SHOWN:])
        raise PlatformError(f"{_JOB} ended with {done.returncode}:\n{last}", "mend the cause, clear the task")


def _called(key: str, part: str = "") -> str:
    """A table of readers' catalog, or one of the tables about it, as it is written in a statement."""
    schema, _, name = key.partition(".")
    return f"{CATALOG}.{identifier(schema)}.{identifier(name + part)}"


def _said(look: Look) -> str:
    if look.reason:
        return f"small files merged; otherwise {look.reason}"
    return f"small files merged; {look.kept} of {len(look.states)} states kept"


def _age(moment: datetime) -> str:
    """A moment as Trino's retentions want it: a duration back from the start of the statement."""
    return f"{(datetime.now(UTC) - moment + _SLACK).total_seconds():.1f}s"
