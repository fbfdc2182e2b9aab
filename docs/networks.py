"""The page of what faults of the network do to the platform, from the record of the drill (`proof/networks.json`)."""

from __future__ import annotations

from pathlib import Path

from bootstrap.proof import verdicts
from bootstrap.proof.inputs import Graph, tracked
from bootstrap.proof.verdicts import Case
from docs.markdown import NOTE, as_table, joined
from tests.edges import EDGES, Edge
from tests.toxics import FAULTS, Fault

_NEVER, _STALE = "never", " (stale)"


def page(root: Path) -> str:
    """Content of the page.

    Args:
        root: the checkout whose record is shown.
    """
    graph, kept = Graph(root, tracked(root)), verdicts.read(root)
    lines = [
        "# Faults of the network",
        "",
        NOTE,
        "What becomes of an operation when the network between two components is ill, on `local`. Written down by a",
        "deep run of `tests/drills/test_toxic_networks.py`. How it is done, and which deadlines clients have:",
        "[toxic-networks.md](../decisions/toxic-networks.md).",
        "",
        "- **Resilient**: done, with the right answer, within the usual time.",
        "- **Degraded**: it took longer, or ended within its deadline with an error that names the cause. What it left",
        "  is the old state or the new one, and when the network was well it was done again without anybody's help.",
        "- **Failed**: anything else. It makes the drill fail.",
        "- *never*: it was not run. *(stale)*: something on which the drill depends has changed since.",
        "",
    ]
    changed = verdicts.stale(graph, kept)

    def cell(edge: Edge, fault: Fault) -> str:
        if (found := kept.get(case := Case(edge.name, fault.name))) is None:
            return _NEVER
        return f"{found.verdict}{_STALE if case in changed else ''}"

    rows = [(_way(edge), *(cell(edge, fault) for fault in FAULTS)) for edge in EDGES]
    lines += as_table(("from → to", *(fault.name for fault in FAULTS)), rows)
    lines += ["## Faults", "", *as_table(("fault", "what it is"), [(fault.name, fault.means) for fault in FAULTS])]
    operations = [
        (_way(edge), edge.does, f"{edge.usual:.0f}", f"{edge.deadline:.0f}", f"{edge.back:.0f}") for edge in EDGES
    ]
    head = ("from → to", "operation", "usual", "deadline", "done again within")
    lines += ["## Operations", "", "In seconds.", "", *as_table(head, operations)]
    lines += ["## What was seen", ""]
    seen = [kept[case] for edge in EDGES for fault in FAULTS if (case := Case(edge.name, fault.name)) in kept]
    lines += [f"- {one.way}, {one.fault}: {one.verdict}, {one.when}, {one.commit}: {one.why}" for one in seen] or [
        _NEVER
    ]
    return joined(lines)


def _way(edge: Edge) -> str:
    return f"{edge.caller} → {edge.server}"
