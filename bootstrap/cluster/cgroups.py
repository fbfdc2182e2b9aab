"""Control groups of a cluster: all its processes are in them, and nobody else's.

The node's own servers are in `<group>/node` of one hierarchy, which their children inherit; the pods are in
`<group>/kubepods` of all. What is to end is found there, whoever started it and however its parent ended.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from bootstrap.cluster.layout import CGROUP_PREFIX
from data_platform.checks.base import Deadline
from data_platform.stack.errors import PlatformError

_SECONDS = 60.0
#: Version 1: the hierarchy that tells who belongs to us. Every container is in it too.
_TELLING = "pids"
#: A new group of the cpuset hierarchy takes no process before it has these.
_CPUSET = ("cpuset.cpus", "cpuset.mems")


class _StillThereError(Exception):
    """Something that is to end has not ended."""


def hierarchies(mounts: str | None = None) -> list[Path]:
    """Where the control groups of this machine are mounted."""
    text = mounts if mounts is not None else Path("/proc/self/mounts").read_text(encoding="utf-8")
    rows = [line.split() for line in text.splitlines()]
    return [Path(row[1]) for row in rows if row[2] in ("cgroup", "cgroup2")]


def telling() -> Path:
    """The hierarchy in which the node's servers have their group.

    Raises:
        PlatformError: there is none.
    """
    found = hierarchies()
    for path in found:
        if path.name == _TELLING:
            return path
    if not found:
        raise PlatformError("no control groups are mounted on this machine", "mount them below /sys/fs/cgroup")
    return found[0]


def make(group: str) -> None:
    """Make the group in all hierarchies.

    Raises:
        PlatformError: they are read-only, as in a container that is not privileged.
    """
    try:
        for hierarchy in hierarchies():
            folder = hierarchy / group
            folder.mkdir(exist_ok=True)
            for name in _CPUSET:
                if (folder / name).exists() and not (folder / name).read_text(encoding="ascii").strip():
                    (folder / name).write_text((hierarchy / name).read_text(encoding="ascii"), encoding="ascii")
        (telling() / group / "node").mkdir(exist_ok=True)
    except OSError as error:
        raise PlatformError(
            f"cannot make the control group {group}: {error}", "run as root, outside of an unprivileged container"
        ) from None


def entrance(group: str) -> Path:
    """A process that writes its id there belongs to the node, and so do its children."""
    return telling() / group / "node" / "cgroup.procs"


def processes(group: str) -> set[int]:
    """Ids of all processes of the group and the groups below it."""
    found: set[int] = set()
    for hierarchy in hierarchies():
        # Not rglob: it fails at a group that goes while it looks.
        for folder, _, _ in os.walk(hierarchy / group):
            with suppress(OSError):  # a group that has just gone
                found |= {int(line) for line in (Path(folder) / "cgroup.procs").read_text(encoding="ascii").split()}
    return found - {0}


def end_all(group: str) -> None:
    """Kill all processes of the group, until none is left.

    Raises:
        PlatformError: one does not end (it waits for a disk or a network that does not answer).
    """

    def look() -> None:
        left = processes(group)
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if left:
            raise _StillThereError(" ".join(map(str, sorted(left))))

    try:
        Deadline(_SECONDS).retry(look, on=_StillThereError)
    except _StillThereError as error:
        raise PlatformError(f"processes {error} do not end", "look what they wait for, then run it again") from None


def remove(group: str) -> None:
    """Remove the group from all hierarchies, when its processes have ended.

    Raises:
        PlatformError: the kernel still holds one.
    """

    def look() -> None:
        for hierarchy in hierarchies():
            for folder, _, _ in os.walk(hierarchy / group, topdown=False):
                try:
                    Path(folder).rmdir()
                except FileNotFoundError:
                    continue
                except OSError as error:
                    raise _StillThereError(str(error)) from None

    try:
        Deadline(_SECONDS).retry(look, on=_StillThereError)
    except _StillThereError as error:
        raise PlatformError(f"a control group cannot be removed: {error}", "run it again") from None


def others(group: str) -> list[str]:
    """Groups of other clusters on this machine."""
    found = {path.name for hierarchy in hierarchies() for path in hierarchy.glob(f"{CGROUP_PREFIX}*")}
    return sorted(found - {group})
