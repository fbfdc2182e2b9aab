"""Bounds of change: what one publication may change of what readers have, as the dataset's contract says.

The branch is compared with main, by Trino, before it is published. See docs/decisions/loads.md.
"""

# ruff: noqa: S608 - names of tables and columns are those of a checked contract

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from data_platform.clients import connect
from data_platform.datasets.audit import branch_of
from data_platform.datasets.decisions import Decision, Verdict
from data_platform.stack.datasets import contract
from data_platform.stack.lake import CATALOG

if TYPE_CHECKING:
    from data_platform.clients.trino import Trino
    from data_platform.datasets.files import Manifest
    from data_platform.stack.bound import Bound
    from data_platform.targets.base import Target

#: Keys that a report names.
_SHOWN = 5


def broken_bounds(target: Target, dataset: str, seconds: float) -> list[str]:
    """Bounds of the contract that publishing the branch would break, each with its numbers.

    Args:
        target: where.
        dataset: its name.
        seconds: deadline of one statement.

    Raises:
        PlatformError: the contract is wrong.
        trino.exceptions.TrinoQueryError: Trino refuses.
    """
    bounds = contract(target.stack.root, dataset).promise.bounds
    with connect.trino(target, seconds) as trino:
        return list(compare(trino, bounds, branch_of(dataset)))


def compare(trino: Trino, bounds: Iterable[Bound], catalog: str) -> Iterator[str]:
    """Hold a catalog against what readers have; a table that they do not have yet, or that is empty, bounds nothing.

    Args:
        trino: a session.
        bounds: which.
        catalog: of the branch.
    """
    judges = {"greatestChange": _rows, "keysGone": _keys, "greatestShift": _distribution}
    for bound in bounds:
        before, after = f"{CATALOG}.{bound.table}", f"{catalog}.{bound.table}"
        rows = trino.rows_if_there(f"select count(*) from {before}")
        if rows and rows[0][0] and (said := judges[bound.property](trino, bound, before, after)):
            yield f"{bound}: {said}"


def _rows(trino: Trino, bound: Bound, before: str, after: str) -> str:
    there, wanted = (int(trino.value(f"select count(*) from {table}")) for table in (before, after))
    change = abs(wanted - there) / there * 100
    return f"{there:,} rows become {wanted:,} ({change:.1f} %)" if change > bound.percent else ""


def _keys(trino: Trino, bound: Bound, before: str, after: str) -> str:
    columns = ", ".join(bound.columns)
    lost = f"select {columns} from {before} except select {columns} from {after}"
    there = int(trino.value(f"select count(*) from (select distinct {columns} from {before})"))
    gone = int(trino.value(f"select count(*) from ({lost})"))
    if gone / there * 100 <= bound.percent:
        return ""
    named = trino.rows(f"select * from ({lost}) order by {columns} limit {_SHOWN}")
    keys = ", ".join(" ".join(map(str, row)) for row in named)
    more = ", …" if gone > len(named) else ""
    return f"{gone:,} of {there:,} values of {columns} are gone ({gone / there * 100:.1f} %): {keys}{more}"


def _distribution(trino: Trino, bound: Bound, before: str, after: str) -> str:
    # Not quartiles: Trino estimates them, and where values lie in clusters the estimate of the same rows may jump.
    (column,) = bound.columns
    asked = f"select avg(cast({column} as double)), stddev_pop(cast({column} as double)) from"
    (there,), (wanted,) = (trino.rows(f"{asked} {table}") for table in (before, after))
    if there[0] is None:
        return ""
    if wanted[0] is None:
        return "no value is left"
    (mean, deviation), (new_mean, new_deviation) = there, wanted
    moved = max(_percent(new_mean - mean, max(abs(mean), deviation)), _percent(new_deviation - deviation, deviation))
    told = f"mean {mean:.6g} becomes {new_mean:.6g}, standard deviation {deviation:.6g} becomes {new_deviation:.6g}"
    return f"{told} ({moved:.1f} %)" if moved > bound.percent else ""


def _percent(change: float, of: float) -> float:
    if not change:
        return 0.0
    return abs(change) / of * 100 if of else math.inf


def agreed(manifest: Manifest, decisions: Mapping[str, Decision]) -> str:
    """Who has said yes to whatever a run changes; empty where nobody has.

    Args:
        manifest: of the run.
        decisions: the newest about each subject.
    """
    if manifest.taken_back:
        return "; ".join(decisions[s].reason for s in manifest.taken_back if s in decisions) or "files were taken back"
    asked = {file.sha256 for file in manifest.candidates} | ({manifest.code} if manifest.rebuild else set())
    said = [decisions[s] for s in asked if s in decisions and decisions[s].verdict is Verdict.ACCEPTED]
    # With code that was accepted all is made anew; without, each new file must have been.
    whole = len(said) == len(asked) or any(decision.subject == manifest.code for decision in said)
    return "; ".join(sorted(decision.reason for decision in said)) if said and whole else ""
