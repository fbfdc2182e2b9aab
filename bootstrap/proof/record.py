"""The record: one small file for each room and component, written by a deep run, kept in git.

It says what was proven on which commit and how long it took; whether that still holds is told by the digest of what it
depended on.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree as ET

import psutil

from bootstrap.proof.inputs import Graph, digest

FOLDER = "proof"
PASSED, FAILED = "passed", "failed"


@dataclass
class Outcome:
    """What became of the tests of one module.

    Attributes:
        seconds: that they took, with what was made for them.
        passed: how many passed.
        failed: how many failed, or could not begin.
        skipped: how many were skipped.
    """

    seconds: float = 0.0
    passed: int = 0
    failed: int = 0
    skipped: int = 0


@dataclass(frozen=True)
class Record:
    """What is known of the tests of a room about a component.

    Attributes:
        room: of the tests.
        component: that they are about.
        commit: on which they were run; with `+` where the checkout had changes.
        when: the day, UTC.
        inputs: digest of all files on which they depend.
        machine: on which they were run.
        modules: outcome of each module.
    """

    room: str
    component: str
    commit: str
    when: str
    inputs: str
    machine: str
    modules: dict[str, Outcome] = field(default_factory=dict)

    @property
    def outcome(self) -> str:
        """Passed or failed."""
        return FAILED if any(each.failed for each in self.modules.values()) else PASSED

    @property
    def totals(self) -> Outcome:
        """Of all modules."""
        each = self.modules.values()
        return Outcome(
            sum(one.seconds for one in each),
            sum(one.passed for one in each),
            sum(one.failed for one in each),
            sum(one.skipped for one in each),
        )


def outcomes(report: Path) -> dict[str, Outcome]:
    """Outcome of each module in a report of pytest (`--junit-xml`).

    A test that a module has taken from another one was run by the first, with its fixtures: it counts there. That is
    what the report's `classname` says; its `file`, where there is one, says where a test is written.
    """
    found: dict[str, Outcome] = {}
    for case in ET.parse(report).getroot().iter("testcase"):  # noqa: S314 - pytest wrote it
        # A module that could not be imported has a name alone.
        outcome = found.setdefault(module_of(case.attrib["classname"] or case.attrib["name"]), Outcome())
        outcome.seconds += float(case.attrib["time"])
        said = {child.tag for child in case}
        if said & {"failure", "error"}:
            outcome.failed += 1
        elif "skipped" in said:
            outcome.skipped += 1
        else:
            outcome.passed += 1
    return found


def module_of(dotted: str) -> str:
    """Path of the module of a test, which pytest's reports name with points."""
    parts = dotted.split(".")
    # Classes of tests come after the module.
    length = next(number for number, part in enumerate(parts, 1) if part.startswith("test_"))
    return "/".join(parts[:length]) + ".py"


def write(graph: Graph, found: Mapping[str, Outcome], complete: bool = True) -> list[Path]:
    """Write the records of what a deep run has run; those of modules that it did not run stay in them.

    Args:
        graph: of the checkout.
        found: outcome of each module that was run.
        complete: whether all tests of each module were run; what was chosen by `-k` proves nothing of the others.
    """
    if not complete:
        return []
    written, commit, when = [], commit_of(graph.root), datetime.now(UTC).date().isoformat()
    kept = {(one.room, one.component): one for one in read(graph.root)}
    for room, component in sorted({pair for module in found for pair in _about(graph, module)}):
        there = modules(graph, room, component)
        before = kept.get((room, component))
        ran = {name: found[name] for name in there if name in found}
        # What was not run again counts as long as nothing has changed.
        inputs = inputs_of(graph, room, component)
        if before is not None and before.inputs == inputs:
            ran = {**{name: one for name, one in before.modules.items() if name in there}, **ran}
        record = Record(room, component, commit, when, inputs, machine(), dict(sorted(ran.items())))
        path = graph.root / FOLDER / room / f"{component}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(record), indent=2) + "\n", encoding="utf-8")
        written.append(path)
    return written


def read(root: Path) -> list[Record]:
    """All records of a checkout."""
    found = []
    for path in sorted((root / FOLDER).glob("*/*.json")):
        said = json.loads(path.read_text(encoding="utf-8"))
        said["modules"] = {name: Outcome(**one) for name, one in said["modules"].items()}
        found.append(Record(**said))
    return found


def modules(graph: Graph, room: str, component: str) -> list[str]:
    """Modules of a room that are about a component."""
    return [name for name in tests_of(graph, room) if component in graph.concerned(name)]


def tests_of(graph: Graph, room: str) -> list[str]:
    """Modules of tests of a room."""
    return [
        name for name in graph.files if name.startswith(f"tests/{room}/") and PurePosixPath(name).match("test_*.py")
    ]


def inputs_of(graph: Graph, room: str, component: str) -> str:
    """Digest of all on which the tests of a room about a component depend."""
    return digest(graph.root, {file for module in modules(graph, room, component) for file in graph.inputs(module)})


def seconds(records: Iterable[Record]) -> dict[str, float]:
    """How long each module took when it was run last."""
    found: dict[str, float] = {}
    for record in sorted(records, key=lambda one: one.when):
        found |= {name: one.seconds for name, one in record.modules.items()}
    return found


def machine() -> str:
    """Processor and memory of this machine, in words."""
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores, {round(psutil.virtual_memory().total / 2**30)} GiB, {platform.machine()}"


def _about(graph: Graph, module: str) -> list[tuple[str, str]]:
    room = PurePosixPath(module).parts[1]
    return [(room, component) for component in graph.concerned(module)]


def commit_of(root: Path) -> str:
    """The checkout's commit; with `+` where it has changes beside the record."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True, timeout=60)
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", f":!{FOLDER}")
    return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
