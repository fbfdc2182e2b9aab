"""`test`: the rooms of tests, each with the tool that runs it."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import IO

from bootstrap.arguments import DEEP, ROOT, TEST_ROOMS
from bootstrap.preflight import available_memory_gib

_BIN = Path(sys.prefix) / "bin"
_LINT = [
    ["ruff", "check", "."],
    ["ruff", "format", "--check", "."],
    ["mypy"],
    ["lint-imports"],
    ["yamllint", "--strict", "."],
    ["sqlfluff", "lint", "dbt_project/models"],
]


#: Rooms that share one running platform, so they share one pytest.
_ON_A_PLATFORM = ("e2e", "drills")
#: What of a room is run without it being asked for by name: of the cluster what needs an API server alone, of a
#: platform an example of each kind. The rest is in the deep run.
_BY_DEFAULT = {"cluster": ["-m", "api_level"], "e2e": ["-m", "not deep"], "drills": ["-m", "not deep"]}
#: Of a default run: begun early and shown at its turn, since it keeps one core busy for as long as several others.
_BESIDE = "integration"
#: Cores, and GiB of memory that must be free, for a whole platform with tests beside it. Runs were on two cores; the
#: memory is an estimate: what `up` asks for, and 2 GiB for Spark's jobs and the tests themselves.
_CORES, _MEMORY_GIB = 2, 9.0


def commands(rooms: list[str]) -> list[tuple[str, list[list[str]]]]:
    """What to run for some rooms, in order: the quick rooms first, the running platform last and once."""
    chosen = [room for room in TEST_ROOMS if room in (rooms or TEST_ROOMS)]
    found = []
    for room in (room for room in chosen if room not in _ON_A_PLATFORM):
        only = [] if rooms else _BY_DEFAULT.get(room, [])
        found.append((room, _LINT if room == "lint" else [["pytest", f"tests/{room}", *only]]))
    if together := [room for room in chosen if room in _ON_A_PLATFORM]:
        only = [] if rooms else _BY_DEFAULT[together[0]]
        found.append((" and ".join(together), [["pytest", *(f"tests/{room}" for room in together), *only]]))
    return found


@contextmanager
def _started(command: Sequence[str], output: int | IO[str]) -> Iterator[Callable[[], int]]:
    """A command that works beside what this one runs, and how to wait for its exit code.

    At the end of the block it ends, with all that it started.
    """
    # A group of its own, so that compilers end with it, and not a session: priorities count within a session alone.
    process = subprocess.Popen(  # noqa: TID251 - it works beside what this one runs
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output, process_group=0
    )
    try:
        yield process.wait
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _building_ahead(rooms: list[str]) -> AbstractContextManager[object]:
    """While it lasts, what later rooms need is built, with what the rooms before leave of the processor."""
    command = ["nice", "-n", "10", sys.executable, "-m", "bootstrap.ahead", *(rooms or TEST_ROOMS)]
    return _started(command, subprocess.DEVNULL)


@contextmanager
def _beside(command: Sequence[str]) -> Iterator[Callable[[], int]]:
    """A command that is begun before its turn; at its turn its output is shown and its exit code awaited."""
    words = [str(_BIN / command[0]), *command[1:]]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output, _started(words, output) as wait:

        def finish() -> int:
            code = wait()
            output.seek(0)
            sys.stdout.writelines(output)
            return code

        yield finish


def test(arguments: argparse.Namespace) -> int:
    """Run the rooms; the first one that fails ends it. Or the deep run, in which nothing ends the rest."""
    if arguments.rooms == [DEEP]:
        from bootstrap.proof import deep

        part = deep.Part(*arguments.part) if arguments.part else None
        return deep.run(ROOT, deep.Wanted(part, arguments.room, arguments.words, arguments.since))
    with _building_ahead(arguments.rooms):
        return _run(arguments.rooms)


def lack() -> str:
    """What this machine has too little of for a whole platform under test, in words; empty when it has enough."""
    cores, memory = len(os.sched_getaffinity(0)), available_memory_gib()
    if cores >= _CORES and memory >= _MEMORY_GIB:
        return ""
    return (
        f"needs {_CORES} cores and {_MEMORY_GIB:.0f} GiB of free memory, and this machine has {cores} and {memory:.1f};"
        " the rooms before it passed\n  → run it on a larger machine, or by its name if you have the time"
    )


def _run(rooms: list[str]) -> int:
    with ExitStack() as ends:
        begun, beside = time.monotonic(), dict[str, Callable[[], int]]()
        for room, lines in commands(rooms):
            # By its name it is tried anyhow.
            if not rooms and room.split()[0] in _ON_A_PLATFORM and (less := lack()):
                print(f"{room}: {less}", file=sys.stderr)
                return 1
            started = begun if room in beside else time.monotonic()
            for command in lines:
                print(f"$ {' '.join(command)}", flush=True)
                if _code(command, beside.get(room)) != 0:
                    print(f"{room}: {command[0]} failed", file=sys.stderr)
                    return 1
            print(f"{room}: passed in {time.monotonic() - started:.0f} s", flush=True)
            if not rooms and not beside:
                # After the first room, which says most of what is wrong in seconds.
                begun = time.monotonic()
                beside[_BESIDE] = ends.enter_context(_beside(dict(commands(rooms))[_BESIDE][0]))
    return 0


def _code(command: Sequence[str], finish: Callable[[], int] | None) -> int:
    if finish:
        return finish()
    # Each test has a deadline of its own.
    return subprocess.run([str(_BIN / command[0]), *command[1:]], cwd=ROOT, check=False, timeout=None).returncode
