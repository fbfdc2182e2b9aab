"""The picture of the lineage: columns by distance, cycles and crowds included."""

from __future__ import annotations

from datahub_lite.lineage import DEPTH, WIDTH, Column, columns, is_order


def test_each_entity_is_shown_once_and_behind_all_that_leads_to_it() -> None:
    edges = {("a", "b"), ("b", "t"), ("a", "t"), ("t", "u"), ("u", "t"), ("u", "v")}

    def neighbours(urn: str, downstream: bool) -> list[str]:
        return sorted(d if downstream else u for u, d in edges if (u if downstream else d) == urn)

    left, right = columns("t", neighbours)
    assert left == [Column(["a"], 0), Column(["b", "u"], 0)]
    assert right == [Column(["u"], 0), Column(["v"], 0)]


def test_crowds_are_counted_and_the_picture_ends() -> None:
    left, right = columns("0", lambda urn, downstream: [f"{urn}.{n}" for n in range(WIDTH + 3)] if downstream else [])
    assert left == []
    assert len(right) == DEPTH
    assert len(right[0].urns) == WIDTH
    assert right[0].more == 3


def test_the_order_of_tasks_is_no_lineage() -> None:
    task, other = (
        f"urn:li:dataJob:(urn:li:dataFlow:(airflow,pipelines_x,PROD),{name})" for name in ("load", "publish")
    )
    processor = "urn:li:dataJob:(urn:li:dataFlow:(nifi,1,PROD),2)"
    assert is_order(task, other)
    assert not is_order(processor, processor)
    assert not is_order(task, "urn:li:dataset:(urn:li:dataPlatform:s3,raw/x,PROD)")
    assert columns(other, lambda urn, downstream: [task] if not downstream and urn == other else []) == ([], [])
