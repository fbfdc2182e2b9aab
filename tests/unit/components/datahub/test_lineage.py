"""The picture of the lineage: columns by distance, cycles and crowds included."""

from __future__ import annotations

from datahub_lite.lineage import DEPTH, WIDTH, Column, columns


def test_columns_are_by_distance_and_each_entity_is_shown_once() -> None:
    edges = {("a", "b"), ("b", "t"), ("a", "t"), ("t", "u"), ("u", "t"), ("u", "v")}

    def neighbours(urn: str, downstream: bool) -> list[str]:
        return sorted(d if downstream else u for u, d in edges if (u if downstream else d) == urn)

    left, right = columns("t", neighbours)
    assert left == [Column(["a", "b", "u"], 0)]
    assert right == [Column(["u"], 0), Column(["v"], 0)]


def test_crowds_are_counted_and_the_picture_ends() -> None:
    left, right = columns("0", lambda urn, downstream: [f"{urn}.{n}" for n in range(WIDTH + 3)] if downstream else [])
    assert left == []
    assert len(right) == DEPTH
    assert len(right[0].urns) == WIDTH
    assert right[0].more == 3
