"""Everything that is missing is named at once, with what to do, before anything is made."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bootstrap import preflight
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
        find_spec = importlib.util.find_spec
        monkeypatch.setattr(platform, "system", lambda: system)
        monkeypatch.setattr(platform, "machine", lambda: processor)
        monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}" if maven or name != "mvn" else None)
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name: find_spec(name) if venv or name != "ensurepip" else None
        )
        monkeypatch.setattr(os, "access", lambda *_: writable)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=disk_gib * (1 << 30)))
        monkeypatch.setattr(preflight, "available_memory_gib", lambda: memory_gib)

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
    pid.write_text(str(os.getpid()))
    assert found(tmp_path) == []
    for stale in ("4194305", "not a number"):
        pid.write_text(stale)
        assert len(found(tmp_path)) == 1


def test_available_memory_is_what_the_kernel_says(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "MemTotal: 16 kB\nMemFree: 1 kB\nMemAvailable:   6291456 kB\n"
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: text)
    assert preflight.available_memory_gib() == 6.0


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
