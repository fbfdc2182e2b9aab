"""What must be on the machine before anything is made. Standard library only; names everything at once."""

from __future__ import annotations

import importlib.util
import os
import platform
import pwd
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from bootstrap import capacity, disks
from bootstrap.arguments import ROOT

#: Measured: environments, toolchains, artifacts and Maven's own copies take 7 GiB, a young state folder under 1.
CACHE_GIB, STATE_GIB = 8.0, 2.0
#: What PostgreSQL, Airflow and a build need, whatever is selected; what the selection needs is asked for later, when
#: the components can be read.
MEMORY_GIB = 3.0
#: Below it servers miss their deadlines; the runs on record were on two.
CORES = 1.0
#: Measured: 700 threads of all servers, 250 of them Trino's, and a build beside them.
TASKS = 1000
_GIB = 1 << 30
#: Limits of processes: what it is, the least that serves, and how to see it in a shell. A Java server reserves more
#: addresses than it uses; the largest file is a download of 0.8 GiB, PostgreSQL's are of 1.
_LIMITS = (
    (resource.RLIMIT_FSIZE, "the size of a file", 2 * _GIB, "ulimit -f"),
    (resource.RLIMIT_AS, "addresses of a process", 16 * _GIB, "ulimit -v"),
    (resource.RLIMIT_DATA, "data of a process", 16 * _GIB, "ulimit -d"),
    (resource.RLIMIT_STACK, "the stack of a process", 1 << 20, "ulimit -s"),
    (resource.RLIMIT_CPU, "processor time of a process, in seconds", resource.RLIM_INFINITY, "ulimit -t"),
)
#: Files of certificates; a client that is given one that is not there ends with a traceback.
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")
#: Nobody runs this before it was written. Certificates are not valid yet where the clock says so.
_WRITTEN = 1_767_225_600
#: Another apt may hold its lock, and lines are slow.
_APT_SECONDS = 900.0
#: Supervisor, class paths and PYTHONPATH give these a meaning of their own, wherever in a path they are.
_REFUSED = frozenset("%:;*?[]{}$#\"'\\`")
#: Of the checkout what is started by its path (dagkit/dbt.py).
_PROGRAM = "dbt_project/bin/dbt"
#: PostgreSQL's longest path is 1023 bytes (MAXPGPATH); what servers add below a folder of ours has about 300.
_LONGEST = 600


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
        *_user(),
        *_tools(),
        *_checkout(),
        *_settings(),
        *_limits(),
        *_folder(state, "the state folder", STATE_GIB),
        *_folder(cache, "the cache", 1.0 if cached else CACHE_GIB),
        *([] if _is_running(state) else [*_memory(), *_tasks()]),
    ]


def unreachable(folder: Path) -> list[Problem]:
    """A folder of which it cannot even be seen whether it is there."""
    try:
        folder.exists()
    except PermissionError as error:
        what = f"{folder} cannot be reached: a folder above it may not be entered ({error.strerror})"
        return [Problem(what, "choose another place (--state, DATA_PLATFORM_CACHE), or have its owner open the way")]
    return []


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


def _user() -> list[Problem]:
    found = []
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        found.append(
            Problem(
                f"the user {os.geteuid()} has no entry in /etc/passwd, and PostgreSQL and Java do not start without",
                "use a user that has one, or add one (in a container: --user with a name that its /etc/passwd has)",
            )
        )
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        found.append(Problem("there is no folder for temporary files (TMPDIR, /tmp)", "set TMPDIR to one"))
    if time.time() < _WRITTEN:
        now = time.strftime("%Y-%m-%d", time.gmtime())
        found.append(
            Problem(f"the clock says {now}, so no certificate of a package registry is valid yet", "set the clock")
        )
    if not capacity.has_loopback():
        found.append(Problem("no server can listen on 127.0.0.1: lo is down", "bring it up: ip link set lo up"))
    return found


def _checkout() -> list[Problem]:
    """What of a checkout was changed on its way here."""
    found = _path(ROOT, "the checkout")
    scripts = [*ROOT.glob("stack/components/**/*.sh"), ROOT / "locks" / "uv.txt"]
    if changed := [str(path.relative_to(ROOT)) for path in scripts if b"\r\n" in path.read_bytes()]:
        what = f"the checkout has the line ends of Windows ({changed[0]}), which no shell reads"
        found.append(Problem(what, "check it out again: git config core.autocrlf input && git checkout-index -f -a"))
    if not os.access(ROOT / _PROGRAM, os.X_OK):
        what = f"{ROOT / _PROGRAM} cannot be run: the checkout lost its mode, or its file system is mounted noexec"
        found.append(Problem(what, "check it out with git, which keeps modes, where programs may run"))
    return found


def _settings() -> list[Problem]:
    """Variables that name what is not there, for those whom they reach."""
    found = []
    home = os.environ.get("JAVA_HOME", "")
    if home and not os.access(Path(home) / "bin" / "java", os.X_OK):
        found.append(
            Problem(f"JAVA_HOME is {home}, which holds no bin/java; Maven goes by it", "correct it or unset it")
        )
    named = {name: value for name in _CERTIFICATES if (value := os.environ.get(name, ""))}
    gone = [f"{name} is {value}, which is not there" for name, value in named.items() if not Path(value).exists()]
    return [*found, *(Problem(what, "correct it or unset it") for what in gone)]


def _limits() -> list[Problem]:
    """Hard limits that are too low; the soft ones are raised to them (surroundings.py)."""
    found = []
    for kind, what, least, shell in _LIMITS:
        limit = resource.getrlimit(kind)[1]
        if limit != resource.RLIM_INFINITY and (least == resource.RLIM_INFINITY or limit < least):
            needed = "it must be unlimited" if least == resource.RLIM_INFINITY else f"at least {least} are needed"
            found.append(Problem(f"the limit of {what} is {limit}, {needed}", _raise(shell)))
    return found


def _raise(shell: str) -> str:
    return f"raise it ({shell} in the shell, /etc/security/limits.conf, LimitXXX= of systemd, --ulimit of a container)"


def open_files() -> float:
    """How many files a server can have open: the hard limit, which it has (surroundings.py)."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return float("inf") if limit == resource.RLIM_INFINITY else float(limit)


def too_few_open_files(needed: int) -> list[Problem]:
    """The problem, where a server can have too few files open.

    Args:
        needed: what the most demanding one needs.
    """
    if (there := open_files()) >= needed:
        return []
    return [Problem(f"a process can have {there:.0f} files open, {needed} are needed", _raise("ulimit -Hn"))]


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


def _path(path: Path, what: str) -> list[Problem]:
    """What servers cannot take in a path."""
    raw = os.fsencode(path)
    try:
        signs = sorted({sign for sign in raw.decode("utf-8") if sign in _REFUSED or not sign.isprintable()})
    except UnicodeDecodeError:
        return [Problem(f"the path of {what} ({str(path)!a}) is not UTF-8", "choose another place")]
    if signs:
        named = " ".join(repr(sign) for sign in signs)
        return [Problem(f"the path of {what} ({path}) holds {named}, which servers misread", "choose another place")]
    if len(raw) > _LONGEST:
        what = f"the path of {what} has {len(raw)} bytes, and servers take {_LONGEST} at most: {path}"
        return [Problem(what, "choose a place with a shorter path")]
    return []


def _folder(path: Path, what: str, gib: float) -> list[Problem]:
    if refused := _path(path, what) or unreachable(path):
        return refused
    there = _existing(path)
    if not there.is_dir():
        return [Problem(f"{there} is no folder, but {what} is to be at {path}", "choose another place")]
    found = []
    remedy = "free some space, or choose another place (--state, DATA_PLATFORM_CACHE)"
    elsewhere = "choose a place on another file system (--state, DATA_PLATFORM_CACHE)"
    if disks.is_read_only(there):
        found.append(Problem(f"{what} ({there}): it is mounted read-only", elsewhere))
    elif not os.access(there, os.W_OK | os.X_OK):
        found.append(Problem(f"no permission to write to {what} ({there})", "choose another place or become its owner"))
    else:
        found += [Problem(f"{what} ({there}): {lack}", elsewhere) for lack in disks.shortfalls(there)]
    if (free := disks.free_gib(there)) < gib:
        found.append(Problem(f"{what} ({there}) has {free:.1f} GiB of free disk, {gib:.0f} GiB are needed", remedy))
    return found


def available_memory_gib() -> float:
    """Memory that new processes can have, in GiB; of a container what its limit leaves."""
    return capacity.memory_gib()


def _memory() -> list[Problem]:
    available = available_memory_gib()
    if available < MEMORY_GIB:
        what = f"{available:.1f} GiB of memory are available, {MEMORY_GIB:.0f} GiB are needed"
        return [Problem(what, "stop other programs, or use a machine (or a container's limit) with more")]
    return []


def _tasks() -> list[Problem]:
    found = []
    if (left := capacity.tasks_left()) < TASKS:
        what = f"{left:.0f} more threads can be started, {TASKS} are needed"
        found.append(Problem(what, f"{_raise('ulimit -u')}, or --pids-limit of the container"))
    if (cores := capacity.cores()) < CORES and not os.environ.get("DATA_PLATFORM_PATIENCE"):
        what = f"{cores:.1f} processors can be used, {CORES:.0f} is needed"
        remedy = "give the container more (--cpus), or wait longer for everything: DATA_PLATFORM_PATIENCE=3"
        found.append(Problem(what, remedy))
    return found


def _is_running(state: Path) -> bool:
    """Whether this platform runs already; it then has its memory and does not need it again."""
    try:
        pid = int((state / "run" / "supervisord.pid").read_text(encoding="ascii"))
        # After a power cut the number may be somebody else's.
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return False
    return os.fsencode(state / "run" / "supervisord.conf") in words


def mend(found: list[Problem]) -> list[Problem]:
    """Install missing Debian packages where we are root on Debian; returns the problems that remain."""
    packages = [package for problem in found for package in problem.packages]
    if not packages or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return found
    print(f"Installing {', '.join(packages)} with apt-get…", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", *packages]):
        try:
            done = subprocess.run(
                ["apt-get", *words],
                env=environment,
                check=False,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=_APT_SECONDS,
            )
        except subprocess.TimeoutExpired:
            what = f"apt-get {words[0]} did not end within {_APT_SECONDS:.0f} s"
            return [*found, Problem(what, "look at apt's sources and at who holds its lock, or install by hand")]
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
