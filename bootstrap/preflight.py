"""What must be on the machine before anything is made. Standard library only; names everything at once."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

#: Measured: environments, toolchains, artifacts and Maven's own copies take 7 GiB, a young state folder under 1.
CACHE_GIB, STATE_GIB = 8.0, 2.0
#: What PostgreSQL, Airflow and a build need, whatever is selected; what the selection needs is asked for later, when
#: the components can be read.
MEMORY_GIB = 3.0
_GIB = 1 << 30
#: Supervisor, class paths and PYTHONPATH give these a meaning of their own, wherever in a path they are.
_REFUSED = frozenset("%:;*?[]{}$#\"'\\\n\r\t")


class Problem(NamedTuple):
    """Something that is missing, what to do, and the Debian packages that would mend it."""

    what: str
    remedy: str
    packages: tuple[str, ...] = ()


def problems(state: Path, cache: Path, cached: bool) -> list[Problem]:
    """Everything that stands in the way on this machine.

    Args:
        state: the state folder; it need not exist.
        cache: the per-user cache; it need not exist.
        cached: whether the environment has been made before (much less disk is then needed).
    """
    return [
        *_system(),
        *_tools(),
        *_folder(state, "the state folder", STATE_GIB),
        *_folder(cache, "the cache", 1.0 if cached else CACHE_GIB),
        *([] if _is_running(state) else _memory()),
    ]


def _system() -> list[Problem]:
    if platform.system() != "Linux":
        return [
            Problem(
                f"{platform.system()} is not supported", "use Linux (glibc), or the container of docker-compose.yml"
            )
        ]
    if platform.machine() not in ("x86_64", "aarch64"):
        return [Problem(f"processor {platform.machine()} is not supported", "use x86_64 or aarch64")]
    return []


def _tools() -> list[Problem]:
    found = []
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        minor = f"{sys.version_info.major}.{sys.version_info.minor}"
        found.append(Problem("Python's venv module is missing", "install it", (f"python{minor}-venv",)))
    if shutil.which("mvn") is None:
        found.append(
            Problem("Maven (mvn) is missing; it fetches the servers", "install Maven 3.8 or newer", ("maven",))
        )
    return found


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def _folder(path: Path, what: str, gib: float) -> list[Problem]:
    if refused := sorted(_REFUSED & set(str(path))):
        signs = " ".join(repr(sign) for sign in refused)
        return [Problem(f"the path of {what} ({path}) holds {signs}, which servers misread", "choose another place")]
    there = _existing(path)
    if not there.is_dir():
        return [Problem(f"{there} is no folder, but {what} is to be at {path}", "choose another place")]
    found = []
    if not os.access(there, os.W_OK | os.X_OK):
        found.append(Problem(f"no permission to write to {what} ({there})", "choose another place or become its owner"))
    free = shutil.disk_usage(there).free / _GIB
    if free < gib:
        remedy = "free some space, or choose another place (--state, DATA_PLATFORM_CACHE)"
        found.append(Problem(f"{what} ({there}) has {free:.1f} GiB of free disk, {gib:.0f} GiB are needed", remedy))
    return found


def available_memory_gib() -> float:
    """Memory that new processes can have, in GiB; what the kernel itself estimates."""
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) / (1 << 20)
    return float("inf")


def _memory() -> list[Problem]:
    available = available_memory_gib()
    if available < MEMORY_GIB:
        what = f"{available:.1f} GiB of memory are available, {MEMORY_GIB:.0f} GiB are needed"
        return [Problem(what, "stop other programs, or use a machine with more")]
    return []


def _is_running(state: Path) -> bool:
    """Whether this platform runs already; it then has its memory and does not need it again."""
    try:
        os.kill(int((state / "run" / "supervisord.pid").read_text(encoding="ascii")), 0)
    except (OSError, ValueError):
        return False
    return True


def mend(found: list[Problem]) -> list[Problem]:
    """Install missing Debian packages where we are root on Debian; returns the problems that remain."""
    packages = [package for problem in found for package in problem.packages]
    if not packages or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return found
    print(f"Installing {', '.join(packages)} with apt-get…", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", *packages]):
        done = subprocess.run(
            ["apt-get", *words],
            env=environment,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode != 0:
            last = "\n".join(done.stdout.strip().splitlines()[-10:])
            return [*found, Problem(f"apt-get {words[0]} failed:\n{last}", "mend apt, or install the packages by hand")]
    return [problem for problem in found if not problem.packages]


def report(found: list[Problem]) -> None:
    """Print all problems, with what to do about each."""
    print(f"This machine is not ready: {len(found)} problem{'s' if len(found) != 1 else ''}.", file=sys.stderr)
    for problem in found:
        debian = f" (Debian: apt-get install {' '.join(problem.packages)})" if problem.packages else ""
        print(f"- {problem.what}\n  → {problem.remedy}{debian}", file=sys.stderr)
