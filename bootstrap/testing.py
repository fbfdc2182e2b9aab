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

from bootstrap.arguments import ROOT, TEST_ROOMS

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
#: Without being asked for by name, the room `cluster` runs what needs an API server alone: the whole of it takes longer
#: than all other rooms together.
_CLUSTER, _API_LEVEL = "cluster", ["-m", "api_level"]


def commands(rooms: list[str]) -> list[tuple[str, list[list[str]]]]:
    """What to run for some rooms, in order: the quick rooms first, the running platform last and once."""
    chosen = [room for room in TEST_ROOMS if room in (rooms or TEST_ROOMS)]
    found = []
    for room in (room for room in chosen if room not in _ON_A_PLATFORM):
        only = _API_LEVEL if room == _CLUSTER and not rooms else []
        found.append((room, _LINT if room == "lint" else [["pytest", f"tests/{room}", *only]]))
    if together := [room for room in chosen if room in _ON_A_PLATFORM]:
        found.append((" and ".join(together), [["pytest", *(f"tests/{room}" for room in together)]]))
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
    """Run the rooms; the first one that fails ends it."""
    with _building_ahead(arguments.rooms):
        return _run(arguments.rooms)


def _run(rooms: list[str]) -> int:
    for room, lines in commands(rooms):
        started = time.monotonic()
        for command in lines:
            print(f"$ {' '.join(command)}", flush=True)
            done = subprocess.run([str(_BIN / command[0]), *command[1:]], cwd=ROOT, check=False)
            if done.returncode != 0:
                print(f"{room}: {command[0]} failed", file=sys.stderr)
                return 1
        print(f"{room}: passed in {time.monotonic() - started:.0f} s", flush=True)
    return 0
