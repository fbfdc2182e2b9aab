"""The record in `docs/status.md` is what `proof/` says, and says when it does not hold any more."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootstrap.proof import record
from bootstrap.proof.inputs import Graph, tracked
from bootstrap.proof.record import Outcome
from docs import generate, proof
from tests.unit.bootstrap.proof.conftest import checkout, graph

__all__ = ["checkout", "graph"]
ALL, READER = "tests/e2e/test_all.py", "tests/e2e/test_reader.py"


def rows(graph: Graph) -> dict[str, list[str]]:
    lines = proof.table(Graph(graph.root, tracked(graph.root))).splitlines()[2:]
    return {
        name.strip(): [cell.strip() for cell in cells] for _, name, *cells, _ in (line.split("|") for line in lines)
    }


def test_status_is_what_the_record_says() -> None:
    text = generate.STATUS.read_text(encoding="utf-8")
    assert proof.filled(text, generate.ROOT) == text, "run: python docs/generate.py"


def test_a_component_that_nobody_has_proven_is_named(graph: Graph) -> None:
    found = rows(graph)
    assert set(found) == set(graph.components)
    assert {cell for cells in found.values() for cell in cells} == {"never"}


def test_what_was_proven_is_shown_with_its_counts(graph: Graph) -> None:
    record.write(graph, {ALL: Outcome(4.4, 5, 0, 1), READER: Outcome(2.0, 1, 1)})
    found = rows(graph)
    assert found["portal"][0].endswith(": 5 passed, 1 skipped in 4 s")
    assert found["reader"][0].endswith(": 6 passed, 1 **failed**, 1 skipped in 6 s")
    assert found["portal"][1:] == ["never", "never"]


def test_what_has_changed_since_is_stale(graph: Graph) -> None:
    record.write(graph, {ALL: Outcome(4.0, 5), READER: Outcome(2.0, 1)})
    with (graph.root / "stack/components/core/portal/local.yaml").open("a", encoding="utf-8") as stream:
        stream.write("# changed\n")
    assert "stale" in rows(graph)["portal"][0]


def test_a_module_that_was_not_run_is_counted(graph: Graph) -> None:
    record.write(graph, {READER: Outcome(2.0, 1)})
    assert "1 of its modules not run" in rows(graph)["reader"][0]


def test_a_text_without_the_part_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="put both lines back"):
        proof.filled("# Status\n", tmp_path)
