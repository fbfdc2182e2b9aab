"""Start, heal and stop the supervisor of a state folder."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from data_platform.checks.base import Deadline
from data_platform.clients.supervisor import USER, Supervisor, key_of, start_daemon
from data_platform.stack.errors import PlatformError
from data_platform.stack.holders import new_secret
from data_platform.targets.local.launch import end_earlier, is_of, start_of
from data_platform.targets.local.state import State, read_json, write_private

#: Seconds that the servers together get to end.
_STOP_SECONDS = 300.0
_CONFIGURATION = """\
[supervisord]
nodaemon=false
identifier={id}
pidfile={run}/supervisord.pid
logfile={logs}/supervisord.log
logfile_maxbytes=10MB
logfile_backups=2
childlogdir={logs}
directory={run}
strip_ansi=true
{user}
[unix_http_server]
file={socket}
chmod=0600
username={name}
password={key}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[include]
; relative to this file: supervisor splits the value at spaces, which a path may hold
files=programs/*.conf
"""


class _StillThereError(Exception):
    """Something that is to end has not ended."""


def ensure(state: State, start: Callable[[Path], None] = start_daemon) -> None:
    """Have a supervisor for this state folder: the one that answers, or a new one.

    A supervisor that was killed leaves its servers running without care; they are ended first, each with its own stop
    signal, and the new supervisor starts them again.

    Args:
        state: the state folder.
        start: starts a supervisor with a configuration file.
    """
    state.socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if state.socket.parent != state.run:
        _refuse_others_folder(state.socket.parent)
    configuration = _write_configuration(state)
    if state.socket.exists() and (supervisor := Supervisor(state.socket)).is_up():
        if _is_daemon(supervisor.pid(), state):
            return
        raise PlatformError(
            f"the supervisor that answers on {state.socket} (pid {supervisor.pid()}) is not of {state.folder}",
            "stop the platform that it belongs to, or name another state folder with --state",
        )
    if pid := _daemon(state):
        # It is stopping, or its socket was removed: two of them must not work on one state folder.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        _await_end(pid, state)
    _end_left_behind(state)
    for folder in (state.run / "programs", state.run / "started", state.logs):
        folder.mkdir(parents=True, exist_ok=True)
    state.socket.unlink(missing_ok=True)
    start(configuration)

    def look() -> None:
        if not Supervisor(state.socket).is_up():
            raise _StillThereError

    try:
        Deadline(20).retry(look, on=_StillThereError)
    except _StillThereError:
        raise PlatformError("the supervisor does not answer", f"read {state.logs / 'supervisord.log'}") from None


def _write_configuration(state: State) -> Path:
    """Supervisor's own configuration. A running supervisor reads it again with every program that is added."""
    values = {
        "id": state.id,
        "run": state.run,
        "logs": state.logs,
        "socket": state.socket,
        "name": USER,
        "key": _key(state),
        # Said explicitly, or supervisor warns at every start.
        "user": "user=root\n" if os.geteuid() == 0 else "",
    }
    text = _CONFIGURATION.format_map({key: str(value).replace("%", "%%") for key, value in values.items()})
    configuration = state.run / "supervisord.conf"
    write_private(configuration, text)
    return configuration


def _key(state: State) -> str:
    """The supervisor's password; made once, so that one that runs is still reached after a change of its settings."""
    path = key_of(state.socket)
    if not path.exists():
        write_private(path, new_secret())
    return path.read_text(encoding="ascii")


def _refuse_others_folder(folder: Path) -> None:
    """Who may write to the socket's folder may pretend to be the supervisor; below /tmp anybody can make one."""
    found = folder.stat(follow_symlinks=False)
    if found.st_uid != os.geteuid() or found.st_mode & 0o077 or not stat.S_ISDIR(found.st_mode):
        raise PlatformError(
            f"{folder} is not a folder that only you can write to", "remove it, or use --state with a shorter path"
        )


def _daemon(state: State) -> int:
    """Process id of the supervisor of this state folder, whether it answers or not; 0 when there is none."""
    try:
        pid = int((state.run / "supervisord.pid").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0
    return pid if _is_daemon(pid, state) else 0


def _is_daemon(pid: int, state: State) -> bool:
    """Whether a process was started with this folder's configuration."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return os.fsencode(state.run / "supervisord.conf") in words


def _await_end(pid: int, state: State) -> None:
    """Return when the supervisor has ended, and its servers with it."""
    started = start_of(pid)

    def look() -> None:
        if started and start_of(pid) == started:
            raise _StillThereError

    try:
        Deadline(_STOP_SECONDS).retry(look, on=_StillThereError)
    except _StillThereError:
        raise PlatformError(
            f"the servers have not ended after {_STOP_SECONDS:.0f} s",
            f"wait and run it again; {state.logs / 'supervisord.log'} says which one is left",
        ) from None


def _end_left_behind(state: State) -> None:
    """End what a killed supervisor left, or a server that was ended with SIGKILL; each with its own stop signal."""
    for record in sorted((state.run / "started").glob("*.json")):
        launch, started = read_json(state.run / "launch" / record.name), read_json(record)
        # Of a copy both would name what the original runs.
        if launch and started and launch["record"] == str(record) and is_of(started, record):
            stop_signal = int(getattr(signal, f"SIG{launch['stop_signal']}"))
            end_earlier(started, stop_signal, float(launch["stop_seconds"]))


def stop(state: State) -> None:
    """Stop all servers and the supervisor, and wait until they have ended."""
    if pid := _daemon(state):
        # By signal: it is heard without a socket too, and by one that is stopping already.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        _await_end(pid, state)
    _end_left_behind(state)
