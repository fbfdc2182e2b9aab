"""Which results are kept. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

#: Runs of each suite that are kept.
KEPT = 10


def superseded(names: Iterable[str], kept: int = KEPT) -> list[str]:
    """Results that are too old to be kept.

    Args:
        names: paths of results; the third folder is the run's name, `<suite>-<time>`.
        kept: how many runs of each suite stay.
    """
    runs: dict[str, set[str]] = defaultdict(set)
    paths: dict[str, list[str]] = defaultdict(list)
    for name in names:
        run = name.split("/")[2]
        runs[run.rpartition("-")[0]].add(run)
        paths[run].append(name)
    old = [run for each in runs.values() for run in sorted(each, reverse=True)[kept:]]
    return sorted(name for run in old for name in paths[run])
