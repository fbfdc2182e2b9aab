"""Start, heal and stop the supervisor of a state folder."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from data_platform.checks.base import Deadline
from data_platform.clients.supervisor import Supervisor, start_daemon
from data_platform.stack.errors import PlatformError
from data_platform.targets.local.launch import end_earlier, start_of
from data_platform.targets.local.state import State, read_json, write_private

#: Seconds that the servers together get to end.
_STOP_SECONDS = 90.0
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

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[include]
files={run}/programs/*.conf
"""


class _StillThereError(Exception):
    """Something that is to end has not ended."""


def ensure(state: State) -> None:
    """Have a supervisor for this state folder: the one that answers, or a new one.

    A supervisor that was killed leaves its servers running without care; they are ended first, each with its own stop
    signal, and the new supervisor starts them again.
    """
    if state.socket.exists() and Supervisor(state.socket).is_up():
        return
    for record in sorted((state.run / "started").glob("*.json")):
        launch = read_json(state.run / "launch" / record.name)
        if launch:
            end_earlier(read_json(record), _signal(launch["stop_signal"]), float(launch["stop_seconds"]))
    for folder in (state.run / "programs", state.run / "started", state.logs):
        folder.mkdir(parents=True, exist_ok=True)
    state.socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    state.socket.unlink(missing_ok=True)
    values = {
        "id": state.id,
        "run": state.run,
        "logs": state.logs,
        "socket": state.socket,
        # Said explicitly, or supervisor warns at every start.
        "user": "user=root\n" if os.geteuid() == 0 else "",
    }
    text = _CONFIGURATION.format_map({key: str(value).replace("%", "%%") for key, value in values.items()})
    configuration = state.run / "supervisord.conf"
    write_private(configuration, text)
    start_daemon(configuration)

    def look() -> None:
        if not Supervisor(state.socket).is_up():
            raise _StillThereError

    try:
        Deadline(20).retry(look, on=_StillThereError)
    except _StillThereError:
        raise PlatformError("the supervisor does not answer", f"read {state.logs / 'supervisord.log'}") from None


def _signal(name: str) -> int:
    import signal

    return int(getattr(signal, f"SIG{name}"))


def stop(state: State) -> None:
    """Stop all servers and the supervisor, and wait until they have ended."""
    if state.socket.exists() and (supervisor := Supervisor(state.socket)).is_up():
        pid = supervisor.pid()
        started = start_of(pid)
        supervisor.shutdown()

        def look() -> None:
            if started and start_of(pid) == started:
                raise _StillThereError

        try:
            Deadline(_STOP_SECONDS).retry(look, on=_StillThereError)
        except _StillThereError:
            raise PlatformError(
                f"the servers have not ended after {_STOP_SECONDS:.0f} s", f"read {state.logs / 'supervisord.log'}"
            ) from None
    # What a killed supervisor left, or a server that was ended with SIGKILL.
    for record in sorted((state.run / "started").glob("*.json")):
        launch = read_json(state.run / "launch" / record.name)
        found = json.loads(record.read_text(encoding="utf-8"))
        if launch:
            end_earlier(found, _signal(launch["stop_signal"]), float(launch["stop_seconds"]))


def remove(folder: Path) -> None:
    """Remove a state folder, if it is one.

    Raises:
        PlatformError: the folder does not look like a state folder.
    """
    if folder.exists() and not (folder / "settings.json").exists():
        raise PlatformError(
            f"{folder} holds no settings.json, so it is no state folder", "remove it by hand if it may go"
        )
    if folder.exists():
        shutil.rmtree(folder)
