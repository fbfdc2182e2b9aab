"""What a file system cannot do is found out before servers do."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from bootstrap import disks


def test_a_good_file_system_lacks_nothing_and_nothing_is_left_there(tmp_path: Path) -> None:
    assert disks.shortfalls(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flags", "files", "said"),
    [
        (os.ST_NOEXEC, (0, 0), ["it is mounted noexec, so no program and no native library in it runs"]),
        (os.ST_NOSUID, (1000, 10), ["it has room for 10 more files (inodes), 150000 are needed"]),
        (os.ST_NOSUID, (10**6, 10**6), []),
    ],
    ids=["noexec", "inodes", "nosuid"],
)
def test_a_mount_is_taken_for_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: int, files: tuple[int, int], said: list[str]
) -> None:
    there = SimpleNamespace(f_flag=flags, f_files=files[0], f_favail=files[1])
    monkeypatch.setattr(os, "statvfs", lambda _: there)
    assert disks.shortfalls(tmp_path) == said


def test_a_mount_that_nobody_can_write_to_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not disks.is_read_only(tmp_path)
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_flag=os.ST_RDONLY | os.ST_NOSUID))
    assert disks.is_read_only(tmp_path)


def _refuse(*_: Any, **__: Any) -> None:
    raise PermissionError(1, "Operation not permitted")


@pytest.mark.parametrize(
    ("patched", "said"),
    [
        (lambda: mock.patch.object(Path, "chmod", return_value=None), "keeps no permissions"),
        (lambda: mock.patch.object(Path, "exists", return_value=True), "capital and small letters"),
        (lambda: mock.patch.object(Path, "symlink_to", _refuse), "no symbolic links"),
        (lambda: mock.patch("fcntl.flock", return_value=None), "no locks"),
        (lambda: mock.patch("os.mknod", _refuse), "no unix sockets"),
        (lambda: mock.patch("tempfile.TemporaryDirectory", _refuse), "no folder can be made in it"),
    ],
)
def test_what_does_not_work_is_said(tmp_path: Path, patched: Callable[[], Any], said: str) -> None:
    with patched():
        (found,) = disks.shortfalls(tmp_path)
    assert said in found
