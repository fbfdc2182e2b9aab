"""The archive for who helps from afar, of the real platform: whole, and without any of its secrets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.running import Running
from tests.secret_values import secrets_of
from tests.written_secrets import content_of, planted, shown

pytestmark = pytest.mark.timeout(1800)


def archive(platform: Running, path: Path) -> dict[str, str]:
    platform.bootstrap("support", "--output", str(path))
    return content_of(path)


def lacking(files: dict[str, str]) -> dict[str, str]:
    parts = json.loads(files["manifest.json"])["parts"]
    assert len(parts) >= 10
    return {part["part"]: part["lacks"] for part in parts if "lacks" in part}


def test_the_archive_of_a_running_platform_lacks_nothing_and_shows_no_secret(platform: Running, tmp_path: Path) -> None:
    secrets = secrets_of(platform.target)
    assert len(secrets) >= 20
    log = platform.folder / "logs" / "planted.log"
    log.touch(0o600)
    try:
        log.write_text(text := "".join(planted(value) for value in secrets.values()), encoding="utf-8")
        files = archive(platform, tmp_path / "help.tar.gz")
    finally:
        # Others look whether a log holds a secret.
        log.unlink()
    assert lacking(files) == {}
    assert shown(secrets, {"the log": text}) == {"the log": set(secrets)}, "the search finds them"
    assert "logs/planted.log" in files
    assert shown(secrets, files) == {}
    redacted = json.loads(files["manifest.json"])["redacted"]
    assert {f"«secret: {name.replace('.', '/', 1)}»" for name in secrets} <= redacted.keys()


def test_it_says_what_the_verbs_say(platform: Running, tmp_path: Path) -> None:
    files = archive(platform, tmp_path / "help.tar.gz")
    target = platform.target
    status = json.loads(files["status.json"])
    assert {each["name"]: each["state"] for each in status["components"]} == {
        each["name"]: each["state"] for each in platform.status()["components"]
    }
    newest = json.loads(files["checks/newest.json"])
    assert {each["component"] for each in newest} >= set(target.stack.components)
    assert {name for name in target.stack.components if f"drift/{name}.json" in files} == set(target.stack.components)
    assert json.loads(files["airflow/stack_deploy/runs.json"])
    assert json.loads(files["leases.json"]).keys() == {
        "platform",
        *(f"dataset {each}" for each in target.stack.datasets),
    }
    servers = [name for name in files if name.startswith("logs/") and name.count("/") == 1]
    assert len(servers) >= 10
