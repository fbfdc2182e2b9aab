"""Root drops its privileges for servers that ask for it; everybody else has none to drop."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from data_platform.stack.errors import PlatformError
from data_platform.targets.local import privileges
from data_platform.targets.local.privileges import own, unprivileged_prefix

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")


@pytest.fixture
def _as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")


def test_an_ordinary_user_has_no_prefix(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert unprivileged_prefix(tmp_path) == []


@pytest.mark.usefixtures("_as_root")
def test_root_becomes_nobody_without_any_capability(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(privileges, "_passable", lambda folder: folder == tmp_path)
    nobody = pwd.getpwnam("nobody")
    assert unprivileged_prefix(tmp_path) == [
        "/usr/bin/setpriv",
        f"--reuid={nobody.pw_uid}",
        f"--regid={nobody.pw_gid}",
        "--clear-groups",
    ]


@pytest.mark.usefixtures("_as_root")
def test_a_closed_folder_costs_the_one_capability_to_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(privileges, "_passable", lambda folder: folder != tmp_path)
    words = [word for word in unprivileged_prefix(tmp_path, tmp_path / "more") if "caps" in word]
    assert words == ["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"]


def test_a_folder_is_passable_when_it_and_all_above_it_are_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    # What lies above the test's own folder is the machine's business.
    monkeypatch.setattr(
        Path, "parents", property(lambda self: [p for p in (self.parent, self.parent.parent) if p != tmp_path])
    )
    inner.chmod(0o755)
    inner.parent.chmod(0o755)
    assert privileges._passable(inner)
    inner.parent.chmod(0o700)
    assert not privileges._passable(inner)
    inner.parent.chmod(0o755)
    inner.chmod(0o700)
    assert not privileges._passable(inner)


def test_root_without_setpriv_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(PlatformError, match="setpriv") as caught:
        unprivileged_prefix(tmp_path)
    assert "util-linux" in caught.value.remedy


def test_an_ordinary_user_gives_nothing_away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    given: list[object] = []
    monkeypatch.setattr(os, "chown", lambda *arguments: given.append(arguments))
    own(tmp_path)
    assert given == []


def test_root_gives_a_folder_to_nobody_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    given: list[tuple[Path, int, int]] = []
    monkeypatch.setattr(os, "chown", lambda *arguments: given.append(arguments))
    owner = tmp_path.stat().st_uid
    for user in (owner + 1, owner):
        monkeypatch.setattr(pwd, "getpwnam", lambda _, user=user: SimpleNamespace(pw_uid=user, pw_gid=7))
        own(tmp_path)
    assert given == [(tmp_path, owner + 1, 7)]


@ROOT_ONLY
def test_the_prefix_really_makes_a_command_unprivileged(tmp_path: Path) -> None:
    from data_platform.clients.commands import run

    output = run([*unprivileged_prefix(Path("/")), "id", "-u"], doing="id", remedy="none", seconds=60, folder=Path("/"))
    assert int(output) == pwd.getpwnam("nobody").pw_uid
    del tmp_path


@pytest.mark.usefixtures("_as_root")
def test_a_machine_without_that_user_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def nobody(_: str) -> None:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwnam", nobody)
    with pytest.raises(PlatformError, match="there is no user nobody"):
        unprivileged_prefix(tmp_path)
