"""Parts of the deep run are of about the same length, and the same ones each time."""

from __future__ import annotations

import pytest

from bootstrap.proof.parts import BRING_UP, UNKNOWN, parts

LOCAL = {
    f"tests/e2e/test_{name}.py": seconds for name, seconds in zip("abcdef", (600, 500, 400, 300, 200, 100), strict=True)
}
CLUSTER = {"tests/cluster/test_x.py": 1000.0, "tests/cluster/test_y.py": 900.0}
ALL = {**LOCAL, **CLUSTER}


def test_every_module_is_in_one_part() -> None:
    found = parts(list(ALL), ALL, 3)
    assert sorted(name for part in found for name in part) == sorted(ALL)
    assert all(found)


def test_one_part_is_all() -> None:
    assert parts(list(ALL), ALL, 1) == [sorted(ALL)]


def test_the_order_of_asking_changes_nothing() -> None:
    assert parts(list(ALL), ALL, 3) == parts(list(reversed(ALL)), ALL, 3)


def test_parts_of_one_kind_differ_by_less_than_the_longest_module() -> None:
    lengths = [sum(LOCAL[name] for name in part) for part in parts(list(LOCAL), LOCAL, 2)]
    assert max(lengths) - min(lengths) <= 100


def test_a_cluster_is_not_brought_up_in_every_part() -> None:
    found = parts(list(ALL), ALL, 2)
    assert BRING_UP["kubernetes"] > 500
    assert [any(name in CLUSTER for name in part) for part in found].count(True) == 1


@pytest.mark.parametrize("count", [2, 3])
def test_a_module_that_was_never_run_is_taken_for_a_short_one(count: int) -> None:
    found = parts([*LOCAL, "tests/e2e/test_new.py"], LOCAL, count)
    assert sum("tests/e2e/test_new.py" in part for part in found) == 1
    assert 0 < UNKNOWN < max(LOCAL.values())
