"""What is said of a disk that is full names it."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from data_platform.targets.local import disk


@pytest.mark.parametrize(
    ("number", "full"), [(errno.ENOSPC, True), (errno.EDQUOT, True), (errno.EACCES, False), (errno.EROFS, False)]
)
def test_a_full_disk_and_a_full_quota_are_known(number: int, *, full: bool) -> None:
    assert disk.is_full(OSError(number, os.strerror(number))) == full


def test_what_was_not_written_to_its_end_is_gone_and_named(tmp_path: Path) -> None:
    draft = tmp_path / ".draft"

    def write(error: BaseException) -> None:
        with disk.drafted(draft):
            draft.write_text("half")
            raise error

    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    other = FileNotFoundError(errno.ENOENT, "not there", "/another/file")
    for error in (full, other, KeyboardInterrupt()):
        with pytest.raises(type(error)):
            write(error)
        assert list(tmp_path.iterdir()) == []
    assert (full.filename, other.filename) == (str(draft), "/another/file")
    with disk.drafted(draft):
        draft.write_text("whole")
    assert draft.read_text() == "whole"


@pytest.mark.parametrize(
    ("number", "words", "remedy"),
    [
        (errno.ENOSPC, "is full", "free some space there"),
        (errno.EDQUOT, "holds as much of yours as your quota allows", "free some of your quota"),
    ],
)
def test_the_disk_is_named_by_its_mount_with_its_free_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str, remedy: str
) -> None:
    mount = tmp_path / "volume"
    mount.mkdir()
    monkeypatch.setattr(Path, "is_mount", lambda path: path == mount)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=4096 if path == mount else 0))
    found = disk.full(mount / "a" / "b.csv", OSError(number, "x"), "a copy of it (9,000 bytes)")
    assert found.problem.startswith(f"the disk {mount} {words}")
    assert found.problem.endswith(f"(4,096 bytes free): {mount}/a/b.csv cannot hold a copy of it (9,000 bytes)")
    assert remedy in found.remedy
