"""Ports of the `local` target: chosen once for each state folder, so that several platforms live on one machine."""

from __future__ import annotations

import json
import socket
from pathlib import Path

from filelock import FileLock

from data_platform.stack.errors import PlatformError
from data_platform.stack.stack import Stack
from data_platform.targets.local.state import State, read_json, write_private

LOOPBACK = "127.0.0.1"
_HIGHEST = 65535


def is_free(port: int) -> bool:
    """Whether a server could listen on that loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def holder(port: int) -> str:
    """Who listens on a port, in words."""
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                name = psutil.Process(connection.pid).name() if connection.pid else "a process of another user"
                return f"{name} (pid {connection.pid})" if connection.pid else name
    except psutil.Error:
        return "a process of another user"
    return "an unknown process"


def choose(stack: Stack, state: State, cache: Path, keep: bool = True) -> dict[str, int]:
    """Ports of all endpoints as `component.endpoint`, chosen and saved where they are not yet.

    A port is not given twice on this machine to platforms of one user, even while their servers are down: the
    registry in the cache remembers it as long as the state folder exists.

    Args:
        stack: the platform.
        state: where the ports are kept.
        cache: where the registry is.
        keep: False to look only, and write nothing.

    Raises:
        PlatformError: no free port is left.
    """
    names = {
        f"{name}.{endpoint}": spec.port
        for name, item in stack.components.items()
        for endpoint, spec in item.component.endpoints.items()
    }
    chosen: dict[str, int] = read_json(state.ports_file)
    if names.keys() <= chosen.keys():
        return chosen
    registry_file = cache / "ports.json"
    registry_file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / "ports.lock"):
        # Read again: another process may have chosen while this one waited for the lock.
        chosen = read_json(state.ports_file)
        registry = {
            int(port): owner
            for port, owner in read_json(registry_file).items()
            if owner != str(state.folder) and (Path(owner) / "ports.json").exists()
        }
        taken = set(registry) | set(chosen.values())
        for name, preferred in names.items():
            if name not in chosen:
                chosen[name] = _first_free(preferred, taken)
                taken.add(chosen[name])
        if not keep or state.looks:
            return chosen
        mine = {port: str(state.folder) for port in chosen.values()}
        write_private(state.ports_file, json.dumps(chosen, indent=2) + "\n")
        write_private(registry_file, json.dumps({str(p): o for p, o in sorted((registry | mine).items())}, indent=2))
    return chosen


def _first_free(preferred: int, taken: set[int]) -> int:
    for port in range(preferred, _HIGHEST, 10):
        if port not in taken and is_free(port):
            return port
    raise PlatformError(f"no free port from {preferred} on", "stop some servers on this machine")


def refuse_taken(stack: Stack, ports: dict[str, int], running: set[str]) -> None:
    """Say which of the ports are taken by others.

    Args:
        stack: the platform.
        ports: as `choose` gives them.
        running: components of this platform that run now; their ports are rightly taken.

    Raises:
        PlatformError: names every port that another process holds, and that process.
    """
    clashes = [
        f"port {port} of {name} is taken by {holder(port)}"
        for name, port in ports.items()
        if name.partition(".")[0] in stack.components and name.partition(".")[0] not in running and not is_free(port)
    ]
    if clashes:
        raise PlatformError(
            "\n".join(clashes),
            "stop that process, or remove the entry from ports.json in the state folder so that another port is chosen",
        )
