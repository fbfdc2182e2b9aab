"""The ends of the logs on this machine: of servers and jobs, of the supervisor, of tasks, of a test cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bootstrap.support.archive import Entry
from data_platform.stack.errors import PlatformError
from data_platform.targets.local import mark
from data_platform.targets.local.state import State
from data_platform.targets.local.tails import tail

#: Bytes of the end of each log; of a task's there are many, and the newest are what is asked for.
SERVERS, TASKS = 512 << 10, 64 << 10
#: So many tasks' logs at most.
NEWEST = 100
_KINDS = {mark.Kind.NEW: "there is no platform in {}", mark.Kind.STRANGE: "{} is no state folder of a platform"}


def on_machine(state: State) -> Iterator[Entry]:
    """All logs in a state folder: also those of components that take no part any more, and of whoever starts them.

    Raises:
        PlatformError: it is no state folder, or logs may not be read.
    """
    kind = mark.examine(state).kind
    if kind in _KINDS:
        raise PlatformError(_KINDS[kind].format(state.folder), "give the platform's folder by --state")
    failed = []
    for folder, top in ((state.logs, "logs"), (State(state.cluster).logs, "logs/test-cluster")):
        # A link may lead anywhere. What lies deeper is written by Airflow, a file for each try of a task.
        found = [path for path in folder.rglob("*.log*") if path.is_file() and not path.is_symlink()]
        servers = sorted(path for path in found if path.parent == folder)
        tasks = sorted((path for path in found if path.parent != folder), key=_changed, reverse=True)
        listed = [*((path, SERVERS) for path in servers), *((path, TASKS) for path in tasks[:NEWEST])]
        for path, size in listed:
            try:
                text, left_out = tail(path, size)
            except OSError as error:
                failed.append(f"{path}: {error.strerror}")
                continue
            yield Entry(f"{top}/{path.relative_to(folder)}", _what(path, folder), text, left_out)
        if older := [str(path.relative_to(folder)) for path in tasks[NEWEST:]]:
            yield Entry(f"{top}/older.txt", f"older logs of tasks, which are left out: {len(older)}", "\n".join(older))
    if failed:
        raise PlatformError("; ".join(failed), "run it as the owner of the state folder")


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _what(path: Path, folder: Path) -> str:
    return f"the end of a log of {path.name.partition('.log')[0]}" if path.parent == folder else "a task's log, its end"
