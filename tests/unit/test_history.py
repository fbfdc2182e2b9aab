"""Old runs and logs of the orchestrator go, what is young or of others stays, and what was removed is told."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from data_platform import history
from data_platform.checks.base import Deadline
from data_platform.stack.environment import Retention

NOW = datetime(2026, 11, 29, 4, 0, tzinfo=UTC)


def log(folder: Path, name: str, days: float, text: str = "x" * 1000) -> Path:
    """A file that was last written to so many days ago."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    then = (NOW - timedelta(days=days)).timestamp()
    os.utime(path, (then, then))
    return path


def there(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_old_logs_and_their_empty_folders_go_and_young_ones_stay(tmp_path: Path) -> None:
    log(tmp_path, "dag_id=a/run_id=old/task_id=t/attempt=1.log", 31)
    log(tmp_path, "dag_id=a/run_id=old/task_id=t/attempt=1.log.trigger.7.log", 31)
    log(tmp_path, "dag_id=a/run_id=long/task_id=t/attempt=1.log", 31)
    log(tmp_path, "dag_id=a/run_id=long/task_id=t/attempt=2.log", 29)
    log(tmp_path, "dag_id=gone/run_id=old/task_id=t/attempt=1.log", 400)
    log(tmp_path, "dag_processor/2026-01-01/dags/x.py.log.1", 300)
    (tmp_path / "dag_id=a" / "run_id=new" / "task_id=t").mkdir(parents=True)
    assert history.clean_logs(tmp_path, 30, NOW) == "5 logs (0.0 MB) that were not written to for 30 days removed"
    assert there(tmp_path) == {
        "dag_id=a",
        "dag_id=a/run_id=long",
        "dag_id=a/run_id=long/task_id=t",
        "dag_id=a/run_id=long/task_id=t/attempt=2.log",
        # A task that begins has made its folder, and will make its log.
        "dag_id=a/run_id=new",
        "dag_id=a/run_id=new/task_id=t",
    }
    assert history.clean_logs(tmp_path, 30, NOW) == "0 logs (0.0 MB) that were not written to for 30 days removed"


def test_what_is_no_log_and_what_a_link_leads_to_stays(tmp_path: Path) -> None:
    logs, outside = tmp_path / "logs", tmp_path / "outside"
    kept = [log(logs, "notes.txt", 400), log(logs, "dag_id=a/dump.json", 400), log(outside, "precious.log", 400)]
    (logs / "link.log").symlink_to(outside / "precious.log")
    (logs / "folder").symlink_to(outside, target_is_directory=True)
    history.clean_logs(logs, 30, NOW)
    assert all(path.exists() for path in kept)
    assert (logs / "link.log").is_symlink()
    assert (logs / "folder").is_symlink()


def test_without_a_folder_of_logs_there_is_nothing_to_remove(tmp_path: Path) -> None:
    assert history.clean_logs(tmp_path / "none", 30, NOW).startswith("0 logs")


def test_the_folder_of_all_logs_stays(tmp_path: Path) -> None:
    log(tmp_path, "scheduler.log", 400)
    history.clean_logs(tmp_path, 30, NOW)
    assert list(tmp_path.iterdir()) == []


def test_runs_are_removed_by_the_platforms_retention_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, datetime, float]] = []

    def clean(uri: str, before: datetime, seconds: float) -> dict[str, int]:
        asked.append((uri, before, seconds))
        return {"xcom": 7, "dag_run": 3, "log": 0}

    monkeypatch.setattr(history, "clean_database", clean)
    target: Any = SimpleNamespace(
        retention=Retention(runs_days=14, logs_days=7),
        address=lambda *_: SimpleNamespace(host="postgresql.test", port=5432),
        credentials=lambda holder: {"database_user": holder, "database_password": "p"},
    )
    lines = history.clean_runs(target, Deadline(60))
    assert lines == [
        "3 rows of dag_run removed",
        "7 rows of xcom removed",
        "10 rows older than 14 days removed from 3 tables",
    ]
    ((uri, before, seconds),) = asked
    # As its own role, not as the server's administrator.
    assert uri == "postgresql+psycopg2://orchestrator:p@postgresql.test:5432/airflow"
    assert abs(datetime.now(UTC) - timedelta(days=14) - before) < timedelta(minutes=1)
    assert 0 < seconds <= 60
