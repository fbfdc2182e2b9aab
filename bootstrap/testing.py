"""`test`: the rooms of tests, each with the tool that runs it."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
def _building_ahead(rooms: list[str]) -> Iterator[None]:
    """While it lasts, what later rooms need is built, with what the rooms before leave of the processor."""
    command = ["nice", "-n", "10", sys.executable, "-m", "bootstrap.ahead", *(rooms or TEST_ROOMS)]
    # A group of its own, so that compilers end with it, and not a session: priorities count within a session alone.
    builder = subprocess.Popen(  # noqa: TID251 - it works beside what this one runs
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,
    )
    try:
        yield
    finally:
        if builder.poll() is None:
            os.killpg(builder.pid, signal.SIGTERM)
        builder.wait()


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
    for room, lines in commands(rooms):
        # By its name it is tried anyhow.
        if not rooms and room.split()[0] in _ON_A_PLATFORM and (less := lack()):
            print(f"{room}: {less}", file=sys.stderr)
            return 1
        started = time.monotonic()
        for command in lines:
            print(f"$ {' '.join(command)}", flush=True)
            done = subprocess.run([str(_BIN / command[0]), *command[1:]], cwd=ROOT, check=False)
            if done.returncode != 0:
                print(f"{room}: {command[0]} failed", file=sys.stderr)
                return 1
        print(f"{room}: passed in {time.monotonic() - started:.0f} s", flush=True)
    return 0
