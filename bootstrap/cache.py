"""`cache`: how large the per-user cache is, and the removal of what nobody uses any more."""

from __future__ import annotations

import argparse
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from bootstrap import uses
from bootstrap.progress import Progress
from data_platform.stack.errors import PlatformError
from data_platform.targets.images.build import BUILD_LOCK
from data_platform.targets.images.layout import Layout
from data_platform.targets.local.cache import cache_folder
from data_platform.targets.local.state import read_json

_DAY = 86400.0
#: What is younger may be needed by a checkout that has not said so yet.
YOUNG_SECONDS = _DAY
#: After so long `up` removes it without being asked, so that the cache does not grow for ever.
FORGOTTEN_SECONDS = 30 * _DAY
_PARTIAL, _REMOVED = ".partial-", ".removed-"


class Unused(NamedTuple):
    """Something that nobody uses: a folder or file of the cache."""

    path: Path
    size: int


def size_of(place: Path) -> int:
    """Bytes that a folder or file takes on the disk; a file with several names counts once."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for path in (place, *(Path(at, name) for at, folders, files in os.walk(place) for name in (*folders, *files))):
        try:
            found = path.lstat()
        except OSError:
            continue  # It was removed meanwhile.
        if (found.st_dev, found.st_ino) not in seen:
            seen.add((found.st_dev, found.st_ino))
            total += found.st_blocks * 512
    return total


def cache(arguments: argparse.Namespace) -> int:
    """Show the cache, or remove from it what nobody uses."""
    folder = cache_folder()
    # What this checkout needs today, and not what it has noted some time ago.
    uses.note(folder)
    if arguments.action == "prune":
        found = list(prune(folder, dry_run=arguments.dry_run))
        for each in found:
            print(f"{shown(each.size):>9}  {each.path.relative_to(folder)}")
        verb = "would be removed from" if arguments.dry_run else "removed from"
        print(f"{shown(sum(each.size for each in found))} in {len(found)} things {verb} {folder}")
        return 0
    for name in sorted(path.name for path in folder.iterdir() if path.is_dir()):
        print(f"{shown(size_of(folder / name)):>9}  {name}")
    unused = sum(each.size for each in prune(folder, dry_run=True))
    print(f"{shown(size_of(folder))} in {folder}; nobody uses {shown(unused)}: python3 -m bootstrap cache prune")
    return 0


def forget_unused(progress: Progress) -> None:
    """Remove what nobody has used for a month, so that the cache does not grow for ever. What cannot go stays."""
    try:
        found = list(prune(cache_folder(), older=FORGOTTEN_SECONDS))
    except (OSError, PlatformError) as error:
        progress.say("cache", f"not pruned: {error}")
        return
    if found:
        progress.say("cache", f"{shown(sum(each.size for each in found))} that nobody has used for a month removed")


def shown(size: int) -> str:
    """A size for people."""
    return f"{size / (1 << 30):.2f} GiB" if size >= 1 << 30 else f"{size / (1 << 20):.1f} MiB"


def prune(folder: Path, *, dry_run: bool = False, older: float = YOUNG_SECONDS) -> Iterator[Unused]:
    """Remove what no checkout, platform or process uses, and what killed builds left; what is being made is left alone.

    Args:
        folder: the cache.
        dry_run: only say what would be removed.
        older: seconds; what was made since then is left alone.
    """
    known = uses.noted(folder).plus(uses.of_platforms(folder))
    oldest = time.time() - older
    for kind in uses.KINDS:
        for path in sorted((folder / kind).glob("*")):
            name = f"{kind}/{path.name}"
            if path.suffix == ".lock" or name in known.names or path.lstat().st_ctime > oldest:
                continue
            with _alone(path) as free:
                # Asked under the lock: who uses it now has begun before, and who wants it waits.
                if free and name not in uses.of_processes(folder).names:
                    yield _remove(path, dry_run=dry_run)
    yield from _prune_images(folder / "images", known.layers, oldest, dry_run=dry_run)


@contextmanager
def _alone(path: Path) -> Iterator[bool]:
    """Whether nobody makes it: the lock under which it is made, held within the block."""
    if path.name.startswith("."):
        # A draft has none: it is in the command of who makes it.
        yield True
        return
    try:
        # As those who make it name it (targets/local/artifacts.py, bootstrap/environment.py).
        held = FileLock(path.with_suffix(".lock")).acquire(timeout=0)
    except Timeout:
        yield False
        return
    with held:
        yield True


def _remove(path: Path, *, dry_run: bool) -> Unused:
    found = Unused(path, size_of(path))
    if not dry_run:
        # Out of the way in one step: a removal that is killed leaves no half of an artifact.
        doomed = path.with_name(f"{_REMOVED}{path.name}") if not path.name.startswith(".") else path
        path.rename(doomed)
        if doomed.is_dir() and not doomed.is_symlink():
            shutil.rmtree(doomed)
        else:
            doomed.unlink()
    return found


def _prune_images(folder: Path, layers: frozenset[str], oldest: float, *, dry_run: bool) -> Iterator[Unused]:
    """Layers that no checkout needs, images of such layers, and what only these have."""
    if not folder.is_dir():
        return
    try:
        held = FileLock(folder / BUILD_LOCK).acquire(timeout=0)
    except Timeout:
        return
    with held:
        # Some hundred files, whose names say nothing to people.
        size = sum(each.size for each in _unneeded(folder, layers, oldest, dry_run=dry_run))
        if size:
            yield Unused(folder, size)


def _unneeded(folder: Path, layers: frozenset[str], oldest: float, *, dry_run: bool) -> Iterator[Unused]:
    layout = Layout(folder / "layout")
    records = {path: str(read_json(path).get("digest")) for path in (folder / "layers").glob("*.json")}
    kept = {digest for path, digest in records.items() if path.stem in layers or path.stat().st_mtime > oldest}
    images = {
        name: manifest
        for name, manifest in layout.images().items()
        if layout.has(manifest.digest) and {*layout.layers(name)} <= kept
    }
    reachable = kept | {blob.digest for manifest in images.values() for blob in layout.blobs_of(manifest)}
    gone = [path for path, digest in records.items() if digest not in kept]
    gone += [
        path for path in (folder / "records").glob("*.json") if str(read_json(path).get("reference")) not in images
    ]
    tags = {name.rpartition(":")[2] for name in images}
    bills = ((path, path.name.partition(".")[0].rpartition("-")[2]) for path in (folder / "sbom").glob("*.cdx.json"))
    gone += [path for path, tag in bills if tag not in tags]
    gone += [path for path in folder.glob(f"{_PARTIAL}*") if path.lstat().st_ctime < oldest]
    blobs = (path for path in layout.blobs.glob("*") if path.stat().st_mtime < oldest)
    gone += [path for path in blobs if f"sha256:{path.name}" not in reachable]
    if gone and not dry_run:
        layout.write_index(images)
    for path in gone:
        yield _remove(path, dry_run=dry_run)
