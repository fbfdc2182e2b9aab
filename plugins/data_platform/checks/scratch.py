"""What checks make for a moment: its names hold their time, so that a later run removes what a killed one left."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from data_platform.checks.base import CheckFailed, Deadline, Platform
from data_platform.clients import connect
from data_platform.clients.cleanup import removed_after
from data_platform.stack import lake
from data_platform.stack.holders import CHECKS

if TYPE_CHECKING:
    from minio import Minio

    from data_platform.clients.trino import Trino

#: Older than any check may run, so that two runs at the same time leave each other alone.
LEFT_OVER_SECONDS = 3600
#: Iceberg schema of such tables, and where their files lie.
SCHEMA = lake.table(lake.SCRATCH)
BUCKET, FOLDER = lake.TABLES, f"{lake.FOLDER}/{lake.SCRATCH}/"

_NAME = re.compile(r"check_(\d{10})_[0-9a-f]{8}")


def scratch_name() -> str:
    """A new name, valid for tables and branches."""
    return f"check_{int(time.time())}_{uuid.uuid4().hex[:8]}"


def left_over(names: Iterable[str], now: float | None = None) -> list[str]:
    """Those of the names that a check made more than an hour ago; names of others are never among them.

    Args:
        names: what is there.
        now: seconds since 1970; the clock when None.
    """
    oldest = (time.time() if now is None else now) - LEFT_OVER_SECONDS
    return sorted(name for name in names if (match := _NAME.fullmatch(name)) and int(match[1]) < oldest)


def object_store(platform: Platform, deadline: Deadline) -> Minio:
    """A client of the object store, with the key of checks."""
    return connect.s3(platform, CHECKS, deadline.remaining)


@contextmanager
def scratch_table(trino: Trino, store: Minio) -> Iterator[str]:
    """Name in SCHEMA for a table that the block makes; table and files are removed after it."""
    name = scratch_name()
    # What cannot be removed now is left over for a later run.
    with removed_after(lambda: drop_table(trino, store, name), f"the table {name}", required=True):
        yield name


def drop_table(trino: Trino, store: Minio, name: str) -> None:
    """Remove a table of SCHEMA, where it is there, and its files: in a Nessie catalog `drop table` keeps them.

    Raises:
        CheckFailed: a file cannot be removed.
    """
    from minio.deleteobjects import DeleteObject

    trino.rows(f"drop table if exists {SCHEMA}.{name}")
    versions = store.list_objects(BUCKET, prefix=f"{FOLDER}{name}", recursive=True, include_version=True)
    doomed = [DeleteObject(str(v.object_name), v.version_id) for v in versions]
    if failed := [str(error) for error in store.remove_objects(BUCKET, doomed)]:
        raise CheckFailed(f"files of {name} cannot be removed: {failed}")


def drop_left_over_tables(trino: Trino, store: Minio) -> list[str]:
    """Remove what killed checks left in SCHEMA, tables and files, and return the names."""
    tables = {str(row[0]) for row in trino.rows(f"show tables from {SCHEMA}")}
    # A table's folder is its name and a random end.
    folders = (str(o.object_name).removeprefix(FOLDER) for o in store.list_objects(BUCKET, prefix=FOLDER))
    old = left_over(tables | {match[0] for folder in folders if (match := _NAME.match(folder))})
    for name in old:
        drop_table(trino, store, name)
    return old
