"""Airflow's own command removes the past from its database, here one of SQLite, and what it removed is read."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from data_platform.clients.airflow import clean_database
from data_platform.stack.errors import PlatformError

BEFORE = datetime(2026, 10, 1, tzinfo=UTC)
OLD, YOUNG = "2026-01-01 00:00:00", "2026-11-01 00:00:00"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with Airflow's schema."""
    folder = tmp_path_factory.mktemp("airflow")
    subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"],
        check=True,
        capture_output=True,
        timeout=100,
        env={
            "PATH": os.environ["PATH"],
            "AIRFLOW_HOME": str(folder),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/a.db",
        },
    )
    return folder / "a.db"


@pytest.fixture
def database(file: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        yield connection


def run_of(database: sqlite3.Connection, name: str, kind: str, start: str) -> None:
    database.execute(
        "insert into dag_run (dag_id, run_id, run_type, start_date, run_after, state, clear_number, span_status,"
        " log_template_id) values ('d', ?, ?, ?, ?, 'success', 0, 'not_started', 1)",
        (name, kind, start, start),
    )


def test_what_is_old_goes_and_the_last_scheduled_run_stays(file: Path, database: sqlite3.Connection) -> None:
    for moment in (OLD, OLD, YOUNG):
        database.execute("insert into log (dttm, event) values (?, 'x')", (moment,))
        database.execute("insert into import_error (timestamp, filename) values (?, 'x')", (moment,))
    # The watcher of an asset has a trigger as old as its DAG.
    database.execute("insert into trigger (classpath, kwargs, created_date) values ('x', '{}', ?)", (OLD,))
    run_of(database, "first", "scheduled", "2026-01-01 00:00:00")
    run_of(database, "last", "scheduled", "2026-01-02 00:00:00")
    run_of(database, "by hand", "manual", "2026-01-03 00:00:00")
    uri = f"sqlite:///{file}"
    removed = clean_database(uri, BEFORE, 100)
    assert {table: rows for table, rows in removed.items() if rows} == {"log": 2, "import_error": 2, "dag_run": 2}
    assert [row[0] for row in database.execute("select run_id from dag_run")] == ["last"]
    # Airflow notes its own command there, too.
    assert database.execute("select count(*) from log where event = 'x'").fetchone() == (1,)
    assert database.execute("select count(*) from trigger").fetchone() == (1,)
    # Nothing is set aside.
    names = [row[0] for row in database.execute("select name from sqlite_master where type = 'table'")]
    assert [name for name in names if name.startswith("_airflow_deleted")] == []
    assert sum(clean_database(uri, BEFORE, 100).values()) == 0


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("none/a.db", "removing the past from Airflow's database: .* ended with 1"),
        ("a.db", "said nothing of asset_event"),
    ],
    ids=["it cannot be opened", "it has no tables"],
)
def test_a_database_that_cannot_be_cleaned_is_told(tmp_path: Path, place: str, said: str) -> None:
    with pytest.raises(PlatformError, match=said) as caught:
        clean_database(f"sqlite:///{tmp_path}/{place}", BEFORE, 100)
    assert "run it again" in caught.value.remedy
