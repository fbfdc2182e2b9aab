"""Disks that are full: what to say of them, and that no half file is left there."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from data_platform.stack.errors import PlatformError

_FULL = {
    errno.ENOSPC: ("is full", "free some space there"),
    errno.EDQUOT: ("holds as much of yours as your quota allows", "free some of your quota there"),
}


def is_full(error: OSError) -> bool:
    """Whether a write found no room."""
    return error.errno in _FULL


@contextmanager
def drafted(draft: Path) -> Iterator[None]:
    """Remove a file whose writing did not come to its end, and name it in an error that names none, as writes do not.

    Args:
        draft: the file.
    """
    try:
        yield
    except BaseException as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(draft)
        raise


def disk_of(path: Path) -> tuple[Path, int]:
    """Where the disk of a path is mounted, and its free bytes for who asks.

    Args:
        path: need not be there.
    """
    there = path.absolute()
    while not there.exists():
        there = there.parent
    free, disk = shutil.disk_usage(there).free, there.resolve()
    while not disk.is_mount():
        disk = disk.parent
    return disk, free


def full(path: Path, error: OSError, what: str) -> PlatformError:
    """The disk by its name, and how much room it has.

    Args:
        path: what could not be written; it need not be there.
        error: for which `is_full` holds.
        what: was to be written, in words, with its size where it is known.
    """
    disk, free = disk_of(path)
    is_so, remedy = _FULL[error.errno or 0]
    return PlatformError(
        f"the disk {disk} {is_so} ({free:,} bytes free): {path} cannot hold {what}", f"{remedy} and run it again"
    )
