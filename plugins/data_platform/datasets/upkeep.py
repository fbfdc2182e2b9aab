"""Keep a dataset's tables small: merge small files, expire old snapshots, remove files that nothing names any more.

What a commit of Nessie may still need is never removed: see `keeps` and docs/decisions/write-audit-publish.md.
"""

# ruff: noqa: S608 - names of tables come from the catalog and are quoted

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from data_platform.checks.base import Deadline
from data_platform.clients.nessie import Nessie, Table
from data_platform.clients.trino import Trino, identifier
from data_platform.datasets.audit import DATASET_PROPERTY, MAIN, branch_of, catalog_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from data_platform.targets.base import Target

#: How long the past can be read.
KEEP = timedelta(days=14)
#: A retention counts back from the start of Trino's statement, which is a little later than when we read the clock.
_SLACK = timedelta(minutes=1)
#: Spark's catalog forbids to expire what it has made, as other branches may need it. Here that is looked at instead.
_GUARD = "gc.enabled"
_NO_SNAPSHOT = -1


class Snapshot(NamedTuple):
    """A state of a table, and when it began to be what readers see."""

    id: int
    since: datetime


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
    branch is open. A branch that is opened meanwhile and changes the same table cannot be published: `publish` says so.

    Args:
        target: where.
        dataset: its name.
        deadline: of the whole.
        since: from when on the past must stay readable; as long ago as KEEP when None.

    Returns:
        One line a table: what was done, or why nothing was.

    Raises:
        trino.exceptions.TrinoQueryError, NessieError: a server refuses; what was done until then is whole.
    """
    branch = branch_of(dataset)
    with Nessie(target.address("nessie", "http").url, deadline.remaining) as nessie:
        references = {name: kind for name, (kind, _) in nessie.references().items() if name != MAIN}
        if branch in references:
            return [f"{dataset}: left alone, {branch} is open; publish it or run the pipeline again"]
        there = nessie.tables(MAIN)
        written = {key for c in nessie.history(MAIN, {DATASET_PROPERTY: dataset}) for key in c.keys}
        elsewhere = {name: nessie.tables(name) for name in references}
    lines = []
    with (
        Trino(target.address("trino", "http").url, deadline.remaining) as trino,
        _catalog(trino, target, dataset) as at,
    ):
        for key in sorted(written & there.keys()):
            others = {name: tables[key] for name, tables in elsewhere.items() if key in tables}
            lines.append(f"{key}: {_maintain(trino, at, key, others, since or datetime.now(UTC) - KEEP)}")
    return lines


def _maintain(trino: Trino, catalog: str, key: str, others: Mapping[str, Table], since: datetime) -> str:
    schema, _, name = key.partition(".")

    def called(part: str) -> str:
        return f"{catalog}.{identifier(schema)}.{identifier(name + part)}"

    table = called("")
    trino.rows(f"alter table {table} execute optimize")
    rows = trino.rows(f"select snapshot_id, made_current_at from {called('$history')}")
    history = [Snapshot(int(row[0]), row[1]) for row in rows]
    oldest = boundary(history, since)
    if reason := keeps(history, oldest, others):
        return f"small files merged; otherwise {reason}"
    if oldest is not None:
        with _unguarded(trino, table, called("$properties")):
            trino.rows(f"alter table {table} execute expire_snapshots(retention_threshold => '{_age(oldest)}')")
    trino.rows(f"alter table {table} execute remove_orphan_files(retention_threshold => '{_age(since)}')")
    kept = sum(oldest is None or state.since >= oldest for state in history)
    return f"small files merged; {kept} of {len(history)} states kept"


def _age(moment: datetime) -> str:
    """A moment as Trino's retentions want it: a duration back from the start of the statement."""
    return f"{(datetime.now(UTC) - moment + _SLACK).total_seconds():.1f}s"


@contextmanager
def _catalog(trino: Trino, target: Target, dataset: str) -> Iterator[str]:
    """A catalog that may what readers' catalog may not: expire early, and lift the guard."""
    name = f"upkeep_{dataset}"
    freedom = {
        "iceberg.allowed-extra-properties": _GUARD,
        "iceberg.expire-snapshots.min-retention": "0s",
        "iceberg.remove-orphan-files.min-retention": "0s",
    }
    trino.drop_catalog(name)
    trino.create_catalog(name, catalog_settings(target, MAIN) | freedom)
    try:
        yield name
    finally:
        trino.drop_catalog(name)


@contextmanager
def _unguarded(trino: Trino, table: str, properties: str) -> Iterator[None]:
    """Lift Iceberg's guard against expiring, where the table has it, and put it back."""
    if trino.value(f"select value from {properties} where key = '{_GUARD}'") != "false":
        yield
        return
    _guard(trino, table, on=False)
    try:
        yield
    finally:
        _guard(trino, table, on=True)


def _guard(trino: Trino, table: str, on: bool) -> None:
    trino.rows(
        f"alter table {table} set properties extra_properties"
        f" = map(array['{_GUARD}'], array['{'false' if on else 'true'}'])"
    )
