"""The base of all images: a small Debian with Python, without anything that only installing needs."""

from __future__ import annotations

import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from data_platform.clients import debian
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import parse
from data_platform.stack.terms import Strict
from data_platform.targets.images.bytecode import compiled
from data_platform.targets.images.layers import Entry, folder
from data_platform.targets.kubernetes import places
from data_platform.targets.local.artifacts import EPOCH

#: Relative to `stack/`.
FILE = "images/base.yaml"
_USER_NAME = "data-platform"
#: What installing leaves behind, what is a machine's own, and where packages came from: the address of a mirror is
#: nobody else's business.
_LEFT_OUT = (
    "boot", "dev", "proc", "run", "sys",
    "etc/.pwd.lock", "etc/apt", "etc/fstab", "etc/hostname", "etc/machine-id", "etc/resolv.conf",
    "usr/share/debconf", "var/cache", "var/lib/apt", "var/log",
)  # fmt: skip
_EMPTY = ("dev", "proc", "run", "sys", "var/cache", "var/log")
#: Old states of databases of packages and users.
_OLD = ("-old", "-")
_PYTHON = "usr/bin/python3"


class BaseFile(Strict):
    """`stack/images/base.yaml`."""

    packages: tuple[str, ...] = Field(min_length=1, description="Debian packages besides the essential ones.")


def read_base(root: Path) -> BaseFile:
    """What the base is made of."""
    return parse(BaseFile, root / "stack" / FILE)


def base_entries(spec: BaseFile, release: str, scratch: Path) -> Iterator[Entry]:
    """Entries of the base.

    Args:
        spec: what it is made of.
        release: of Debian.
        scratch: an empty folder, from which the entries are read later.

    Raises:
        PlatformError: mmdebstrap is missing, or a package is not to be had.
    """
    system, files, modules = scratch / "system.tar", scratch / "files", scratch / "modules"
    debian.make_system(release, spec.packages, EPOCH, system)
    files.mkdir()
    modules.mkdir()
    found: dict[str, Entry] = {}
    with tarfile.open(system) as tar:
        for number, member in enumerate(tar):
            path = member.name.removeprefix("./").rstrip("/")
            if not path or path == "." or _is_left_out(path):
                continue
            if entry := _entry(tar, member, path, files / str(number)):
                found[path] = entry
    system.unlink()
    yield from found.values()
    yield from _modules(found, modules)
    yield from _places(found)


def _is_left_out(path: str) -> bool:
    name = path.rpartition("/")[2]
    return (
        any(path == place or path.startswith(f"{place}/") for place in _LEFT_OUT)
        or name == "__pycache__"
        or name.endswith(".pyc")
        or (name.endswith(_OLD) and path.startswith(("etc/", "var/lib/dpkg/")))
    )


def _entry(tar: tarfile.TarFile, member: tarfile.TarInfo, path: str, file: Path) -> Entry | None:
    # No program of the base needs the rights of another user than the one who starts it.
    mode = member.mode & (0o1777 if member.isdir() else 0o777)
    if member.isdir():
        return folder(path, mode=mode)
    if member.issym():
        return Entry(path, "link", member.linkname)
    if member.islnk():
        return Entry(path, "copy", member.linkname.removeprefix("./"), mode)
    if (stream := tar.extractfile(member)) is None:
        return None
    with stream, file.open("wb") as copy:
        copy.writelines(stream)
    return Entry(path, "file", file, mode)


def _modules(found: dict[str, Entry], scratch: Path) -> Iterator[Entry]:
    """Compiled modules of Debian's own Python packages."""
    roots = {path.split("/")[2] for path in found if path.startswith("usr/lib/python3") and path.endswith(".py")}
    for root in sorted(roots):
        place = f"usr/lib/{root}"
        tree, out = scratch / root, scratch / f"{root}-out"
        out.mkdir(parents=True)
        for path, entry in found.items():
            if path.startswith(f"{place}/") and path.endswith(".py") and isinstance(entry.content, Path):
                there = tree / path.removeprefix(f"{place}/")
                there.parent.mkdir(parents=True, exist_ok=True)
                there.hardlink_to(entry.content)
        yield from compiled(tree, place, sys.executable, out)


def _places(found: dict[str, Entry]) -> Iterator[Entry]:
    """Users, and the folders that pods mount things over or write to."""
    for path in _EMPTY:
        yield folder(path)
    for path, line in (
        ("etc/passwd", f"{_USER_NAME}:x:{places.USER}:{places.USER}::{places.DATA}:/usr/sbin/nologin\n"),
        ("etc/group", f"{_USER_NAME}:x:{places.USER}:\n"),
    ):
        content = found[path].content if path in found else None
        if not isinstance(content, Path):
            raise PlatformError(f"the base has no file /{path}", "look at stack/images/base.yaml")
        yield Entry(path, "file", content.read_text(encoding="utf-8") + line)
    yield folder(str(places.ETC)[1:])
    for place in (places.DATA, places.LOGS):
        yield folder(str(place)[1:], owner=places.USER, mode=0o750)


def python_of(entries: dict[str, Entry]) -> str:
    """Version of the base's Python as `3.11`.

    Raises:
        PlatformError: it has none.
    """
    link = entries.get(_PYTHON)
    if link is None or not isinstance(link.content, str):
        raise PlatformError("the base has no Python", f"add python3 to the packages of stack/{FILE}")
    return link.content.rpartition("python")[2]
