"""The deep run in parts of about the same length: the same ones, as long as the recorded times are the same."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from bootstrap.proof.inputs import PLATFORM_ROOMS

#: Seconds of a module that was never recorded.
UNKNOWN = 120.0
#: Seconds until the first test of a part can begin: what it needs is brought up, in each part again. Measured on two
#: cores; the recorded times of modules hold it once, in whichever came first.
BRING_UP: Mapping[str, float] = {"local": 180.0, "kubernetes": 1000.0}


def parts(modules: list[str], recorded: Mapping[str, float], count: int) -> list[list[str]]:
    """Spread modules over parts, so that the longest part is as short as can be had without much trying.

    The cluster is brought up in as few parts as that allows; among these, and then among all, the longest module first
    goes to where the part is then the shortest.

    Args:
        modules: paths of modules of tests.
        recorded: seconds of each that was run before.
        count: how many parts.

    Returns:
        The modules of each part, sorted; parts may be empty.
    """
    on_cluster = [name for name in modules if _target(name) == "kubernetes"]
    others = [name for name in modules if _target(name) != "kubernetes"]
    tried = []
    for with_cluster in range(1, count + 1):
        found: list[list[str]] = [[] for _ in range(count)]
        _spread(on_cluster, found[:with_cluster], recorded)
        _spread(others, found, recorded)
        tried.append(found)
    best = min(tried, key=lambda found: max(_length(part, recorded) for part in found))
    return [sorted(part) for part in best]


def _spread(modules: list[str], over: list[list[str]], recorded: Mapping[str, float]) -> None:
    for module in sorted(modules, key=lambda name: (-recorded.get(name, UNKNOWN), name)):
        min(over, key=lambda part: _length([*part, module], recorded)).append(module)


def _target(module: str) -> str:
    return PLATFORM_ROOMS[PurePosixPath(module).parts[1]]


def _length(modules: list[str], recorded: Mapping[str, float]) -> float:
    needed = {_target(name) for name in modules}
    return sum(recorded.get(name, UNKNOWN) for name in modules) + sum(BRING_UP[target] for target in needed)
