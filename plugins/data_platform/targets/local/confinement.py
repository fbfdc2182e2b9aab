"""What a process, job or tool is confined to, from what `local.yaml` says of it. `confine.py` does it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from data_platform.stack.definition import Confined
from data_platform.targets.local import confine
from data_platform.targets.render import render


class Confinement(NamedTuple):
    """Paths that are a program's own; part of the digest of what was started with it."""

    reads: tuple[str, ...]
    writes: tuple[str, ...]
    unix_sockets: bool


def confinement(
    spec: Confined, values: Mapping[str, str], where: str, besides: Sequence[Path] = ()
) -> Confinement | None:
    """What is the program's own; None where it is not confined.

    Args:
        spec: the process, job or tool.
        values: the component's bindings.
        where: the place in `local.yaml`, for messages.
        besides: what a caller lets it write.
    """
    if not spec.confined:
        return None
    reads = (values["ETC"], *(render(path, values, f"{where}: reads") for path in spec.reads))
    writes = (values["DATA"], values["TMPDIR"], *(render(path, values, f"{where}: writes") for path in spec.writes))
    return Confinement(reads, (*writes, *map(str, besides)), spec.unix_sockets)


def prefix(found: Confinement | None, python: str, state: Path, cache: Path) -> list[str]:
    """Words before a command that make it run so confined.

    Args:
        found: what is its own.
        python: the interpreter that does it.
        state: the state folder.
        cache: the per-user cache: artifacts are read by all, and none of them is secret.
    """
    if found is None:
        return []
    options = [f"--closed={state}"]
    options += [f"--read={path}" for path in (cache, sys.prefix, sys.base_prefix, *found.reads)]
    options += [f"--write={path}" for path in found.writes]
    if found.unix_sockets:
        options.append("--unix-sockets")
    return [python, "-I", "-S", confine.__file__, *options, "--"]


def make_places(found: Confinement | None, state: Path) -> None:
    """Make what is granted below the state folder and is not there: a rule needs a path."""
    for path in map(Path, (*found.reads, *found.writes) if found else ()):
        if path.is_relative_to(state) and not path.exists():
            path.mkdir(mode=0o700, parents=True)
