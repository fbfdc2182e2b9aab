"""`test deep`: everything that needs a running platform or cluster, whole or in parts, and the record of it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from bootstrap.proof import record, verdicts
from bootstrap.proof.inputs import PLATFORM_ROOMS, Graph, tracked
from bootstrap.proof.parts import parts
from data_platform.stack.errors import PlatformError

#: pytest's exit codes of a run that came to its end: all passed, some failed.
_RAN_ALL = (0, 1)


class Part(NamedTuple):
    """One of several parts, from 1."""

    number: int
    of: int


class Wanted(NamedTuple):
    """What of the deep run is to be run.

    Attributes:
        part: one of its parts; None for all.
        room: only its tests; empty for all rooms.
        words: as pytest's `-k`; empty for all tests.
        since: a commit; only what a change since then can have broken. Empty for all.
    """

    part: Part | None = None
    room: str = ""
    words: str = ""
    since: str = ""


def run(root: Path, wanted: Wanted) -> int:
    """Run it, and write the record. What fails does not keep the rest from being run.

    Raises:
        PlatformError: there is no such commit.
    """
    graph = Graph(root, tracked(root))
    modules = chosen(graph, wanted)
    if not modules:
        print("nothing of the deep run is to be run")
        return 0
    failed = False
    for target in dict.fromkeys(PLATFORM_ROOMS.values()):
        of_it = [name for name in modules if PLATFORM_ROOMS[PurePosixPath(name).parts[1]] == target]
        if of_it:
            failed |= not _run(graph, of_it, wanted.words)
    return int(failed)


def chosen(graph: Graph, wanted: Wanted) -> list[str]:
    """Modules of tests that are to be run, sorted."""
    rooms = [wanted.room] if wanted.room else list(PLATFORM_ROOMS)
    found = sorted(name for room in rooms for name in record.tests_of(graph, room))
    if wanted.part:
        # Of all, so that a part is the same whatever else is asked for.
        found = parts(found, record.seconds(record.read(graph.root)), wanted.part.of)[wanted.part.number - 1]
    if wanted.since:
        changed = changes(graph.root, wanted.since)
        found = [name for name in found if graph.touched(name, changed)]
    return found


def changes(root: Path, commit: str) -> set[str]:
    """Files that differ from those of a commit, removed ones too.

    Raises:
        PlatformError: there is no such commit.
    """
    words = ["git", "diff", "--name-only", "-z", "--no-renames", commit, "--"]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != 0:
        raise PlatformError(f"--since {commit}: {done.stderr.strip()}", "name a commit, branch or tag of this checkout")
    return {name for name in done.stdout.split("\0") if name}


def _run(graph: Graph, modules: Sequence[str], words: str) -> bool:
    with tempfile.TemporaryDirectory(prefix="data-platform-proof-") as scratch:
        report = Path(scratch) / "report.xml"
        command = [str(Path(sys.prefix) / "bin" / "pytest"), *modules, f"--junit-xml={report}"]
        command += ["-k", words] if words else []
        print(f"$ {' '.join(command)}", flush=True)
        started = time.monotonic()
        # Each test has a deadline of its own.
        done = subprocess.run(command, cwd=graph.root, check=False, timeout=None)
        if report.exists():
            # A run that was interrupted, or could not collect, has left tests out.
            whole = not words and done.returncode in _RAN_ALL
            written = record.write(graph, record.outcomes(report), complete=whole)
            # Each stands for itself, whatever else was left out.
            verdicts.write(graph, report)
            print(f"{len(modules)} modules in {time.monotonic() - started:.0f} s; {len(written)} records written")
    return done.returncode == 0
