"""How a process is described to supervisor and to the launcher."""

from __future__ import annotations

import fnmatch
import json
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, NotRequired, TypedDict

from data_platform.clients.supervisor import program_section
from data_platform.stack.bindings import Bindings
from data_platform.stack.definition import Job, Process
from data_platform.stack.model import Loaded
from data_platform.targets.local import artifacts, launch, ports
from data_platform.targets.local.cache import CACHE_VARIABLE
from data_platform.targets.local.confinement import confinement, prefix
from data_platform.targets.local.privileges import unprivileged_prefix
from data_platform.targets.local.state import State, write_private
from data_platform.targets.render import render

#: The platform environment's interpreter, by the same name in the bootstrap and in Airflow's tasks.
PYTHON = str(Path(sys.prefix) / "bin" / "python")
#: Names of the caller's environment that every process gets.
ALWAYS = ("PATH", "HOME", "DATA_PLATFORM_UV", "DATA_PLATFORM_PATIENCE")
#: What every process is told instead of what the caller's shell says: names of files are UTF-8, times are UTC.
SETTINGS = MappingProxyType({"LANG": "C.UTF-8", "TZ": "UTC"})
#: What supervisor is told of every program.
_SUPERVISION = {
    "autostart": "true",
    "autorestart": "true",
    "startsecs": 1,
    # Supervisor waits one second longer before each retry: 20 retries are three and a half minutes.
    "startretries": 20,
    "killasgroup": "true",
    "redirect_stderr": "true",
    "stdout_logfile_maxbytes": 20_000_000,
    "stdout_logfile_backups": 3,
}


class LaunchFile(TypedDict):
    """What `launch.py` reads; the digest covers all that makes a restart necessary."""

    command: list[str]
    environment: dict[str, str]
    directory: str
    digest: str
    record: str
    stop_signal: str
    stop_seconds: int
    pid_file: NotRequired[str]
    program: NotRequired[str]


class Where(NamedTuple):
    """The checkout, the state folder and the per-user cache."""

    root: Path
    state: State
    cache: Path


def launch_file(item: Loaded, name: str, values: Bindings, files: Mapping[str, bytes], there: Where) -> LaunchFile:
    """Content of the launch file of a process or job.

    Args:
        item: the component.
        name: of the process or job.
        values: the component's bindings.
        files: its configuration files.
        there: where it runs.
    """
    where = f"{item.folder / 'local.yaml'}: {name}"
    specs: dict[str, Process | Job] = {**item.definition.jobs, **item.definition.processes}
    spec = specs[name]
    own = confinement(spec, values.open, where)
    environment = {
        **SETTINGS,
        # Whatever the caller's shell says of it: all look into one cache.
        CACHE_VARIABLE: str(there.cache),
        # A home that it can read.
        **({"HOME": values.open["DATA"]} if own else {}),
        **values.open,
        **{key: render(text, values.all, f"{where}: {key}") for key, text in spec.environment.items()},
        "NO_PROXY": ports.LOOPBACK,
        "no_proxy": ports.LOOPBACK,
    }
    # No secret can be named in a command: it would be in an argument list.
    command = [render(word, values.open, where) for word in spec.command]
    folder = render(spec.directory, values.open, where) if isinstance(spec, Process) else values.open["DATA"]
    watched = _watched(there.root, spec.watch) if isinstance(spec, Process) else []
    digests = {path: artifacts.sha256_of_bytes(content) for path, content in files.items()}
    stop = (spec.stop_signal, spec.stop_seconds) if isinstance(spec, Process) else ("TERM", 1)
    defining = json.dumps(
        [command, environment, folder, sorted(digests.items()), watched, stop, own, _SUPERVISION], sort_keys=True
    )
    if spec.unprivileged:
        command = [*unprivileged_prefix(there.state.folder, there.cache), *command]
    command = [*prefix(own, PYTHON, there.state.folder, there.cache), *command]
    inherited = (*ALWAYS, *(spec.inherit if isinstance(spec, Process) else ()))
    return {
        "command": command,
        "environment": {**inherit_environment(inherited), **environment},
        "directory": folder,
        "digest": artifacts.sha256_of_bytes(defining.encode()),
        "record": str(there.state.run / "started" / f"{item.name}.{name}.json"),
        "stop_signal": stop[0],
        "stop_seconds": stop[1],
        "pid_file": render(spec.pid_file, values.open, where) if isinstance(spec, Process) else "",
        "program": render(spec.command[0], values.open, where),
    }


def inherit_environment(patterns: Sequence[str]) -> dict[str, str]:
    """Variables of this process's environment whose names match one of the globs."""
    return {k: v for k, v in os.environ.items() if any(fnmatch.fnmatchcase(k, pattern) for pattern in patterns)}


def write_program(program: str, process: Process, content: LaunchFile, state: State) -> None:
    """Write the launch file (0600) and supervisor's section of a program."""
    path = state.run / "launch" / f"{program}.json"
    write_private(path, json.dumps(content))
    (state.run / "started").mkdir(exist_ok=True)
    state.logs.mkdir(exist_ok=True)
    settings = {
        **_SUPERVISION,
        "stopsignal": process.stop_signal,
        "stopwaitsecs": process.stop_seconds,
        "stdout_logfile": state.logs / f"{program}.log",
    }
    # Paths in the launch file are UTF-8, whatever the locale in which supervisor was started.
    command = shlex.join([PYTHON, "-I", "-X", "utf8", str(Path(launch.__file__)), str(path)])
    write_private(program_file(state, program), program_section(program, command, settings))


def program_file(state: State, program: str) -> Path:
    """Supervisor's section of a program."""
    return state.run / "programs" / f"{program}.conf"


def _watched(root: Path, patterns: Sequence[str]) -> list[tuple[str, str]]:
    files = sorted({p for pattern in patterns for p in root.glob(pattern) if p.is_file()})
    return [(str(p.relative_to(root)), artifacts.sha256_of(p)) for p in files]
