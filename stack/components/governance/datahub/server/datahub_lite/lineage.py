"""The lineage around one entity, in columns from left (upstream) to right (downstream)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

#: Edges that the picture goes in each direction.
DEPTH = 4
#: Entities that one column shows.
WIDTH = 12


class Column(NamedTuple):
    """Entities at one distance."""

    urns: list[str]
    #: How many more there are.
    more: int


def columns(urn: str, neighbours: Callable[[str, bool], Sequence[str]]) -> tuple[list[Column], list[Column]]:
    """Columns to the left (farthest first) and to the right (nearest first) of an entity.

    Args:
        urn: the entity in the middle.
        neighbours: entities one edge away, given a URN and whether to look downstream.
    """
    return _walk(urn, neighbours, False)[::-1], _walk(urn, neighbours, True)


def _walk(urn: str, neighbours: Callable[[str, bool], Sequence[str]], downstream: bool) -> list[Column]:
    # Lineage may have cycles (a job that updates its own input): each entity is shown once.
    seen, border, found = {urn}, [urn], []
    for _ in range(DEPTH):
        border = [n for n in dict.fromkeys(n for u in border for n in neighbours(u, downstream)) if n not in seen]
        if not border:
            break
        seen.update(border)
        found.append(Column(border[:WIDTH], max(0, len(border) - WIDTH)))
    return found
