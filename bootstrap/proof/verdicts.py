"""What drills found in single cases: how well an operation came through a fault of the network, in `proof/`.

A drill tells its verdict to pytest's report (`record_property`), whether its test passes or not; a deep run writes it
down.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

from bootstrap.proof.inputs import Graph, digest
from bootstrap.proof.record import FOLDER, commit_of, module_of

#: Name of the property of a test that tells one: JSON with `way`, `fault`, `verdict` and `why`.
PROPERTY = "verdict of a fault"
FILE = "networks.json"


class Case(NamedTuple):
    """A fault on a way from one component to another."""

    way: str
    fault: str


@dataclass(frozen=True)
class Verdict:
    """What was found of one case.

    Attributes:
        way: from one component to another.
        fault: that was on it.
        verdict: a word.
        why: what was seen, in a sentence.
        module: of the test.
        commit: on which it was run; with `+` where the checkout had changes.
        when: the day, UTC.
        inputs: digest of all files on which the module depends.
    """

    way: str
    fault: str
    verdict: str
    why: str
    module: str
    commit: str
    when: str
    inputs: str

    @property
    def case(self) -> Case:
        """Of what it is."""
        return Case(self.way, self.fault)


def stale(graph: Graph, kept: Mapping[Case, Verdict]) -> set[Case]:
    """Cases of which something has changed since, on which their verdicts depend."""
    modules = {one.module for one in kept.values()}.intersection(graph.files)
    now = {module: _inputs_of(graph, module) for module in modules}
    return {case for case, one in kept.items() if now.get(one.module) != one.inputs}


def write(graph: Graph, report: Path) -> Path | None:
    """Write down what a run of tests has found; what it has not run stays as it was.

    Args:
        graph: of the checkout.
        report: of pytest (`--junit-xml`).

    Returns:
        The file; None where nothing was found, which leaves it as it is.
    """
    commit, when = commit_of(graph.root), datetime.now(UTC).date().isoformat()
    inputs: dict[str, str] = {}
    found: dict[Case, Verdict] = {}
    for case in ET.parse(report).getroot().iter("testcase"):  # noqa: S314 - pytest wrote it
        for told in case.iter("property"):
            if told.attrib["name"] == PROPERTY:
                module = module_of(case.attrib["classname"])
                inputs.setdefault(module, _inputs_of(graph, module))
                said = json.loads(told.attrib["value"])
                verdict = Verdict(**said, module=module, commit=commit, when=when, inputs=inputs[module])
                found[verdict.case] = verdict
    if not found:
        return None
    kept = read(graph.root) | found
    path = graph.root / FOLDER / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(kept[case]) for case in sorted(kept)], indent=2) + "\n", encoding="utf-8")
    return path


def read(root: Path) -> dict[Case, Verdict]:
    """All verdicts of a checkout."""
    path = root / FOLDER / FILE
    if not path.exists():
        return {}
    found = [Verdict(**said) for said in json.loads(path.read_text(encoding="utf-8"))]
    return {one.case: one for one in found}


def _inputs_of(graph: Graph, module: str) -> str:
    return digest(graph.root, graph.inputs(module))
