"""The order of components, from what must be verified before what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from data_platform.stack.errors import PlatformError

Edges = Mapping[str, Iterable[str]]


def in_order(edges: Edges) -> list[str]:
    """Names so that each comes after all it depends on; equal ones by name.

    Raises:
        PlatformError: the graph has a cycle; the message names it.
    """
    sorter = TopologicalSorter({name: sorted(edges[name]) for name in sorted(edges)})
    try:
        sorter.prepare()
    except CycleError as error:
        raise PlatformError(
            f"components depend on each other in a circle: {' → '.join(reversed(error.args[1]))}",
            "take one of these names out of an `after`, or one of the claims",
        ) from None
    order: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        order += ready
        sorter.done(*ready)
    return order


def with_dependencies(edges: Edges, names: Iterable[str]) -> set[str]:
    """The names and everything that they need, directly or not."""
    found: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += edges[name]
    return found
