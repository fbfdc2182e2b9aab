"""`test`: the rooms of tests, each with the tool that runs it."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from bootstrap.arguments import ROOT, TEST_ROOMS

_BIN = Path(sys.prefix) / "bin"
_PACKAGES = ["bootstrap", "plugins", "dags", "tests", "stack"]
_LINT = [
    ["ruff", "check", "."],
    ["ruff", "format", "--check", "."],
    ["mypy"],
    ["lint-imports"],
    ["yamllint", "--strict", "."],
]


def test(arguments: argparse.Namespace) -> int:
    """Run the rooms in their order, the quick ones first; the first room that fails ends it."""
    for room in arguments.rooms or TEST_ROOMS:
        started = time.monotonic()
        commands = _LINT if room == "lint" else [["pytest", f"tests/{room}"]]
        for command in commands:
            print(f"$ {' '.join(command)}", flush=True)
            done = subprocess.run([str(_BIN / command[0]), *command[1:]], cwd=ROOT, check=False)
            if done.returncode != 0:
                print(f"{room}: {command[0]} failed", file=sys.stderr)
                return 1
        print(f"{room}: passed in {time.monotonic() - started:.0f} s", flush=True)
    return 0
