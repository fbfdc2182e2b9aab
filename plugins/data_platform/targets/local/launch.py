"""Become the program that a launch file describes.

Run by supervisor as `python -I launch.py FILE`. The launch file is 0600 and holds command, environment and folder, so
that secrets are neither in an argument list nor in supervisor's configuration. Standard library only: it starts with
every process. Before it becomes the program it ends what an earlier incarnation left behind: a server killed with
SIGKILL leaves children that hold ports and data files, a killed supervisor leaves whole servers.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

#: Seconds between two looks at processes that are to end.
_LOOK = 0.05
#: How much of a program's name Linux keeps (TASK_COMM_LEN).
_NAME = 15


def boot() -> str:
    """Which start of this machine it is (Linux)."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def start_of(pid: int) -> str:
    """Identity of a process: boot and start time (Linux). Empty when there is no such process."""
    try:
        # The command name (field 2) may hold spaces; fields after it are counted from the last parenthesis.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else f"{boot()}/{fields[19]}"


def lives(group: int, session: int | None = None) -> bool:
    """Whether a process group has a process that is not a zombie.

    `killpg(group, 0)` would count zombies too; in a container whose first process reaps nobody they stay for ever.

    Args:
        group: number of the group.
        session: number of its session; None when it is not known.
    """
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if fields[0] not in ("Z", "X") and int(fields[2]) == group:
                return session is None or int(fields[3]) == session
    return False


def is_of(record: Mapping[str, Any], path: Path) -> bool:
    """Whether a record of a started process is of this place: a copy of it names the original's processes.

    Args:
        record: what `main` wrote; of an earlier version it does not say where.
        path: where it was found.
    """
    return bool(record.get("record", str(path)) == str(path))


def runs(record: Mapping[str, Any]) -> bool:
    """Whether the process of a record runs, or children that it left.

    A number alone proves nothing: after a start of the machine, or when all of its group have ended, it is given to
    somebody else. So the start of the process must be the recorded one, or the session of its children.
    """
    group = int(record["pid"])
    if now := start_of(group):
        return bool(now == record["start"])
    return str(record["start"]).partition("/")[0] == boot() and lives(group, record.get("session"))


def end_earlier(record: Mapping[str, Any], stop_signal: int, seconds: float) -> bool:
    """End the processes of an earlier incarnation. True when there were some.

    Args:
        record: what `main` wrote when it started that incarnation.
        stop_signal: signal that asks its first process to end.
        seconds: how long it may take until it is killed.
    """
    group = int(record["pid"])
    if group == os.getpid() or not runs(record):
        return False
    now = start_of(group)
    try:
        if now:
            os.kill(group, stop_signal)
        else:
            os.killpg(group, signal.SIGTERM)
    except (ProcessLookupError, PermissionError):
        return False
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not lives(group):
            return True
        if now and not start_of(group):
            now = ""
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGTERM)
        time.sleep(_LOOK)
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
    return True


def forget_foreign(pid_file: Path, program: str) -> bool:
    """Remove a server's own record of its process where that is somebody else. True when it was.

    A server that lost its power leaves it behind, and after the next start of the machine the number may be given to
    another program: the server then takes that one for itself, and refuses to start.

    Args:
        pid_file: begins with a line that is the number.
        program: what the server's process is called.
    """
    try:
        number = int(pid_file.read_text(encoding="utf-8", errors="replace").split("\n", 1)[0])
        written = pid_file.stat().st_mtime
        name = Path(f"/proc/{number}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except (OSError, ValueError):
        return False  # nothing is there, or nobody, which the server sees itself
    if name == program[:_NAME] and _began(number) <= written:
        return False
    pid_file.unlink()
    return True


def _began(pid: int) -> float:
    """When a process was started, in seconds since 1970, to the second; 0 when it cannot be told."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
        booted = next(int(line.split()[1]) for line in lines if line.startswith("btime "))
    except (OSError, StopIteration):
        return 0.0
    # The start of the machine is told to the second, either way.
    return booted + int(fields[19]) / os.sysconf("SC_CLK_TCK") - 2.0


def main(path: Path) -> None:
    """Replace this process by the program of the launch file."""
    launch = json.loads(path.read_text(encoding="utf-8"))
    record_path = Path(launch["record"])
    if path.parent.parent != record_path.parent.parent:
        sys.exit(f"{path} is a copy: it was written for {record_path.parent.parent}; nothing was started")
    try:
        record = json.loads(record_path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        record = {}
    if record and is_of(record, record_path):
        end_earlier(record, getattr(signal, f"SIG{launch['stop_signal']}"), launch["stop_seconds"])
    if pid_file := launch.get("pid_file"):
        # What this launcher started before has ended, above.
        forget_foreign(Path(pid_file), Path(launch["program"]).name)
    pid = os.getpid()
    content = {"pid": pid, "start": start_of(pid), "session": os.getsid(0), "digest": launch["digest"]}
    # Not synced: after a power cut all that it names is gone.
    draft = record_path.with_suffix(".draft")
    draft.write_text(json.dumps({**content, "record": str(record_path)}), encoding="utf-8")
    draft.replace(record_path)
    os.chdir(launch["directory"])
    os.umask(0o077)
    os.execvpe(launch["command"][0], launch["command"], launch["environment"])  # noqa: S606 - no shell wanted


if __name__ == "__main__":
    main(Path(sys.argv[1]))
