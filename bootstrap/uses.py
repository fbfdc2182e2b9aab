"""What of the per-user cache is used: each checkout notes what it needs, platforms and processes say it themselves.

A checkout of another version cannot be asked what it needs, so it leaves a note in the cache.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from bootstrap.arguments import ROOT
from bootstrap.environment import folder_of
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import DEFAULT_PROFILE, KUBERNETES, LOCAL, load_stack
from data_platform.stack.stack import Stack
from data_platform.targets.images.definition import images
from data_platform.targets.local.artifacts import Placed, place
from data_platform.targets.local.state import LAUNCHES, read_json, write_private

#: Folders of the cache whose entries are used or not, each for itself.
KINDS = ("artifacts", "environments", "tools")
FOLDER = "uses"
_DAY = 86400.0
#: A checkout that nobody has worked with for so long uses nothing any more; what it needs then is made again.
_KEPT_SECONDS = 90 * _DAY


class Uses(NamedTuple):
    """Names of what is used.

    Attributes:
        names: entries of the folders of `KINDS`, as `artifacts/java25-…`.
        layers: keys of layers of images.
    """

    names: frozenset[str]
    layers: frozenset[str]

    def plus(self, other: Uses) -> Uses:
        """Both together."""
        return Uses(self.names | other.names, self.layers | other.layers)


NOTHING = Uses(frozenset(), frozenset())


def of_this_checkout(cache: Path) -> Uses:
    """What this checkout needs, on both targets and in each profile, to build and to run.

    Raises:
        PlatformError: the definition is wrong.
    """
    from bootstrap.cluster import images as cluster_images
    from bootstrap.cluster.binaries import programs

    own = programs(cache)
    placed, layers = list(own.placed.values()), set[str]()
    for stack in _stacks():
        placed += [each for name in stack.components for each in place(stack, name, cache).values()]
        # Where no Debian is, no image was built.
        for release in _releases() if stack.target == KUBERNETES else ():
            made = images(stack, cache, release, own.placed["kubernetes"])
            layers |= {layer.key for image in made.values() for layer in image.layers}
    names = {f"artifacts/{each.folder.name}" for each in _with_needs(placed)}
    names |= {f"artifacts/{cluster_images.archive_name(image)}" for image in cluster_images.own(own).values()}
    locks = [ROOT / "locks" / f"{name}.txt" for name in ("platform", "test")]
    names |= {f"environments/{folder_of(cache, lock).name}" for lock in locks}
    names.add(f"tools/{folder_of(cache, ROOT / 'locks' / 'uv.txt').name}")
    return Uses(frozenset(names), frozenset(layers))


def _stacks() -> Iterator[Stack]:
    default = load_stack(ROOT)
    yield from (default, load_stack(ROOT, target=KUBERNETES))
    for profile in default.file.profiles.keys() - {DEFAULT_PROFILE}:
        for target in (LOCAL, KUBERNETES):
            # Not each of them is there on each target.
            with suppress(PlatformError):
                yield load_stack(ROOT, profile, target)


def _releases() -> list[str]:
    from data_platform.clients import debian

    with suppress(PlatformError):
        return [debian.release()]
    return []


def _with_needs(placed: Iterable[Placed]) -> Iterator[Placed]:
    for each in placed:
        yield each
        yield from _with_needs(each.needs)


def note(cache: Path) -> None:
    """Note what this checkout needs.

    Raises:
        PlatformError: the definition is wrong.
    """
    found = of_this_checkout(cache)
    said = {"root": str(ROOT), "names": sorted(found.names), "layers": sorted(found.layers)}
    write_private(_file(cache), json.dumps(said))


def _file(cache: Path) -> Path:
    # Two Pythons of one checkout have an environment each.
    who = f"{ROOT}\0{os.path.realpath(sys.executable)}"
    return cache / FOLDER / f"{hashlib.sha256(who.encode()).hexdigest()[:16]}.json"


def noted(cache: Path) -> Uses:
    """What checkouts have noted. A note of one that is gone, or that nobody has worked with for long, is removed."""
    found = NOTHING
    for file in sorted((cache / FOLDER).glob("*.json")):
        said = read_json(file)
        if not Path(said.get("root", "")).is_dir() or time.time() - file.stat().st_mtime > _KEPT_SECONDS:
            file.unlink(missing_ok=True)
            continue
        found = found.plus(Uses(frozenset(said["names"]), frozenset(said["layers"])))
    return found


def of_platforms(cache: Path) -> Uses:
    """What the state folders that have ports of this machine start, whether it runs or not."""
    states = {Path(owner) for owner in read_json(cache / "ports.json").values()}
    files = (file for state in states for name in LAUNCHES for file in (state / "run" / name).glob("*.json"))
    return _mentioned(cache, (content for file in files if (content := _read(file))))


def of_processes(cache: Path) -> Uses:
    """What processes of this machine were started with, have open or have in their environment."""
    files = (file for name in ("cmdline", "environ", "maps") for file in Path("/proc").glob(f"[0-9]*/{name}"))
    return _mentioned(cache, (content for file in files if (content := _read(file))))


def _read(file: Path) -> bytes:
    # One that has ended meanwhile, or is of somebody else, says nothing.
    with suppress(OSError):
        return file.read_bytes()
    return b""


def _mentioned(cache: Path, contents: Iterable[bytes]) -> Uses:
    places = "|".join(re.escape(str(each)) for each in {cache, cache.resolve()})
    named = re.compile(rf"(?:{places})/((?:{'|'.join(KINDS)})/[^/\0\s:\"']+)".encode())
    found = {match.decode(errors="replace") for content in contents for match in named.findall(content)}
    return Uses(frozenset(found), frozenset())
