"""A whole platform where the folder, the shell and the mounts are not those of who wrote it: it comes up and works."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.running import UP_SECONDS, Running, end

pytestmark = [pytest.mark.timeout(3600), pytest.mark.deep]

#: What people have set for something else.
SHELL = {
    "ALL_PROXY": "socks5://127.0.0.1:9",
    "all_proxy": "socks5h://127.0.0.1:9",
    "NO_PROXY": "",
    "PIP_USER": "1",
    "PIP_TARGET": "/nonexistent",
    "UV_PYTHON": "3.9",
    "UV_SYSTEM_PYTHON": "1",
    "PYTHONSTARTUP": "/nonexistent",
    "PYTHONWARNINGS": "error",
    "PYTHONIOENCODING": "ascii",
    "JAVA_TOOL_OPTIONS": "-Xmx1m",
    "CLASSPATH": "/nonexistent",
    "SPARK_HOME": "/nonexistent",
    "AIRFLOW_HOME": "/nonexistent",
    "AIRFLOW__CORE__EXECUTOR": "NoSuchExecutor",
    "PGHOST": "nowhere.test",
    "PGSSLMODE": "verify-full",
    "PGOPTIONS": "-c search_path=nothing",
    "LANG": "C",
    "TZ": "Asia/Kathmandu",
}
#: Lets no program run from /tmp, for this command and what it starts alone.
_NOEXEC = 'mount --make-rprivate / && mount --bind /tmp /tmp && mount -o remount,bind,noexec /tmp && exec "$@"'


@dataclass
class Unusual(Running):
    """Its commands are typed in such a shell; as root where /tmp is mounted noexec."""

    @property
    def environment(self) -> dict[str, str]:
        """Environment of its commands."""
        return super().environment | SHELL

    def _command(self, words: tuple[str, ...]) -> list[str]:
        prefix = ["unshare", "--mount", "sh", "-ec", _NOEXEC, "sh"] if os.geteuid() == 0 else []
        return [*prefix, *super()._command(words)]


@pytest.fixture(scope="module")
def unusual() -> Iterator[Running]:
    """The whole platform, its reference pipeline too; not below /tmp, for that lets nothing run."""
    folder = Path(tempfile.mkdtemp(prefix="R&D ! <x> ", dir="/var/tmp"))
    made = Unusual(folder / "a state")
    try:
        made.bootstrap("up", seconds=UP_SECONDS)
        yield made
        end(made)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_all_of_it_runs_and_every_check_has_passed(unusual: Running) -> None:
    components = unusual.status()["components"]
    assert len(components) >= 8
    checks = [check for each in components for check in each["checks"]]
    assert checks
    assert {check["status"] for check in checks} == {"passed"}
    assert {each["state"] for each in components} <= {"running", "installed"}


def test_a_second_up_has_nothing_to_do(unusual: Running) -> None:
    assert "nothing to do" in unusual.bootstrap("up").stdout


def test_a_database_starts_whose_record_names_somebody_elses_process(unusual: Running) -> None:
    unusual.bootstrap("down")
    record = unusual.folder / "data" / "postgresql" / "db" / "postmaster.pid"
    # As a power cut leaves it: the number was given to another program since.
    owner = record.parent.stat()
    as_owner: dict[str, Any] = {"user": owner.st_uid, "group": owner.st_gid} if os.geteuid() == 0 else {}
    with subprocess.Popen(["sleep", "3600"], **as_owner) as stranger:  # noqa: TID251 - it is to live meanwhile
        try:
            record.write_text(f"{stranger.pid}\n{record.parent}\n1700000000\n", encoding="utf-8")
            os.chown(record, owner.st_uid, owner.st_gid)
            unusual.bootstrap("up", "--only", "postgresql")
            assert stranger.poll() is None
            (found,) = [each for each in unusual.status()["components"] if each["name"] == "postgresql"]
            assert found["state"] == "running"
        finally:
            stranger.kill()
