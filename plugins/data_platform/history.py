"""What the orchestrator keeps of its own past: runs in its database, logs of their tasks. Both have a retention."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from data_platform.checks.base import Deadline
from data_platform.clients import connect
from data_platform.clients.airflow import METADATA, clean_database
from data_platform.stack.capabilities import ORCHESTRATOR

if TYPE_CHECKING:
    from data_platform.targets.base import Target

#: Logs, and those that were set aside by size.
_LOG = re.compile(r".+\.log(\.\d+)?")


def clean_runs(target: Target, deadline: Deadline) -> list[str]:
    """Remove runs, and what the database keeps of them, that are older than the platform's retention.

    Returns:
        Lines that say what was removed.

    Raises:
        PlatformError: a table could not be cleaned.
    """
    days = target.retention.runs_days
    uri = connect.postgres_uri(target, "psycopg2", METADATA, ORCHESTRATOR)
    removed = clean_database(uri, datetime.now(UTC) - timedelta(days=days), deadline.remaining)
    lines = [f"{rows} rows of {table} removed" for table, rows in sorted(removed.items()) if rows]
    return [*lines, f"{sum(removed.values())} rows older than {days} days removed from {len(removed)} tables"]


def clean_logs(folder: Path, days: int, now: datetime | None = None) -> str:
    """Remove logs that nobody has written to for some days, and folders that are empty then; a line that says what.

    Files of other names are left alone, and links are not followed.

    Args:
        folder: with all logs of tasks.
        days: how long one stays.
        now: the clock's when None.
    """
    oldest = ((now or datetime.now(UTC)) - timedelta(days=days)).timestamp()
    files = size = 0
    emptied: set[Path] = set()
    for path in _old_logs(folder, oldest):
        size += path.lstat().st_size
        path.unlink(missing_ok=True)
        files += 1
        emptied.add(path.parent)
    # The deepest first: a folder may be empty once those in it are gone.
    for place in sorted(emptied, key=lambda each: len(each.parts), reverse=True):
        _remove_empty(place, folder)
    return f"{files} logs ({size / 1e6:.1f} MB) that were not written to for {days} days removed"


def _old_logs(folder: Path, oldest: float) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            if _LOG.fullmatch(name) and not path.is_symlink() and path.lstat().st_mtime < oldest:
                yield path


def _remove_empty(place: Path, top: Path) -> None:
    """Remove a folder that is empty, and those around it that are so then."""
    while place != top and not any(place.iterdir()):
        place.rmdir()
        place = place.parent
