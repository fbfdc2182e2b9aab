"""Everything that is missing is named at once, with what to do, before anything is made."""

from __future__ import annotations

import importlib.util
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from bootstrap import capacity, disks, preflight
from bootstrap.preflight import Problem, mend, problems, report

Machine = Callable[..., None]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine with everything, except what a test says."""

    def use(
        *,
        system: str = "Linux",
        processor: str = "x86_64",
        maven: bool = True,
        venv: bool = True,
        writable: bool = True,
        disk_gib: float = 100,
        memory_gib: float = 32,
    ) -> None:
        find_spec, access = importlib.util.find_spec, os.access
        monkeypatch.setattr(platform, "system", lambda: system)
        monkeypatch.setattr(platform, "machine", lambda: processor)
        monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}" if maven or name != "mvn" else None)
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name: find_spec(name) if venv or name != "ensurepip" else None
        )
        monkeypatch.setattr(os, "access", lambda path, mode: access(path, mode) if mode == os.X_OK else writable)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=disk_gib * (1 << 30)))
        monkeypatch.setattr(preflight, "available_memory_gib", lambda: memory_gib)
        # Of this machine nothing is to be seen.
        monkeypatch.setattr(capacity, "tasks_left", lambda: float("inf"))
        monkeypatch.setattr(capacity, "cores", lambda: 2.0)
        for name in ("JAVA_HOME", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT"):
            monkeypatch.delenv(name, raising=False)

    return use


def found(tmp_path: Path, cached: bool = False) -> list[Problem]:
    return problems(tmp_path / "state", tmp_path / "cache", cached)


def test_a_good_machine_has_no_problems_and_nothing_was_made(machine: Machine, tmp_path: Path) -> None:
    machine()
    assert found(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("lack", "what", "remedy"),
    [
        ({"system": "Darwin"}, "Darwin is not supported", "docker-compose.yml"),
        ({"processor": "riscv64"}, "riscv64", "x86_64"),
        ({"maven": False}, "Maven (mvn) is missing", "Maven 3.8"),
        ({"venv": False}, "venv module is missing", "install"),
        ({"memory_gib": 2.5}, "2.5 GiB of memory are available, 3 GiB are needed", "stop other programs"),
    ],
    ids=["system", "processor", "maven", "venv", "memory"],
)
def test_a_lack_is_named_with_its_remedy(
    machine: Machine, tmp_path: Path, lack: dict[str, Any], what: str, remedy: str
) -> None:
    machine(**lack)
    (problem,) = found(tmp_path)
    assert what in problem.what
    assert remedy in problem.remedy


def test_no_permission_names_the_folder(machine: Machine, tmp_path: Path) -> None:
    machine(writable=False)
    whats = [problem.what for problem in found(tmp_path)]
    assert whats == [
        f"no permission to write to the state folder ({tmp_path})",
        f"no permission to write to the cache ({tmp_path})",
    ]


def test_a_full_disk_is_named_with_what_is_needed(machine: Machine, tmp_path: Path) -> None:
    machine(disk_gib=1.5)
    state, cache = found(tmp_path)
    assert "the state folder" in state.what
    assert "1.5 GiB of free disk, 2 GiB are needed" in state.what
    assert "8 GiB are needed" in cache.what
    assert "DATA_PLATFORM_CACHE" in cache.remedy


def test_a_filled_cache_needs_little_disk(machine: Machine, tmp_path: Path) -> None:
    machine(disk_gib=3)
    assert len(found(tmp_path, cached=False)) == 1
    assert found(tmp_path, cached=True) == []


def test_a_file_where_a_folder_is_to_be_is_named(machine: Machine, tmp_path: Path) -> None:
    machine()
    (tmp_path / "state").write_text("x")
    (problem,) = problems(tmp_path / "state" / "deep", tmp_path / "cache", False)
    assert f"{tmp_path / 'state'} is no folder" in problem.what


@pytest.mark.parametrize("sign", ["%", ":", "[", ";"])
def test_a_path_that_servers_misread_is_refused_before_anything_is_made(
    machine: Machine, tmp_path: Path, sign: str
) -> None:
    machine()
    assert problems(tmp_path / "a state", tmp_path / "cache", False) == []
    (problem,) = problems(tmp_path / f"a{sign}b", tmp_path / "cache", False)
    assert f"holds {sign!r}" in problem.what
    assert "another place" in problem.remedy


def test_everything_is_named_at_once(machine: Machine, tmp_path: Path) -> None:
    machine(system="Darwin", maven=False, venv=False, writable=False, disk_gib=0.1, memory_gib=1)
    text = "\n".join(problem.what for problem in found(tmp_path))
    for word in ("Darwin", "Maven", "venv", "permission", "free disk", "memory"):
        assert word in text
    assert all(problem.remedy for problem in found(tmp_path))


def test_a_running_platform_does_not_need_its_memory_again(machine: Machine, tmp_path: Path) -> None:
    machine(memory_gib=1)
    pid = tmp_path / "state" / "run" / "supervisord.pid"
    pid.parent.mkdir(parents=True)
    program = [sys.executable, "-c", "input()", str(pid.with_suffix(".conf"))]
    with subprocess.Popen(program, stdin=subprocess.PIPE) as supervisor:  # noqa: TID251 - it is to run meanwhile
        pid.write_text(str(supervisor.pid))
        assert found(tmp_path) == []
        # Numbers of nobody, and of somebody else: after a power cut they are given anew.
        for stale in ("4194305", "not a number", str(os.getpid())):
            pid.write_text(stale)
            assert len(found(tmp_path)) == 1
        supervisor.communicate(b"\n")


# Of this user, this checkout, these settings


def whats(tmp_path: Path) -> str:
    return "\n".join(problem.what for problem in found(tmp_path))


def test_a_user_without_an_entry_is_refused(machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine()
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    assert whats(tmp_path).startswith("the user 54321 has no entry in /etc/passwd")


def test_a_clock_in_the_past_is_named(machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine()
    monkeypatch.setattr(time, "time", lambda: 86400.0)
    monkeypatch.setattr(time, "gmtime", lambda: (1970, 1, 2, 0, 0, 0, 4, 2, 0))
    assert "the clock says 1970-01-02" in whats(tmp_path)


def test_nowhere_to_put_temporary_files_and_no_loopback_are_named(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere() -> str:
        raise FileNotFoundError

    machine()
    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    monkeypatch.setattr(capacity, "has_loopback", lambda: False)
    assert "no folder for temporary files" in whats(tmp_path)
    assert "lo is down" in whats(tmp_path)


def test_a_checkout_whose_program_cannot_be_run_is_named(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine()
    program = tmp_path / "checkout" / preflight._PROGRAM
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n", encoding="ascii")
    monkeypatch.setattr(preflight, "ROOT", tmp_path / "checkout")
    (tmp_path / "checkout" / "locks").mkdir()
    (tmp_path / "checkout" / "locks" / "uv.txt").write_text("", encoding="ascii")
    (problem,) = found(tmp_path)
    assert f"{program} cannot be run: the checkout lost its mode, or its file system is mounted noexec" in problem.what
    program.chmod(0o755)
    assert found(tmp_path) == []


def test_a_checkout_with_line_ends_of_windows_is_named(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine()
    checkout = tmp_path / "checkout"
    (checkout / "locks").mkdir(parents=True)
    script = checkout / "stack" / "components" / "a" / "b" / "start.sh"
    script.parent.mkdir(parents=True)
    script.write_bytes(b"#!/bin/sh\n")
    (checkout / "locks" / "uv.txt").write_bytes(b"uv==1\n")
    (checkout / preflight._PROGRAM).parent.mkdir(parents=True)
    (checkout / preflight._PROGRAM).touch(0o755)
    monkeypatch.setattr(preflight, "ROOT", checkout)
    assert found(tmp_path) == []
    script.write_bytes(b"#!/bin/sh\r\n")
    assert whats(tmp_path) == (
        "the checkout has the line ends of Windows (stack/components/a/b/start.sh), which no shell reads"
    )


@pytest.mark.parametrize("name", ["JAVA_HOME", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_a_variable_that_names_what_is_not_there_is_named(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    machine()
    monkeypatch.setattr(os, "access", lambda path, _: "gone" not in str(path))
    monkeypatch.setenv(name, str(tmp_path))
    assert found(tmp_path) == []
    monkeypatch.setenv(name, "/gone")
    (problem,) = found(tmp_path)
    assert f"{name} is /gone" in problem.what
    assert "unset" in problem.remedy


@pytest.mark.parametrize(
    "low",
    [
        (resource.RLIMIT_AS, 8 << 30, "addresses of a process is 8589934592, at least 17179869184"),
        (resource.RLIMIT_DATA, 8 << 30, "data of a process"),
        (resource.RLIMIT_FSIZE, 1 << 30, "the size of a file"),
        (resource.RLIMIT_STACK, 1 << 16, "the stack"),
        (resource.RLIMIT_CPU, 86400, "in seconds is 86400, it must be unlimited"),
    ],
)
def test_a_hard_limit_that_is_too_low_is_named(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, low: tuple[int, int, str]
) -> None:
    machine()
    kind, limit, said = low
    limits = {kind: (limit, limit)}
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    monkeypatch.setattr(resource, "getrlimit", lambda asked: limits.get(asked, unlimited))
    (problem,) = found(tmp_path)
    assert said in problem.what
    assert "ulimit -" in problem.remedy
    limits.clear()
    assert found(tmp_path) == []


def test_too_few_threads_and_processors_are_named(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine()
    monkeypatch.setattr(capacity, "tasks_left", lambda: 100.0)
    monkeypatch.setattr(capacity, "cores", lambda: 0.5)
    assert whats(tmp_path) == (
        "100 more threads can be started, 1000 are needed\n0.5 processors can be used, 1 is needed"
    )
    # Who has said to wait longer knows.
    monkeypatch.setenv("DATA_PLATFORM_PATIENCE", "3")
    assert "processors" not in whats(tmp_path)


def test_too_few_open_files_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 1024))
    assert preflight.too_few_open_files(1024) == []
    (problem,) = preflight.too_few_open_files(4096)
    assert problem.what == "a process can have 1024 files open, 4096 are needed"
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, resource.RLIM_INFINITY))
    assert preflight.too_few_open_files(4096) == []


# Of a folder


@pytest.mark.parametrize("name", ["R&D", "a b", "Müller", "a!b", "<x>", "a=b,c~(1)@^|"])
def test_a_folder_may_have_an_unusual_name(machine: Machine, tmp_path: Path, name: str) -> None:
    machine()
    assert problems(tmp_path / name, tmp_path / f"{name} cache", False) == []


def test_a_path_that_is_no_text_or_too_long_is_refused(machine: Machine, tmp_path: Path) -> None:
    machine()
    (problem,) = problems(tmp_path / os.fsdecode(b"\xff"), tmp_path / "cache", False)
    assert "is not UTF-8" in problem.what
    (problem,) = problems(tmp_path.joinpath(*["long" * 50] * 4), tmp_path / "cache", False)
    assert "servers take 600 at most" in problem.what
    (problem,) = problems(tmp_path / "a\x1bb", tmp_path / "cache", False)
    assert "servers misread" in problem.what


def test_what_a_file_system_lacks_is_named_for_each_folder(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine()
    monkeypatch.setattr(disks, "shortfalls", lambda _: ["it is mounted noexec"])
    state, cache = found(tmp_path)
    assert state.what == f"the state folder ({tmp_path}): it is mounted noexec"
    assert cache.what.startswith("the cache")
    assert "another file system" in cache.remedy


def test_a_folder_on_a_mount_that_is_read_only_is_named(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(writable=False)
    monkeypatch.setattr(disks, "is_read_only", lambda _: True)
    assert whats(tmp_path) == (
        f"the state folder ({tmp_path}): it is mounted read-only\nthe cache ({tmp_path}): it is mounted read-only"
    )


def test_a_folder_that_may_not_be_entered_is_named(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(path: Path) -> bool:
        if "inside" in path.parts:
            raise PermissionError(13, "Permission denied", str(path))
        return True

    machine()
    monkeypatch.setattr(disks, "shortfalls", lambda _: [])
    with mock.patch.object(Path, "exists", closed):
        (problem,) = problems(tmp_path / "inside" / "state", tmp_path, False)
    assert problem.what == (
        f"{tmp_path}/inside/state cannot be reached: a folder above it may not be entered (Permission denied)"
    )


class Apt:
    """Notes what apt-get is asked, and ends as told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: bool = True, debian: bool = True, ends: int = 0) -> None:
        self.asked: list[list[str]] = []
        self.ends = ends
        monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
        monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}" if debian else None)
        monkeypatch.setattr(subprocess, "run", self._run)

    def _run(self, command: list[str], **options: Any) -> Any:
        assert options["env"]["DEBIAN_FRONTEND"] == "noninteractive"
        self.asked.append(command)
        return SimpleNamespace(returncode=self.ends, stdout="E: no such package\n")


MAVEN = Problem("Maven is missing", "install it", ("maven",))
MEMORY = Problem("too little memory", "buy more")


def test_root_on_debian_installs_what_is_missing_and_the_rest_remains(monkeypatch: pytest.MonkeyPatch) -> None:
    apt = Apt(monkeypatch)
    assert mend([MAVEN, MEMORY]) == [MEMORY]
    assert [command[1] for command in apt.asked] == ["update", "install"]
    assert apt.asked[1][-1] == "maven"


@pytest.mark.parametrize("place", [{"root": False}, {"debian": False}])
def test_without_root_or_debian_nothing_is_installed(monkeypatch: pytest.MonkeyPatch, place: dict[str, bool]) -> None:
    apt = Apt(monkeypatch, **place)
    assert mend([MAVEN, MEMORY]) == [MAVEN, MEMORY]
    assert apt.asked == []


def test_nothing_to_install_does_not_ask_apt(monkeypatch: pytest.MonkeyPatch) -> None:
    apt = Apt(monkeypatch)
    assert mend([MEMORY]) == [MEMORY]
    assert apt.asked == []


def test_a_failed_installation_is_a_problem_too(monkeypatch: pytest.MonkeyPatch) -> None:
    Apt(monkeypatch, ends=100)
    remaining = mend([MAVEN])
    assert remaining[0] == MAVEN
    assert "apt-get update failed" in remaining[1].what
    assert "no such package" in remaining[1].what


def test_the_report_has_a_line_for_each_problem_and_its_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    report([MAVEN, MEMORY])
    assert capsys.readouterr().err == (
        "This machine is not ready: 2 problems.\n"
        "- Maven is missing\n  → install it (Debian: apt-get install maven)\n"
        "- too little memory\n  → buy more\n"
    )
