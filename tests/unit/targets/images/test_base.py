"""The base brings no rights, no addresses and no leftovers along."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from data_platform.stack.errors import PlatformError
from data_platform.targets.images.base import BaseFile, base_entries, python_of
from data_platform.targets.images.layers import Entry, write_layer
from tests.unit.targets.images.conftest import MINOR, SYSTEM, write_system

SPEC = BaseFile(packages=("python3",))


@pytest.fixture
def base(made: list[str], tmp_path: Path) -> dict[str, Entry]:
    del made
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return {entry.path: entry for entry in base_entries(SPEC, "bookworm", scratch)}


def text(entry: Entry) -> str:
    return entry.content.read_text(encoding="utf-8") if isinstance(entry.content, Path) else str(entry.content)


def test_no_program_gets_the_rights_of_another_user(base: dict[str, Entry]) -> None:
    assert {name: mode for name, mode, _ in SYSTEM}["./usr/bin/su"] & 0o4000, "the twin: it had them"
    assert base["usr/bin/su"].mode == 0o755
    assert not any(entry.mode & 0o6000 for entry in base.values())
    assert base["tmp"].mode == 0o1777


def test_where_packages_came_from_and_what_installing_left_is_not_in_it(base: dict[str, Entry]) -> None:
    gone = ("etc/apt", "etc/passwd-", "dev/null", "var/log/dpkg.log", f"usr/lib/python{MINOR}/__pycache__/abc.pyc")
    assert not [path for path in base if path.startswith(gone)]
    assert {path for path in ("dev", "proc", "sys", "run", "var/log") if base[path].kind == "folder"}


def test_its_user_owns_the_folders_that_pods_write_to(base: dict[str, Entry]) -> None:
    assert "data-platform:x:1000:1000::/var/lib/data-platform:" in text(base["etc/passwd"])
    assert text(base["etc/passwd"]).startswith("root:x:0:0")
    assert "data-platform:x:1000:" in text(base["etc/group"])
    assert {base[path].owner for path in ("var/lib/data-platform", "var/log/data-platform")} == {1000}
    assert base["etc/data-platform"].owner == 0


def test_its_modules_are_compiled_never_to_be_checked(base: dict[str, Entry]) -> None:
    name = importlib.util.cache_from_source(f"usr/lib/python{MINOR}/abc.py")
    content = base[name].content
    assert isinstance(content, Path)
    assert content.read_bytes()[4:8] == b"\x01\x00\x00\x00"


def test_its_python_is_known(base: dict[str, Entry]) -> None:
    assert python_of(base) == MINOR
    with pytest.raises(PlatformError, match="the base has no Python"):
        python_of({})


def test_it_is_the_same_each_time(base: dict[str, Entry], tmp_path: Path) -> None:
    again = tmp_path / "again"
    again.mkdir()
    first = write_layer(base.values(), tmp_path / "1.tar")
    assert write_layer(base_entries(SPEC, "bookworm", again), tmp_path / "2.tar") == first


def test_a_system_without_users_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    system = [item for item in SYSTEM if item[0] != "./etc/passwd"]
    monkeypatch.setattr(
        "data_platform.clients.debian.make_system", lambda *arguments: write_system(arguments[3], system)
    )
    with pytest.raises(PlatformError, match="no file /etc/passwd"):
        list(base_entries(SPEC, "bookworm", tmp_path))
