"""An Iceberg table is made, added to, read as it is and as it was, and removed."""

# ruff: noqa: S608 - the only name in these statements is made by scratch_table()

from __future__ import annotations

from data_platform.checks.base import CheckFailed, Deadline, Params, Platform
from data_platform.checks.scratch import SCHEMA, drop_left_over_tables, object_store, scratch_table
from data_platform.clients import connect

_ROWS = 25


def check(params: Params, platform: Platform, deadline: Deadline) -> str:
    """Make a table from sample data, insert a row, read both states by their snapshots, and drop it."""
    del params
    store = object_store(platform, deadline)
    with connect.trino(platform, deadline.remaining) as trino:
        trino.rows(f"create schema if not exists {SCHEMA}")
        with scratch_table(trino, store) as name:
            table = f"{SCHEMA}.{name}"
            trino.rows(f"create table {table} as select nationkey, name from tpch.tiny.nation")
            trino.rows(f"insert into {table} values (-1, 'Atlantis')")
            now = trino.rows(f"select count(*), min_by(name, nationkey) from {table}")
            history = trino.rows(
                f'select snapshot_id, operation from {SCHEMA}."{name}$snapshots" order by committed_at'
            )
            if now != [[_ROWS + 1, "Atlantis"]] or [row[1] for row in history] != ["append", "append"]:
                raise CheckFailed(f"{table}: made {_ROWS} + 1 rows in two snapshots, found {now} and {history}")
            then = trino.value(f"select count(*) from {table} for version as of {history[0][0]}")
            if then != _ROWS:
                raise CheckFailed(f"{table} as of snapshot {history[0][0]}: expected {_ROWS} rows, found {then}")
        old = drop_left_over_tables(trino, store)
        if name in (row[0] for row in trino.rows(f"show tables from {SCHEMA}")):
            raise CheckFailed(f"{table} is still there after its removal")
    cleaned = f"; removed {len(old)} left by earlier runs" if old else ""
    return f"{table}: {_ROWS + 1} rows now, {then} as of snapshot {history[0][0]}, dropped with its files{cleaned}"
