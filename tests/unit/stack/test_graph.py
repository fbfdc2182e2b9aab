"""Order comes from dependencies alone. Properties that hold for every graph."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_platform.stack.errors import PlatformError
from data_platform.stack.graph import in_order, with_dependencies

NAMES = st.text(alphabet="abcdefgh", min_size=1, max_size=3)


@st.composite
def acyclic(draw: st.DrawFn) -> dict[str, list[str]]:
    """Each name depends only on names before it in a drawn order."""
    names = draw(st.lists(NAMES, min_size=1, max_size=12, unique=True))
    return {name: draw(st.lists(st.sampled_from(names[:i]), unique=True)) if i else [] for i, name in enumerate(names)}


@st.composite
def cyclic(draw: st.DrawFn) -> tuple[dict[str, list[str]], list[str]]:
    """A graph with one circle through the returned names."""
    edges = draw(acyclic())
    circle = draw(st.lists(st.sampled_from(sorted(edges)), min_size=1, max_size=4, unique=True))
    for name, needed in zip(circle, [*circle[1:], circle[0]], strict=True):
        edges[name] = [*edges[name], needed]
    return edges, circle


@given(acyclic())
def test_each_name_comes_once_and_after_all_it_depends_on(edges: dict[str, list[str]]) -> None:
    order = in_order(edges)
    assert sorted(order) == sorted(edges)
    place = {name: index for index, name in enumerate(order)}
    assert all(place[needed] < place[name] for name, needs in edges.items() for needed in needs)


@given(acyclic(), st.randoms())
def test_the_order_does_not_depend_on_the_order_of_the_files(edges: dict[str, list[str]], random: object) -> None:
    names = list(edges)
    random.shuffle(names)  # type: ignore[attr-defined]
    assert in_order({name: list(reversed(edges[name])) for name in names}) == in_order(edges)


@given(cyclic())
def test_a_circle_is_always_found_and_named(found: tuple[dict[str, list[str]], list[str]]) -> None:
    edges, circle = found
    with pytest.raises(PlatformError, match="in a circle") as caught:
        in_order(edges)
    named = caught.value.problem.rpartition(": ")[2].split(" → ")
    assert named[0] == named[-1]
    assert all(needed in edges[name] for name, needed in pairwise(named)), (named, circle)


@given(acyclic(), st.data())
def test_dependencies_are_closed_and_nothing_else_is_taken(edges: dict[str, list[str]], data: st.DataObject) -> None:
    asked = data.draw(st.lists(st.sampled_from(sorted(edges)), unique=True))
    found = with_dependencies(edges, asked)
    assert found >= set(asked)
    assert all(set(edges[name]) <= found for name in found)
    for name in found - set(asked):
        assert any(name in edges[other] for other in found), f"nobody asked for {name}"
