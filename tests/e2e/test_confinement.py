"""Read, signal and connect as each server and tool would: each reaches what is its own and no more of the platform."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from data_platform.targets.local import confine
from tests.running import Running

pytestmark = [
    pytest.mark.timeout(3600),
    pytest.mark.skipif(bool(confine.shortfalls()), reason="; ".join(confine.shortfalls()) or "nothing is missing"),
]
TOOLS = (("spark", "submit"), ("dbt", "dbt"), ("analysis", "validate"), ("analysis", "draw"))
PROBE = """
import os, socket, sys
socket_path, *pids = sys.argv[1:]
for path in sys.stdin.read().split("\\0"):
    try:
        open(path, "rb").close()
        print("file", path)
    except OSError:
        pass
for pid in pids:
    try:
        open(f"/proc/{pid}/environ", "rb").close()
        print("environment", pid)
    except OSError:
        pass
    try:
        os.kill(int(pid), 0)
        print("signal", pid)
    except OSError:
        pass
try:
    socket.socket(socket.AF_UNIX).connect(socket_path)
    print("supervisor", socket_path)
except OSError:
    pass
"""


def reached(platform: Running, prefix: Sequence[str]) -> set[tuple[str, str]]:
    """What a program reaches with these words before it: files of the state folder, processes, the supervisor."""
    files = [str(path) for path in platform.folder.rglob("*") if path.is_file()]
    assert len(files) >= 50
    pids = [str(process.pid) for process in platform.processes()]
    command = [*prefix, "/usr/bin/env", "python3", "-I", "-S", "-c", PROBE, str(platform.socket), *pids]
    done = subprocess.run(
        command, input="\0".join(files), capture_output=True, text=True, check=True, timeout=60, env=os.environ
    )
    return {(line.partition(" ")[0], line.partition(" ")[2]) for line in done.stdout.splitlines()}


def confinements(platform: Running) -> dict[str, list[str]]:
    """The words before each server and each tool."""
    found = {}
    for path in (platform.folder / "run" / "launch").glob("*.json"):
        if not path.name.startswith("airflow."):
            found[path.stem] = json.loads(path.read_text(encoding="utf-8"))["command"]
    for component, tool in TOOLS:
        found[f"{component}.{tool}"] = platform.target.tool_command(component, tool, []).argv
    return {name: command[: command.index("--") + 1] for name, command in found.items()}


def own(platform: Running, component: str) -> list[Path]:
    """Folders in which a component's programs may read."""
    folders = [platform.folder / kind / component for kind in ("etc", "data", "tmp")]
    return folders + ([platform.folder / "landing"] if component == "nifi" else [])


def test_no_server_and_no_tool_reaches_what_is_not_its_own(platform: Running) -> None:
    every = confinements(platform)
    assert len(every) >= 10
    for name, prefix in every.items():
        assert prefix[3] == confine.__file__, name
        component = name.partition(".")[0]
        found = reached(platform, prefix)
        strange = [
            (kind, what)
            for kind, what in found
            if kind != "file" or not any(Path(what).is_relative_to(folder) for folder in own(platform, component))
        ]
        assert (name, strange) == (name, [])


def test_without_it_the_same_user_reaches_all_of_it(platform: Running) -> None:
    found = reached(platform, [])
    assert {kind for kind, _ in found} == {"file", "environment", "signal", "supervisor"}
    assert ("file", str(platform.folder / "credentials.json")) in found


def test_the_servers_that_run_are_confined(platform: Running) -> None:
    programs = platform.programs()
    assert len(programs) >= 8
    for name, pid in programs.items():
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
        status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        assert (name, status["NoNewPrivs"]) == (name, "0" if name.startswith("airflow.") else "1")


def test_the_supervisor_asks_for_its_password(platform: Running) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(platform.socket))
        connection.sendall(b"POST /RPC2 HTTP/1.0\r\nContent-Length: 0\r\n\r\n")
        assert b" 401 " in connection.recv(100)
