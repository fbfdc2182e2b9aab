"""Names of scratch objects, and what counts as left over."""

from __future__ import annotations

import time

from data_platform.checks.scratch import LEFT_OVER_SECONDS, left_over, scratch_name

NOW = 1_800_000_000.0


def named(age: float) -> str:
    return f"check_{int(NOW - age)}_0123abcd"


def test_what_a_check_made_more_than_an_hour_ago_is_left_over() -> None:
    old, new = named(LEFT_OVER_SECONDS + 1), named(LEFT_OVER_SECONDS - 1)
    assert left_over([new, old], NOW) == [old]


def test_names_of_others_are_never_left_over() -> None:
    old = named(10 * LEFT_OVER_SECONDS)
    others = ["main", "check_2020", f"{old}_mine", f"my_{old}", old.upper(), "fx_rates"]
    assert left_over([*others, old], NOW) == [old]


def test_a_new_name_is_left_over_in_an_hour_and_not_before() -> None:
    name = scratch_name()
    assert left_over([name]) == []
    assert left_over([name], time.time() + LEFT_OVER_SECONDS + 2) == [name]


def test_two_names_made_at_once_differ() -> None:
    assert scratch_name() != scratch_name()
