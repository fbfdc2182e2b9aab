"""The page of faults of the network shows each verdict of the record, and what was never run."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from bootstrap.proof import verdicts
from bootstrap.proof.verdicts import Verdict
from docs import networks
from tests.edges import EDGES
from tests.toxics import FAULTS
from tests.unit.bootstrap.proof.conftest import checkout, graph

__all__ = ["checkout", "graph"]
EDGE, FAULT = EDGES[0], FAULTS[2]


@pytest.fixture
def kept(checkout: Path) -> Verdict:
    """The one verdict of a checkout; the module of its drill is not in there."""
    why = "it said after 5 s: no answer"
    made = Verdict(
        EDGE.name, FAULT.name, "Degraded", why, "tests/drills/test_gone.py", "0123456789ab", "2026-11-29", "x"
    )
    path = checkout / "proof" / verdicts.FILE
    path.parent.mkdir()
    path.write_text(json.dumps([asdict(made)]), encoding="utf-8")
    return made


def table(text: str) -> dict[str, list[str]]:
    """Cells of the first table, by the first of each row."""
    lines = [line for line in text.partition("\n## ")[0].splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: row[1:] for row in (rows[0], *rows[2:])}


def test_what_was_never_run_says_so(checkout: Path) -> None:
    found = table(networks.page(checkout))
    assert found.pop("from → to") == [fault.name for fault in FAULTS]
    assert found.keys() == {f"{edge.caller} → {edge.server}" for edge in EDGES}
    assert {cell for cells in found.values() for cell in cells} == {"never"}


def test_a_verdict_is_in_its_cell_and_told_below(checkout: Path, kept: Verdict) -> None:
    text = networks.page(checkout)
    cells = table(text)[f"{EDGE.caller} → {EDGE.server}"]
    assert cells == ["Degraded (stale)" if fault == FAULT else "never" for fault in FAULTS]
    assert f"- {EDGE.name}, {FAULT.name}: Degraded, 2026-11-29, 0123456789ab: {kept.why}" in text


def test_each_fault_and_each_operation_is_explained(checkout: Path) -> None:
    text = networks.page(checkout)
    assert [fault.name for fault in FAULTS if f"| {fault.name} | {fault.means} |" not in text] == []
    assert [edge.name for edge in EDGES if f"| {edge.does} |" not in text] == []
