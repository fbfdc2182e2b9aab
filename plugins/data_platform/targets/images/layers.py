"""Layers as tar files that depend on their content alone: sorted names, root as owner, one time for everything."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal

from data_platform.stack.errors import PlatformError
from data_platform.targets.local.artifacts import EPOCH

_CHUNK = 1 << 20
#: Names that tools leave in folders, which are no content.
_LEFTOVERS = frozenset({"__pycache__", ".DS_Store", ".mypy_cache", ".pytest_cache", ".ruff_cache"})


@dataclass(frozen=True)
class Entry:
    """A file, folder or link of a layer.

    Attributes:
        path: in the image, without the leading slash.
        kind: what it is; a `copy` is a hard link to the path in `content`.
        content: of a file: its bytes or the file that has them; of a link or copy: where it leads.
        mode: permissions.
        owner: user and group.
    """

    path: str
    kind: Literal["file", "folder", "link", "copy"]
    content: bytes | Path | str = b""
    mode: int = 0o644
    owner: int = 0


@dataclass(frozen=True)
class Blob:
    """Bytes of an image, by their digest."""

    digest: str
    size: int


class _Hashed(io.RawIOBase):
    """Writes to a file and keeps the digest and size of what was written."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream, self.hash, self.size = stream, hashlib.sha256(), 0

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.hash.update(data)
        self.size += len(data)
        return self.stream.write(data)

    def tell(self) -> int:
        return self.size


def folder(path: str, owner: int = 0, mode: int = 0o755) -> Entry:
    """A folder of a layer."""
    return Entry(path, "folder", mode=mode, owner=owner)


def write_layer(entries: Iterable[Entry], file: Path) -> Blob:
    """Write a layer. Folders above the entries are made; of two entries with one path the later one counts.

    Args:
        entries: in any order.
        file: where to; replaced when it is there.
    """
    found = {entry.path: entry for entry in entries}
    for path in list(found):
        for parent in PurePosixPath(path).parents:
            if parent.name:
                found.setdefault(str(parent), folder(str(parent)))
    with file.open("wb", buffering=_CHUNK) as raw:
        stream = _Hashed(raw)
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
            tar.copybufsize = _CHUNK  # type: ignore[attr-defined]
            # A hard link comes after what it leads to.
            for entry in sorted(found.values(), key=lambda e: (e.kind == "copy", e.path)):
                _add(tar, entry)
    return Blob(f"sha256:{stream.hash.hexdigest()}", stream.size)


def _add(tar: tarfile.TarFile, entry: Entry) -> None:
    info = tarfile.TarInfo(entry.path)
    info.mtime, info.mode, info.uid, info.gid = EPOCH, entry.mode, entry.owner, entry.owner
    if entry.kind == "folder":
        info.type = tarfile.DIRTYPE
    elif entry.kind in ("link", "copy"):
        info.type = tarfile.SYMTYPE if entry.kind == "link" else tarfile.LNKTYPE
        info.mode = 0o777 if entry.kind == "link" else entry.mode
        info.linkname = str(entry.content)
    elif isinstance(entry.content, Path):
        with entry.content.open("rb") as stream:
            info.size = os.fstat(stream.fileno()).st_size
            tar.addfile(info, stream)
        return
    else:
        data = entry.content.encode() if isinstance(entry.content, str) else entry.content
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
        return
    tar.addfile(info)


def from_folder(
    source: Path, to: str, places: Mapping[Path, str], leave_out: Callable[[str], bool] = lambda _: False
) -> Iterator[Entry]:
    """Entries of everything in a folder. Who could write or read a file here says nothing of there: only `x` is kept.

    Args:
        source: the folder.
        to: its path in the image.
        places: folders here and their paths in the image, for links that lead to other folders.
        leave_out: says by its path in the folder what is not wanted.

    Raises:
        PlatformError: a link leads to a place that the image does not have.
    """
    yield folder(to)
    for here, folders, files in os.walk(source):
        # os.walk goes on with the folders that are left in its list.
        folders[:] = sorted(name for name in folders if name not in _LEFTOVERS)
        for name in (*folders, *sorted(files)):
            path = Path(here, name)
            relative = str(path.relative_to(source))
            if leave_out(relative) or name in _LEFTOVERS:
                if name in folders:
                    folders.remove(name)
                continue
            yield _entry(path, f"{to}/{relative}", places)


def _entry(path: Path, to: str, places: Mapping[Path, str]) -> Entry:
    if path.is_symlink():
        return Entry(to, "link", _link(path, places))
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        return folder(to)
    return Entry(to, "file", path, 0o755 if mode & 0o111 else 0o644)


def _link(path: Path, places: Mapping[Path, str]) -> str:
    target = path.readlink()
    if not target.is_absolute():
        return str(target)
    for place, to in places.items():
        if target.is_relative_to(place):
            return str(PurePosixPath("/", to, target.relative_to(place)))
    raise PlatformError(
        f"{path} is a link to {target}, which is not in the image",
        "add the artifact that it leads to to image.artifacts in kubernetes.yaml",
    )
