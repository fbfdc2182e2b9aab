"""The landing folders on this machine."""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from data_platform.datasets.landing import SET_ASIDE, waits
from data_platform.datasets.landing.lying import Entry, Left, Lying, judge, reason
from data_platform.datasets.landing.names import landing_name, shown
from data_platform.stack.errors import PlatformError
from data_platform.targets.local import disk
from data_platform.targets.local.state import State

#: find's letters, which the other target has from find itself.
_LETTERS = {stat.S_IFREG: "f", stat.S_IFDIR: "d", stat.S_IFLNK: "l", stat.S_IFIFO: "p", stat.S_IFSOCK: "s",
            stat.S_IFBLK: "b", stat.S_IFCHR: "c"}  # fmt: skip


class FolderLanding:
    """Landing folders of a state folder.

    Args:
        state: the state folder.
        component: that has the flows.
    """

    def __init__(self, state: State, component: str) -> None:
        self._state = state
        self._component = component

    def made(self, dataset: str) -> str:
        """See `Landing`."""
        return str(self._made(dataset))

    def _made(self, dataset: str) -> Path:
        folder = self._state.landing(dataset)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def place(self, dataset: str, file: Path) -> str:
        """See `Landing`: copied under a name that flows leave alone and no other copy has, then given its own."""
        folder, name = self._made(dataset), landing_name(file)
        final, draft = folder / name, folder / f".{uuid4().hex}.part"
        try:
            if final.exists():
                raise waits(str(final), self._component)
            shutil.copyfile(file, draft)
            # Not renamed: that would replace a file which has come since.
            final.hardlink_to(draft)
        except FileExistsError:
            raise waits(str(final), self._component) from None
        except OSError as error:
            raise _not_written(error, file, final) from error
        finally:
            draft.unlink(missing_ok=True)
        return str(final)

    def lying(self, dataset: str) -> Lying:
        """See `Landing`."""
        return judge(_entries(self._state.landing(dataset)), time.time())

    def set_aside(self, dataset: str, left: Left) -> str:
        """See `Landing`."""
        folder, number = self._state.landing(dataset), uuid4().hex
        beside = folder.with_name(f"{dataset}{SET_ASIDE}")
        source, place = folder / os.fsdecode(left.entry.name), beside / number
        told = beside / f"{number}.reason.json"
        try:
            if _mark(source.lstat()) != left.entry.mark:
                return ""
            place.mkdir(parents=True)
            told.write_text(reason(left, str(folder)), encoding="utf-8")
            source.rename(place / source.name)
        except OSError as error:
            told.unlink(missing_ok=True)
            with suppress(FileNotFoundError):
                place.rmdir()
            if isinstance(error, FileNotFoundError):
                return ""
            raise PlatformError(f"{error.strerror}: {place}", "move it away yourself") from error
        return f"{place}/{shown(left.entry.name)}"

    def kept(self, name: str) -> bytes:
        """See `Landing`."""
        return (self._state.data(self._component) / name).read_bytes()


def _entries(folder: Path) -> Iterator[Entry]:
    for path in folder.iterdir() if folder.is_dir() else ():
        try:
            seen = path.lstat()
        except FileNotFoundError:  # It was taken since.
            continue
        kind, readable = _LETTERS.get(stat.S_IFMT(seen.st_mode), "?"), os.access(path, os.R_OK)
        yield Entry(os.fsencode(path.name), kind, readable, seen.st_mtime, seen.st_ctime, _mark(seen))


def _mark(seen: os.stat_result) -> str:
    return f"{seen.st_ino} {seen.st_ctime_ns}"


def _not_written(error: OSError, file: Path, final: Path) -> PlatformError:
    told = shown(os.fsencode(file))
    if disk.is_full(error):
        return disk.full(final, error, f"a copy of {told} ({file.stat().st_size:,} bytes)")
    return PlatformError(
        f"{told} cannot be copied to {final}: {error.strerror or error}", "look at both, and run it again"
    )
