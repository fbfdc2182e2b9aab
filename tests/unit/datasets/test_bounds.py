"""How much one publication may change: what is compared, and who may say yes to more."""

from __future__ import annotations

from datetime import UTC, datetime
from statistics import fmean, pstdev
from typing import Any

import pytest

from data_platform.datasets.bounds import agreed, compare
from data_platform.datasets.decisions import AUDIT, Decision, Verdict
from data_platform.datasets.files import Manifest
from data_platform.stack.bound import Bound

ROWS = Bound("greatestChange", "marts.names", (), 20)
KEYS = Bound("keysGone", "marts.names", ("currency",), 0)
SHIFT = Bound("greatestShift", "marts.rates", ("rate",), 5)
AT = datetime(2026, 11, 2, tzinfo=UTC)
FILE, OTHER, CODE = "0f" * 32, "1f" * 32, "c0" * 8


class Trino:
    """Two catalogs, each with the rows of one table: names, or numbers with their quartiles."""

    def __init__(self, before: list[Any] | None, after: list[Any]) -> None:
        self.tables = {"lakehouse": before, "audit_names": after}

    def rows_if_there(self, sql: str) -> list[list[Any]]:
        return [] if self.tables["lakehouse"] is None else [[self.value(sql)]]

    def value(self, sql: str) -> Any:
        before, after = (self.tables[name] or [] for name in ("lakehouse", "audit_names"))
        if "except" in sql:
            assert sql.index("lakehouse.") < sql.index("except") < sql.index("audit_names.")
            return len(set(before) - set(after))
        there = before if "lakehouse." in sql else after
        return len(set(there)) if "distinct" in sql else len(there)

    def rows(self, sql: str) -> list[list[Any]]:
        if "stddev_pop" in sql:
            there = self.tables["lakehouse" if "lakehouse." in sql else "audit_names"]
            return [[fmean(there), pstdev(there)] if there else [None, None]]
        before, after = (set(self.tables[name] or []) for name in ("lakehouse", "audit_names"))
        assert "limit 5" in sql
        return [[name] for name in sorted(before - after)[:5]]


def said(bound: Bound, before: list[Any] | None, after: list[Any]) -> list[str]:
    return list(compare(Trino(before, after), [bound], "audit_names"))  # type: ignore[arg-type]


TEN = [f"A{number:02}" for number in range(10)]


@pytest.mark.parametrize(
    ("bound", "before", "after", "wanted"),
    [
        (ROWS, TEN, TEN[:8], []),
        (ROWS, TEN, TEN[:7], ["greatestChange of marts.names: at most 20 %: 10 rows become 7 (30.0 %)"]),
        (ROWS, TEN, [*TEN, *TEN], ["greatestChange of marts.names: at most 20 %: 10 rows become 20 (100.0 %)"]),
        # As many rows as before, and yet a currency is gone.
        (ROWS, TEN, [*TEN[1:], "NEW"], []),
        (
            KEYS,
            TEN,
            [*TEN[1:], "NEW"],
            ["keysGone of marts.names.currency: at most 0 %: 1 of 10 values of currency are gone (10.0 %): A00"],
        ),
        (KEYS, TEN, [*TEN, "NEW"], []),
        (KEYS._replace(percent=10), TEN, TEN[1:], []),
        (SHIFT, [1.0, 2.0, 3.0], [1.0, 2.05, 3.0], []),
        (
            SHIFT,
            [1.0, 2.0, 3.0],
            [10.0, 20.0, 30.0],
            [f"{SHIFT}: mean 2 becomes 20, standard deviation 0.816497 becomes 8.16497 (900.0 %)"],
        ),
        # Around nothing a mean says little: it is held against the deviation.
        (SHIFT, [-1.0, 1.0], [-0.98, 1.02], []),
        (SHIFT, [0.0, 0.0], [0.0, 0.0], []),
    ],
)
def test_a_load_that_changes_more_than_it_may_is_told_with_its_numbers(
    bound: Bound, before: list[Any], after: list[Any], wanted: list[str]
) -> None:
    assert said(bound, before, after) == wanted


def test_of_many_keys_that_are_gone_some_are_named() -> None:
    (text,) = said(KEYS, TEN, TEN[:2])
    assert text.endswith("8 of 10 values of currency are gone (80.0 %): A02, A03, A04, A05, A06, …")


def test_a_number_that_was_nothing_moves_by_any_amount() -> None:
    (text,) = said(SHIFT, [0.0, 0.0, 0.0], [0.1, 0.0, 0.0])
    assert text.endswith("(inf %)")


@pytest.mark.parametrize("bound", [ROWS, KEYS, SHIFT])
@pytest.mark.parametrize("before", [None, []])
def test_a_first_load_has_nothing_to_be_compared_with(bound: Bound, before: list[Any] | None) -> None:
    assert said(bound, before, [1.0, 2.0, 3.0]) == []


@pytest.mark.parametrize("bound", [ROWS, KEYS, SHIFT])
def test_a_load_that_leaves_nothing_breaks_every_bound(bound: Bound) -> None:
    assert len(said(bound, [1.0, 2.0, 3.0], [])) == 1


def manifest(*digests: str, **more: Any) -> Manifest:
    files = [
        {"object": f"names/{d}.csv", "sha256": d, "source_file": f"{d[:2]}.csv", "ingested_at": AT, "bytes": 1}
        for d in digests
    ]
    empty = {"dataset": "names", "run": "r", "days": {}, "code": CODE, "rebuild": False, "refused": ()}
    return Manifest.model_validate(empty | {"files": files, "new": digests} | more)


def decided(subject: str, verdict: Verdict = Verdict.ACCEPTED) -> dict[str, Decision]:
    by = AUDIT if verdict is Verdict.SET_ASIDE else "ann"
    made = Decision(subject=subject, name="a.csv", verdict=verdict, by=by, at=AT, why="it is so", rules=("a rule",))
    return {subject: made}


@pytest.mark.parametrize(
    ("run", "decisions", "yes"),
    [
        (manifest(FILE), {}, False),
        (manifest(FILE), decided(FILE), True),
        (manifest(FILE), decided(FILE, Verdict.SET_ASIDE), False),
        # What the other one changes nobody has seen.
        (manifest(FILE, OTHER), decided(FILE), False),
        (manifest(FILE, OTHER), decided(FILE) | decided(OTHER), True),
        (manifest(FILE, new=()), decided(FILE), False),
        (manifest(), {}, False),
        (manifest(FILE, new=(), taken_back=[OTHER]), decided(OTHER, Verdict.TAKEN_BACK), True),
        (manifest(FILE, new=(), rebuild=True), {}, False),
        (manifest(FILE, new=(), rebuild=True), decided(CODE), True),
        # Of code that was accepted once, when it is not what makes the tables anew.
        (manifest(FILE), decided(CODE), False),
        (manifest(FILE, rebuild=True), decided(FILE), False),
    ],
)
def test_who_says_yes_to_a_load_says_it_to_all_of_it(run: Manifest, decisions: Any, yes: bool) -> None:
    assert bool(agreed(run, decisions)) is yes


def test_a_yes_is_told_with_its_reason() -> None:
    assert agreed(manifest(FILE), decided(FILE)) == "accepted by ann: it is so"
