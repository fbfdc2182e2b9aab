"""The lineage around one entity, in columns from left (upstream) to right (downstream)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

#: Edges that the picture goes in each direction: from a landed file to a mart there are ten, jobs and models included.
DEPTH = 12
_TASK = "urn:li:dataJob:(urn:li:dataFlow:(airflow,"
#: Entities that one column shows, and that are followed from each step to the next.
WIDTH = 12


class Column(NamedTuple):
    """Entities at one distance."""

    urns: list[str]
    #: How many more there are.
    more: int


def is_order(one: str, other: str) -> bool:
    """Whether an edge says only that one Airflow task runs after another: no data goes along it."""
    return one.startswith(_TASK) and other.startswith(_TASK)


def columns(urn: str, neighbours: Callable[[str, bool], Sequence[str]]) -> tuple[list[Column], list[Column]]:
    """Columns to the left (farthest first) and to the right (nearest first) of an entity.

    Args:
        urn: the entity in the middle.
        neighbours: entities one edge away, given a URN and whether to look downstream.
    """
    return _walk(urn, neighbours, False)[::-1], _walk(urn, neighbours, True)


def _walk(urn: str, neighbours: Callable[[str, bool], Sequence[str]], downstream: bool) -> list[Column]:
    near: dict[str, list[str]] = {}
    border = [urn]
    for _ in range(DEPTH):
        border = border[:WIDTH]
        near |= {one: [n for n in neighbours(one, downstream) if not is_order(one, n)] for one in border}
        border = [n for n in dict.fromkeys(n for one in border for n in near[one]) if n not in near]
    # Each entity stands behind everything that leads to it. Steps back (a job that updates its own input) do not count.
    order = _order(urn, near)
    place = {one: number for number, one in enumerate(order)}
    distance = dict.fromkeys(order, 0)
    for one in order:
        for n in near.get(one, ()):
            if place[n] > place[one]:
                distance[n] = max(distance[n], distance[one] + 1)
    found: dict[int, list[str]] = {}
    for one in sorted(order[1:]):
        found.setdefault(distance[one], []).append(one)
    return [Column(c[:WIDTH], max(0, len(c) - WIDTH)) for _, c in sorted(found.items())]


def _order(start: str, near: Mapping[str, Sequence[str]]) -> list[str]:
    """Everything that is reached, each before what it leads to; where there is a cycle, as first met."""
    done: dict[str, None] = {}
    open_: list[tuple[str, Iterator[str]]] = [(start, iter(near.get(start, ())))]
    entered = {start}
    while open_:
        one, rest = open_[-1]
        following = next((n for n in rest if n not in entered), None)
        if following is None:
            done[one] = None
            open_.pop()
        else:
            entered.add(following)
            open_.append((following, iter(near.get(following, ()))))
    return list(done)[::-1]
