"""Supervisor (supervisord.org) over its XML-RPC interface on a unix socket."""

from __future__ import annotations

import socket as sockets
import sys
import xmlrpc.client
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import Faults, SupervisorTransport, UnixStreamHTTPConnection

from data_platform.clients.commands import run
from data_platform.stack.errors import PlatformError

#: States in which supervisor has the program running or is about to.
ALIVE = frozenset({"STARTING", "RUNNING", "BACKOFF"})
_REMEDY = "run: python3 -m bootstrap up"
#: Deadlines of a call, and of one that waits for the end of a program (`stop_seconds` of its definition, then killed).
_SECONDS, _STOP_SECONDS = 30.0, 600.0
#: Who may speak to it, with a password that is in a file beside the socket. A confined program of the same user cannot
#: read that file; whether it can reach the socket depends on the kernel.
USER = "platform"


def key_of(socket: Path) -> Path:
    """The file, 0600, that holds a supervisor's password."""
    return socket.with_suffix(".key")


class _Connection(UnixStreamHTTPConnection):  # type: ignore[misc] # the package ships no types
    """A connection with a deadline: the package's own waits for ever on a supervisor that hangs."""

    def __init__(self, path: Path, seconds: float) -> None:
        # The name of a host, which the socket has not.
        super().__init__("localhost")
        self.socketfile, self._seconds = str(path), seconds

    def connect(self) -> None:
        self.sock = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
        self.sock.settimeout(self._seconds)
        self.sock.connect(self.socketfile)


class Supervisor:
    """Client of one supervisord.

    Args:
        socket: path of its unix socket. `key_of` says where its password is.
        seconds: deadline of a call.
    """

    def __init__(self, socket: Path, seconds: float = _SECONDS) -> None:
        self._socket = socket
        self._seconds = seconds
        self._transport = SupervisorTransport(None, None, f"unix://{socket}")
        self._transport._get_connection = self._connect
        self._proxy = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=self._transport)

    def _connect(self) -> _Connection:
        return _Connection(self._socket, self._deadline)

    def _call(self, method: str, *arguments: object, tolerated: int | None = None, seconds: float | None = None) -> Any:
        self._deadline = self._seconds if seconds is None else seconds
        try:
            self._log_in()
            return getattr(self._proxy.supervisor, method)(*arguments)
        except xmlrpc.client.Fault as error:
            if error.faultCode != tolerated:
                what = " ".join([method, *map(str, arguments[:1])])
                raise PlatformError(f"supervisor: {what}: {error.faultString}", _REMEDY) from None
            return None
        except xmlrpc.client.ProtocolError as error:
            raise PlatformError(f"the supervisor refuses {method}: {error.errmsg}", _REMEDY) from None
        except TimeoutError:
            raise PlatformError(
                f"the supervisor on {self._socket} did not answer {method} within {self._deadline:.0f} s",
                "look whether it hangs (logs/supervisord.log in the state folder), then run: python3 -m bootstrap up",
            ) from None
        except OSError:
            raise PlatformError(f"the supervisor does not answer on {self._socket}", _REMEDY) from None
        finally:
            self._transport.close()

    def _log_in(self) -> None:
        key = key_of(self._socket)
        # Each time: it is made by whoever starts the supervisor, and that may be after us.
        if key.exists():
            self._transport.username, self._transport.password = USER, key.read_text(encoding="ascii")

    def is_up(self) -> bool:
        """Whether it answers."""
        try:
            self._call("getState")
        except PlatformError:
            return False
        return True

    def pid(self) -> int:
        """Its process id."""
        return int(self._call("getPID"))

    def states(self) -> dict[str, str]:
        """State of every program, by program name: RUNNING, STARTING, BACKOFF, FATAL, EXITED, STOPPED."""
        return {str(info["name"]): str(info["statename"]) for info in self._call("getAllProcessInfo")}

    def pids(self) -> dict[str, int]:
        """Process id of every running program."""
        return {str(info["name"]): int(info["pid"]) for info in self._call("getAllProcessInfo") if info["pid"]}

    def start(self, program: str) -> None:
        """Read the configuration again and start the program, without waiting until it serves."""
        self._call("reloadConfig")
        # Each program is a group of its own name; a known group may hold an older definition.
        if program in self.states():
            self.stop(program)
            self._call("removeProcessGroup", program)
        self._call("addProcessGroup", program)
        self._call("startProcess", program, False, tolerated=Faults.ALREADY_STARTED)

    def stop(self, program: str) -> None:
        """Stop the program and wait until it has ended."""
        self._call("stopProcess", program, True, tolerated=Faults.NOT_RUNNING, seconds=_STOP_SECONDS)

    def forget(self, program: str) -> None:
        """Stop the program and take it out of the supervisor."""
        if program in self.states():
            self.stop(program)
            self._call("removeProcessGroup", program)

    def shutdown(self) -> None:
        """Stop all programs and the supervisor itself; returns before they have ended."""
        self._call("shutdown")


def start_daemon(configuration: Path) -> None:
    """Start supervisord as a daemon.

    Raises:
        PlatformError: it does not start.
    """
    run(
        [sys.executable, "-W", "ignore", "-m", "supervisor.supervisord", "--configuration", str(configuration)],
        doing="starting the supervisor",
        remedy="read its log in the state folder (logs/supervisord.log)",
        seconds=60,
    )


def program_section(name: str, command: str, settings: Mapping[str, object]) -> str:
    """A `[program:…]` section. Supervisor expands `%`, so it is doubled."""
    lines = [f"[program:{name}]", f"command={command}", *(f"{key}={value}" for key, value in settings.items())]
    return "\n".join(line.replace("%", "%%") for line in lines) + "\n"
