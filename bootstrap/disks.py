"""What a folder's file system can do, found out by doing it. Standard library only; leaves nothing behind."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

#: Files and folders that a platform makes: environments have most of them.
INODES = 150_000
_GIB = 1 << 30


def free_gib(folder: Path) -> float:
    """Free space for this user, in GiB."""
    return shutil.disk_usage(folder).free / _GIB


def is_read_only(folder: Path) -> bool:
    """Whether nobody can write to it."""
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


def shortfalls(folder: Path) -> list[str]:
    """What servers need of a file system and this one lacks, in words.

    Args:
        folder: one that is there, and may be written to.
    """
    found = []
    there = os.statvfs(folder)
    if there.f_flag & os.ST_NOEXEC:
        found.append("it is mounted noexec, so no program and no native library in it runs")
    # A file system without a fixed number of them says 0.
    if there.f_files and there.f_favail < INODES:
        found.append(f"it has room for {there.f_favail} more files (inodes), {INODES} are needed")
    try:
        with tempfile.TemporaryDirectory(prefix=".data-platform-", dir=folder) as scratch:
            found += [what for what, works in _NEEDED if not _does(works, Path(scratch))]
    except OSError as error:
        found.append(f"no folder can be made in it: {error.strerror}")
    return found


def _does(works: Callable[[Path], bool], scratch: Path) -> bool:
    try:
        return works(scratch)
    except OSError:
        return False


def _keeps_modes(scratch: Path) -> bool:
    file = scratch / "mode"
    file.touch(0o600)
    file.chmod(0o600)
    closed = file.stat().st_mode & 0o777
    file.chmod(0o755)
    return (closed, file.stat().st_mode & 0o777) == (0o600, 0o755)


def _tells_case(scratch: Path) -> bool:
    (scratch / "case").touch()
    return not (scratch / "CASE").exists()


def _has_links(scratch: Path) -> bool:
    (scratch / "link").symlink_to("mode")
    return (scratch / "link").is_symlink()


def _locks(scratch: Path) -> bool:
    with (scratch / "lock").open("w") as first, (scratch / "lock").open("w") as second:
        fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _has_sockets(scratch: Path) -> bool:
    # The name alone: what bind(2) makes, whose paths are short.
    os.mknod(scratch / "socket", stat.S_IFSOCK | 0o600)
    return (scratch / "socket").is_socket()


#: What is said where it does not work, and the trial.
_NEEDED = (
    ("it keeps no permissions of files, so secrets could be read by others", _keeps_modes),
    ("it takes names in capital and small letters for the same", _tells_case),
    ("it has no symbolic links", _has_links),
    ("it has no locks of files", _locks),
    ("it has no unix sockets", _has_sockets),
)
