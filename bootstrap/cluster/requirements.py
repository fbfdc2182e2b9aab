"""What a cluster needs on this machine; Debian's packages are installed where that is possible."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

from bootstrap import preflight
from bootstrap.cluster import cgroups, settings
from bootstrap.preflight import Problem
from data_platform.stack.errors import PlatformError

#: Programs of the full level, and the Debian packages that have them.
_PROGRAMS = {"containerd": "containerd", "ctr": "containerd", "runc": "runc", "nft": "nftables"}
#: Programs of every level.
_BASE_PROGRAMS = {"ip": "iproute2", "unshare": "util-linux", "nsenter": "util-linux", "mount": "mount"}
_PLUGINS = ("ptp", "host-local", "loopback")
#: The kubelet takes no more pods when less than 2 GiB are left.
_FREE_GIB = 4.0
_GIB = 1 << 30


def refuse_unfit(folder: Path, level: str) -> None:
    """Install what is missing, or say all of it.

    Args:
        folder: where the cluster's files will be; it need not exist.
        level: api or full.

    Raises:
        PlatformError: something is missing that we cannot install.
    """
    if platform.system() != "Linux" or os.geteuid() != 0:
        raise PlatformError(
            "a cluster of our own needs Linux and root: it makes namespaces and control groups",
            "run it as root, or use a cluster that is there: --context NAME",
        )
    # What apt has installed may still lack something: look again.
    if found := preflight.mend(problems(folder, level)) or problems(folder, level):
        lines = [f"{p.what} (Debian: apt-get install {' '.join(p.packages)})" if p.packages else p.what for p in found]
        raise PlatformError("\n".join(lines), "; ".join(sorted({problem.remedy for problem in found})))


def problems(folder: Path, level: str) -> list[Problem]:
    """Everything that stands in the way."""
    programs = _BASE_PROGRAMS | (_PROGRAMS if level == "full" else {})
    found = [
        Problem(f"{program} is not on the PATH", "install it", (package,))
        for program, package in programs.items()
        if shutil.which(program) is None
    ]
    if level == "full":
        if plugin_folder() is None:
            what = f"the network plugins {', '.join(_PLUGINS)} are in none of {_words(settings.PLUGIN_FOLDERS)}"
            found.append(Problem(what, "install them", ("containernetworking-plugins",)))
        if not cgroups.hierarchies():
            found.append(Problem("no control groups are mounted on this machine", "mount them below /sys/fs/cgroup"))
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free / _GIB
    if free < _FREE_GIB:
        what = f"{there} has {free:.1f} GiB of free disk, {_FREE_GIB:.0f} GiB are needed"
        found.append(Problem(what, "free some space, or choose another place with --state"))
    return found


def plugin_folder() -> Path | None:
    """Folder that has the network plugins."""
    for folder in settings.PLUGIN_FOLDERS:
        if all((folder / name).exists() for name in _PLUGINS):
            return folder
    return None


def _words(paths: tuple[Path, ...]) -> str:
    return ", ".join(map(str, paths))
