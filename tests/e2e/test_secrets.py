"""No secret is readable where it does not belong."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from data_platform.clients.airflow import Airflow
from tests.running import ROOT, Running

pytestmark = pytest.mark.timeout(3600)


def secrets_of(platform: Running) -> dict[str, str]:
    """Every generated secret, by component and name."""
    found = json.loads((platform.folder / "credentials.json").read_text(encoding="utf-8"))
    return {f"{c}.{k}": v for c, entry in found.items() for k, v in entry.items() if len(v) >= 32}


def named_in(text: str, secrets: dict[str, str]) -> list[str]:
    """Names of the secrets that occur in a text."""
    return [name for name, value in secrets.items() if value in text]


def files(folder: Path) -> Iterator[Path]:
    """All files below a folder."""
    yield from (path for path in folder.rglob("*") if path.is_file())


def test_there_is_a_secret_for_each_server(platform: Running) -> None:
    assert len(secrets_of(platform)) >= 10


def test_the_search_finds_a_planted_secret() -> None:
    assert named_in("… password=abc …", {"planted": "abc"}) == ["planted"]


def test_no_secret_is_in_a_log(platform: Running) -> None:
    platform.bootstrap("check")
    secrets = secrets_of(platform)
    logs = list(files(platform.folder / "logs"))
    assert len(logs) >= 10
    found = {str(p): named_in(p.read_text(encoding="utf-8", errors="replace"), secrets) for p in logs}
    assert {path: names for path, names in found.items() if names} == {}


def test_no_secret_is_in_an_argument_list(platform: Running) -> None:
    secrets = secrets_of(platform)
    commands = platform.of_processes(lambda process: " ".join(process.cmdline()))
    assert len(commands) >= 8
    assert [command for command in commands if named_in(command, secrets)] == []


def test_no_secret_is_in_a_file_that_others_can_read(platform: Running) -> None:
    secrets = secrets_of(platform)
    open_files = [p for p in files(platform.folder) if p.stat().st_mode & 0o044 and p.stat().st_size < 5_000_000]
    # A closed folder above closes what is in it.
    readable = [
        p
        for p in open_files
        if all(parent.stat().st_mode & 0o001 for parent in p.parents if platform.folder in (parent, *parent.parents))
    ]
    assert readable, "the log files, at least, can be read: is the search looking at the right place?"
    assert [str(p) for p in readable if named_in(p.read_text(encoding="utf-8", errors="replace"), secrets)] == []


def test_no_secret_is_in_an_xcom_or_a_rendered_field(platform: Running, airflow: Airflow) -> None:
    secrets = secrets_of(platform)
    platform.bootstrap("run", "stack_drift", check=False)
    seen = 0
    for dag in ("stack_deploy", "stack_health", "stack_drift"):
        for run in airflow.runs(dag):
            for entry in airflow.xcoms(dag, run["dag_run_id"]):
                seen += 1
                assert named_in(json.dumps(entry), secrets) == [], entry["task_id"]
            assert named_in(json.dumps(airflow.tasks(dag, run["dag_run_id"])), secrets) == []
    assert seen >= 10


def test_airflow_shows_no_secret(platform: Running, airflow: Airflow) -> None:
    secrets = secrets_of(platform)
    # The configuration is not shown at all; connections live in the secrets backend, not in the database.
    assert airflow.get_status("/api/v2/config") == 403
    for path in (
        "/api/v2/connections",
        "/api/v2/variables",
        "/api/v2/plugins",
        "/data-platform/",
        "/data-platform/health",
    ):
        assert named_in(airflow.get_text(path), secrets) == [], path


def test_no_secret_is_in_git(platform: Running) -> None:
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [ROOT / name for name in tracked.split("\0") if name]
    assert len(paths) >= 50
    secrets = secrets_of(platform)
    assert [
        str(p) for p in paths if p.is_file() and named_in(p.read_text(encoding="utf-8", errors="replace"), secrets)
    ] == []


def test_files_that_hold_secrets_are_closed_to_others(platform: Running) -> None:
    launched = list((platform.folder / "run" / "launch").glob("*.json"))
    rendered = list(files(platform.folder / "etc"))
    assert len(launched) >= 8
    assert len(rendered) >= 8
    assert [str(p) for p in (*launched, *rendered) if p.stat().st_mode & 0o077] == []
    assert any(named_in(p.read_text(encoding="utf-8"), secrets_of(platform)) for p in launched)
