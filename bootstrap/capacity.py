"""How much of the machine this process can have: of the kernel, of its control groups, of its limits.

Standard library only. A container sees the whole machine's memory and processors in /proc; what it may use is in its
control group (https://docs.kernel.org/admin-guide/cgroup-v2.html, …/cgroup-v1/memory.html).
"""

from __future__ import annotations

import os
import re
import resource
from collections.abc import Iterator
from pathlib import Path

_GIB = 1 << 30
#: Version 1 says "no limit" by the largest number of pages.
_UNLIMITED = 1 << 60
#: From linux/if.h.
_IFF_UP = 1
_PROC, _MOUNTS = Path("/proc"), "self/mountinfo"


def memory_gib(proc: Path = _PROC) -> float:
    """Memory that new processes can have, in GiB: what the kernel estimates, and what the groups leave.

    Args:
        proc: where the kernel tells of itself.
    """
    available = float("inf")
    for line in (proc / "meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            available = int(line.split()[1]) / (1 << 20)
    return min([available, *(left / _GIB for left in _memory_left(proc))])


def cores(proc: Path = _PROC) -> float:
    """Processors that this process can have: those that it may run on, and what the groups' quotas leave of them."""
    return min([float(len(os.sched_getaffinity(0))), *_quotas(proc)])


def tasks_left(proc: Path = _PROC) -> float:
    """Threads that can still be started: by the groups, and by the limit of the user (of root: of `nobody`)."""
    found = [float("inf")]
    for folder in _groups(proc, "pids"):
        limit, used = _number(folder / "pids.max"), _number(folder / "pids.current")
        if limit is not None:
            found.append(limit - (used or 0))
    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    if hard != resource.RLIM_INFINITY:
        found.append(float(hard))
    return max(0.0, min(found))


def has_loopback(sys: Path = Path("/sys")) -> bool:
    """Whether the loopback interface is up; yes where the kernel does not tell."""
    flags = _text(sys / "class/net/lo/flags").strip()
    return not flags or bool(int(flags, 16) & _IFF_UP)


def _memory_left(proc: Path) -> Iterator[float]:
    names = (("memory.max", "memory.current", "inactive_file"), ("memory.high", "memory.current", "inactive_file"))
    old = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    for folder in _groups(proc, "memory"):
        for limit_name, used_name, cached_name in (*names, old):
            limit = _number(folder / limit_name)
            if limit is None or limit >= _UNLIMITED:
                continue
            # Files that were read lately count as used, and are given up where memory is asked for.
            cached = dict(line.split(" ", 1) for line in _text(folder / "memory.stat").splitlines()).get(cached_name, 0)
            yield max(0.0, limit - (_number(folder / used_name) or 0) + int(cached))


def _quotas(proc: Path) -> Iterator[float]:
    for folder in _groups(proc, "cpu"):
        if found := re.fullmatch(r"(\d+) (\d+)\s*", _text(folder / "cpu.max")):
            yield int(found[1]) / int(found[2])
        quota, period = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
        if quota and quota > 0 and period:
            yield quota / period


def _groups(proc: Path, controller: str) -> Iterator[Path]:
    """Folders of the control groups that this process is in, the innermost first, for one controller."""
    own: dict[str, str] = {}
    for line in _text(proc / "self/cgroup").splitlines():
        _, names, path = line.split(":", 2)
        own |= dict.fromkeys(names.split(","), path)
    for line in _text(proc / _MOUNTS).splitlines():
        words, _, rest = line.partition(" - ")
        kind, _, options = rest.partition(" ")
        of_controller = kind == "cgroup" and controller in options.split(" ")[-1].split(",")
        key = "" if kind == "cgroup2" else controller
        if (kind != "cgroup2" and not of_controller) or key not in own:
            continue
        root, mount = words.split()[3:5]
        # What a container has mounted is its own group, though /proc may name it from the outside.
        inside = own[key].removeprefix(root) if root != "/" else own[key]
        top = proc.parent / mount.lstrip("/")
        folder = top / inside.strip("/")
        folder = folder if folder.is_dir() and ".." not in folder.parts else top
        while folder != top:
            yield folder
            folder = folder.parent
        yield top


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _number(path: Path) -> int | None:
    """The number in a file; None where there is none, or no limit."""
    text = _text(path).strip()
    return int(text) if re.fullmatch(r"-?\d+", text) else None
