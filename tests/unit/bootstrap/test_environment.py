"""The environment is made once for each lock, whole or not at all, and the command starts again in it.

uv and pip are pretended by scripts, and the start by an exception.
"""

from __future__ import annotations

import argparse
import os
import sys
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from bootstrap import environment, preflight
from bootstrap.preflight import Problem

MISSING = Problem("Maven (mvn) is missing", "install it", ("maven",))

#: Notes what it is asked, and puts a uv beside itself.
_PIP = """
[ "$1 $2 $3" = "-I -m pip" ] || exit 9
shift 3
echo "pip $*" >> "$NOTES"
env | grep ^PIP_ | sort > "$NOTES.pip"
case "$1" in
install)
  [ ! -e "$FAILS_PIP" ] || { echo 'no matching distribution'; exit 1; }
  [ ! -e "$ELSEWHERE" ] || exit 0
  cp "$PRETENDED_UV" "$(dirname "$0")/uv" ;;
config) printf '%s\\n' "global.index-url='https://mirror.of.pip.conf/simple'" "install.user='true'" "list.x='1'" ;;
esac
"""
#: Notes what it is asked, and whether somebody else could take the lock of the folder that it makes.
_UV = """
echo "uv $*" >> "$NOTES"
case "$1" in
venv)
  for folder; do :; done
  mkdir -p "$folder/bin"
  touch "$folder/bin/python"
  flock -n "${folder%.partial}.lock" true
  echo "lock $?" >> "$NOTES" ;;
pip)
  env | grep ^UV_ | sort > "$NOTES.uv"
  [ -e "$ELSEWHERE" ] || mkdir -p "${6%/bin/python}/lib/python3/site-packages/a-1.dist-info"
  [ ! -e "$FAILS_UV" ] || { seq 30; echo 'hashes do not match'; exit 1; } ;;
esac
"""


class Started(Exception):  # noqa: N818 - stands for the other program
    """This process would have become another program."""


class Machine:
    """A checkout, a cache and what was asked of the tools."""

    def __init__(self, root: Path, cache: Path) -> None:
        self.root, self.cache = root, cache
        self.notes = root / "notes"
        self.problems: list[Problem] = []
        self.asked: list[tuple[Path, Path, bool]] = []
        self.mended = False
        (root / "locks").mkdir()
        for name in ("test", "platform", "uv"):
            (root / "locks" / f"{name}.txt").write_text(f"{name}==1 --hash=sha256:0\n", encoding="utf-8")

    def look(self, state: Path, cache: Path, cached: bool) -> list[Problem]:
        """In the place of `preflight.problems`."""
        self.asked.append((state, cache, cached))
        return self.problems

    def mend(self, problems: list[Problem]) -> list[Problem]:
        """In the place of `preflight.mend`."""
        return [] if self.mended else problems

    def noted(self, tool: str = "") -> list[str]:
        """What the tools were asked."""
        lines = self.notes.read_text(encoding="utf-8").splitlines() if self.notes.exists() else []
        return [line for line in lines if line.startswith(tool)]

    def made(self) -> list[str]:
        """Names in the folder of environments, without locks."""
        folder = self.cache / "environments"
        return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock") if folder.exists() else []


@pytest.fixture
def machine(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """A machine on which nothing was made yet, with settings of nobody."""
    root = tmp_path / "checkout"
    root.mkdir()
    made = Machine(root, cache)
    pretended = root / "uv"
    pretended.write_text("#!/bin/sh\n" + _UV, encoding="utf-8")

    def create(folder: Path, *, with_pip: bool) -> None:
        assert with_pip
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "python").write_text("#!/bin/sh\n" + _PIP, encoding="utf-8")
        (folder / "bin" / "python").chmod(0o755)

    def start(python: Path, words: list[str]) -> None:
        raise Started(python, words)

    pretended.chmod(0o755)
    there = Path.exists
    # This machine may have one.
    monkeypatch.setattr(Path, "exists", lambda path: str(path) != "/etc/pip.conf" and there(path))
    monkeypatch.setattr(environment, "ROOT", root)
    monkeypatch.setattr(venv, "create", create)
    monkeypatch.setattr(os, "execv", start)
    monkeypatch.setattr(sys, "argv", ["bootstrap", "up", "--only", "trino"])
    monkeypatch.setattr(preflight, "problems", made.look)
    monkeypatch.setattr(preflight, "mend", made.mend)
    files = {"NOTES": made.notes, "PRETENDED_UV": pretended, "FAILS_UV": root / "fails uv", "FAILS_PIP": root / "fails"}
    files["ELSEWHERE"] = root / "elsewhere"
    with mock.patch.dict(os.environ, {name: str(path) for name, path in files.items()}):
        for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
            del os.environ[name]
        os.environ |= {"PIP_INDEX_URL": "https://mirror.test/simple", "HOME": str(tmp_path / "home")}
        yield made


def enter(verb: str = "up") -> None:
    environment.enter(argparse.Namespace(verb=verb, state=Path("/state")))


def started(verb: str = "up") -> tuple[Path, list[str]]:
    """The program that the command became, and its arguments."""
    with pytest.raises(Started) as caught:
        enter(verb)
    python, words = caught.value.args
    assert words[0] == str(python)
    return python, words[1:]


# Where the command runs


def test_the_command_starts_again_in_the_environment_with_its_own_arguments(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    python, words = started()
    (name,) = machine.made()
    assert python == machine.cache / "environments" / name / "bin" / "python"
    assert words == ["-m", "bootstrap", "up", "--only", "trino"]
    assert os.environ["PYTHONPATH"] == f"{machine.root}:{machine.root}/plugins"
    assert Path(os.environ["DATA_PLATFORM_UV"]).is_file()
    assert "PYTHONDONTWRITEBYTECODE" not in os.environ


def test_in_the_environment_nothing_is_looked_at_made_or_started(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    python, _ = started()
    monkeypatch.setattr(sys, "prefix", str(python.parents[1]))
    machine.notes.unlink()
    machine.asked.clear()
    machine.problems = [MISSING]
    enter()
    assert (machine.asked, machine.noted()) == ([], [])
    # One that was activated by hand lacks the checkout's own packages.
    machine.problems = []
    monkeypatch.delenv("PYTHONPATH")
    assert started()[0] == python
    # Another verb's environment is another one.
    assert started("test")[0] != python


@pytest.mark.parametrize(("verb", "lock"), [("up", "platform"), ("status", "platform"), ("test", "test")])
def test_the_environment_of_a_verb_holds_what_its_lock_says(machine: Machine, verb: str, lock: str) -> None:
    started(verb)
    (name,) = machine.made()
    assert name.startswith(f"{lock}-")
    (sync,) = machine.noted("uv pip sync")
    assert "--require-hashes" in sync
    assert sync.endswith(f" {machine.root}/locks/{lock}.txt")


# Once, and whole


def test_what_was_made_is_not_made_again_until_its_lock_changes(machine: Machine) -> None:
    first, _ = started()
    machine.notes.unlink()
    assert started()[0] == first
    assert machine.noted() == []
    (machine.root / "locks" / "platform.txt").write_text("platform==2 --hash=sha256:1\n", encoding="utf-8")
    assert started()[0] != first
    assert len(machine.made()) == 2
    # uv has a lock of its own, which has not changed.
    assert machine.noted("pip install") == []


def test_another_python_has_another_environment(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = started()
    monkeypatch.setattr(sys, "executable", "/bin/sh")
    assert started()[0] != first
    assert len(machine.made()) == 2


def test_it_is_made_under_another_name_while_its_lock_is_held(machine: Machine) -> None:
    started()
    (name,) = machine.made()
    (made,) = machine.noted("uv venv")
    assert "--relocatable" in made
    assert made.endswith(f"/{name}.partial")
    # What flock ends with where somebody else holds it.
    assert machine.noted("lock") == ["lock 1"]


def test_what_cannot_be_installed_leaves_no_environment_and_is_told_by_its_last_lines(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    fails = Path(os.environ["FAILS_UV"])
    fails.touch()
    with pytest.raises(SystemExit) as caught:
        enter()
    assert caught.value.code == 2
    (left,) = machine.made()
    assert left.endswith(".partial")
    said = capsys.readouterr().err
    assert said.startswith("uv pip sync failed:\n12\n13\n")
    assert "hashes do not match\n  → look at the network" in said
    # The next try begins anew.
    (machine.cache / "environments" / left / "half").touch()
    fails.unlink()
    python, _ = started()
    assert machine.made() == [left.removesuffix(".partial")]
    assert not (python.parents[1] / "half").exists()


def test_who_waited_for_another_one_takes_what_that_one_has_made(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = environment._alone

    def quicker(folder: Path) -> Any:
        if folder.parent.name == "environments":
            (folder / "bin").mkdir(parents=True)
            (folder / "bin" / "python").touch()
        return alone(folder)

    monkeypatch.setattr(environment, "_alone", quicker)
    started()
    assert machine.noted("uv") == []


def test_a_uv_that_was_not_installed_to_its_end_is_installed_anew(machine: Machine) -> None:
    fails = Path(os.environ["FAILS_PIP"])
    fails.touch()
    with pytest.raises(SystemExit) as caught:
        enter()
    assert (caught.value.code, machine.made()) == (2, [])
    fails.unlink()
    started()
    tries = machine.noted("pip install")
    assert len(tries) == 2
    assert all(f"--require-hashes -r {machine.root}/locks/uv.txt" in words for words in tries)


# What the machine lacks


@pytest.mark.parametrize("verb", ["up", "test"])
def test_a_verb_that_makes_something_ends_where_the_machine_lacks_something(
    machine: Machine, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    machine.problems = [MISSING]
    with pytest.raises(SystemExit) as caught:
        enter(verb)
    assert (caught.value.code, machine.made(), machine.noted()) == (2, [], [])
    assert "Maven (mvn) is missing" in "".join(capsys.readouterr())
    assert machine.asked == [(Path("/state"), machine.cache, False)]


@pytest.mark.parametrize("verb", ["up", "test"])
def test_what_could_be_mended_is_in_nobodys_way(machine: Machine, verb: str) -> None:
    machine.problems, machine.mended = [MISSING], True
    started(verb)
    assert len(machine.made()) == 1


def test_doctor_mends_nothing_and_says_itself_what_is_missing_once_it_has_an_environment(machine: Machine) -> None:
    machine.problems, machine.mended = [MISSING], True
    with pytest.raises(SystemExit) as caught:
        enter("doctor")
    assert (caught.value.code, machine.made()) == (2, [])
    started("status")
    started("doctor")
    assert len(machine.asked) == 1


def test_a_verb_that_only_looks_asks_nothing_of_the_machine(machine: Machine) -> None:
    machine.problems = [MISSING]
    started("status")
    assert machine.asked == []


def test_a_machine_with_an_environment_needs_less_disk(machine: Machine) -> None:
    started()
    started()
    assert [cached for _, _, cached in machine.asked] == [False, True]


# Indexes and certificates


def test_a_mirror_of_pips_environment_serves_uv_too(machine: Machine) -> None:
    started()
    assert os.environ["UV_DEFAULT_INDEX"] == "https://mirror.test/simple"
    assert os.environ["UV_SYSTEM_CERTS"] == "true"
    assert machine.noted("pip config") == ["pip config list"]  # of its own installation


@pytest.mark.parametrize("name", ["UV_DEFAULT_INDEX", "UV_INDEX_URL"])
def test_a_setting_of_uvs_own_goes_before_pips(machine: Machine, name: str) -> None:
    os.environ |= {name: "https://of.uv/simple", "UV_SYSTEM_CERTS": "false"}
    started()
    assert machine.noted("pip config") == ["pip config list"]
    assert os.environ["UV_SYSTEM_CERTS"] == "false"
    assert {os.environ.get("UV_DEFAULT_INDEX"), os.environ.get("UV_INDEX_URL")} == {"https://of.uv/simple", None}


@pytest.mark.parametrize("place", [".config/pip/pip.conf", ".pip/pip.conf", None])
def test_a_mirror_of_a_pip_conf_serves_uv_too(machine: Machine, tmp_path: Path, place: str | None) -> None:
    del os.environ["PIP_INDEX_URL"]
    if place is None:
        os.environ["PIP_CONFIG_FILE"] = str(tmp_path / "elsewhere")
    else:
        (tmp_path / "home" / place).parent.mkdir(parents=True)
        (tmp_path / "home" / place).touch()
    started()
    assert os.environ["UV_DEFAULT_INDEX"] == "https://mirror.of.pip.conf/simple"
    assert machine.noted("pip config") == ["pip config list"] * 2


def test_without_a_mirror_uv_is_left_alone(machine: Machine) -> None:
    del os.environ["PIP_INDEX_URL"]
    started()
    assert "UV_DEFAULT_INDEX" not in os.environ
    assert machine.noted("pip config") == ["pip config list"]


# Settings of the user


def test_what_the_user_says_of_another_python_is_not_said_to_pip_and_uv(machine: Machine) -> None:
    os.environ |= {"PIP_USER": "1", "PIP_TARGET": "/t", "PIP_TRUSTED_HOST": "mirror.test", "pip_prefix": "/p"}
    os.environ |= {"UV_PYTHON": "3.9", "UV_SYSTEM_PYTHON": "1", "UV_TARGET": "/t", "UV_HTTP_TIMEOUT": "9"}
    started()
    told = machine.notes.with_name("notes.pip").read_text(encoding="utf-8").splitlines()
    # Of pip.conf too: `install.user`.
    assert told == [
        "PIP_CONFIG_FILE=/dev/null",
        "PIP_INDEX_URL=https://mirror.of.pip.conf/simple",
        "PIP_TRUSTED_HOST=mirror.test",
    ]
    told = machine.notes.with_name("notes.uv").read_text(encoding="utf-8").splitlines()
    assert told == ["UV_DEFAULT_INDEX=https://mirror.test/simple", "UV_HTTP_TIMEOUT=9", "UV_SYSTEM_CERTS=true"]


def test_a_uv_that_was_put_elsewhere_is_not_marked_as_complete(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = Path(os.environ["ELSEWHERE"])
    elsewhere.touch()
    with pytest.raises(SystemExit):
        enter()
    assert "it has put no uv into" in capsys.readouterr().err
    assert list(machine.cache.glob("tools/*/complete")) == []
    elsewhere.unlink()
    started()
    assert len(list(machine.cache.glob("tools/*/complete"))) == 1


def test_an_environment_without_packages_is_none(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    started("test")
    Path(os.environ["ELSEWHERE"]).touch()
    with pytest.raises(SystemExit):
        enter("up")
    assert "it has put no package into" in capsys.readouterr().err
    assert [name.partition("-")[0] for name in machine.made() if not name.endswith(".partial")] == ["test"]


def test_what_lost_its_interpreter_or_its_uv_is_made_anew(machine: Machine) -> None:
    python, _ = started()
    python.unlink()
    (uv,) = machine.cache.glob("tools/*/bin/uv")
    uv.unlink()
    machine.notes.unlink()
    assert started()[0] == python
    assert python.exists()
    assert len(machine.noted("pip install")) == len(machine.noted("uv pip sync")) == 1


def test_all_that_it_starts_looks_into_the_same_cache(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATA_PLATFORM_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(machine.cache))
    started()
    assert os.environ["DATA_PLATFORM_CACHE"] == f"{machine.cache}/data-platform"


def test_a_cache_below_a_closed_folder_is_told(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    def closed(path: Path) -> bool:
        if path == machine.cache:
            raise PermissionError(13, "Permission denied", str(path))
        return False

    with mock.patch.object(Path, "exists", closed), pytest.raises(SystemExit):
        enter("status")
    assert f"{machine.cache} cannot be reached" in capsys.readouterr().err
