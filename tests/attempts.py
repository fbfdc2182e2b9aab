"""An operation is done while its way is broken, and what becomes of it is looked at."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from data_platform.checks.base import PATIENCE_VARIABLE, Deadline
from tests.edges import Edge
from tests.toxics import Fault, Toxiproxy
from tests.verdicts import Seen, State

#: Multiplies all deadlines, for slow machines.
PATIENCE = float(os.environ.get(PATIENCE_VARIABLE, "1"))
#: Somewhat longer than it may take: how much too long it took is worth knowing.
_MORE_SECONDS = 30.0


class Attempt(NamedTuple):
    """An operation that can be done once.

    Attributes:
        act: do it; any exception says that it was not done.
        state: what it has left, looked at when all ways are sound. It may take some time.
        well: raise until all of the caller works as before.
    """

    act: Callable[[], object]
    state: Callable[[], State]
    well: Callable[[], object] = lambda: None


def observed(
    network: Toxiproxy,
    edge: Edge,
    fault: Fault,
    begin: Callable[[], Attempt],
    programs: Callable[[], Mapping[str, int]] = dict,
) -> Seen:
    """Do an operation while its way is broken, and look what becomes of it.

    Args:
        network: that breaks it.
        edge: whose way; says the deadlines.
        fault: what is wrong with it.
        begin: makes ready for the operation, each time anew.
        programs: process of each program that must not end.
    """
    attempt, before = begin(), programs()
    with network.broken(edge.name, fault):
        ended, seconds, error = within((edge.deadline + _MORE_SECONDS) * PATIENCE, attempt.act)
    state = _left(attempt, edge)
    back = _done_anew(begin, edge)
    after = programs()
    restarted = tuple(sorted(name for name, pid in before.items() if after.get(name) != pid))
    return Seen(ended, seconds, error, state, back, restarted)


def _left(attempt: Attempt, edge: Edge) -> State:
    """What the operation has left behind, as soon as it can be seen."""
    try:
        return Deadline(edge.back).retry(attempt.state, on=Exception)
    except Exception as error:  # noqa: BLE001 - whatever it is, nothing was seen
        print(f"not seen: {type(error).__name__}: {error}")
        return State.UNKNOWN


def _done_anew(begin: Callable[[], Attempt], edge: Edge) -> float | None:
    """Seconds until the operation is done over a sound way and its caller is well; None when it is not in time."""
    started = time.monotonic()

    def act() -> None:
        attempt = begin()
        attempt.act()
        attempt.well()

    try:
        Deadline(edge.back).retry(act, on=Exception)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is not done
        print(f"not done anew: {type(error).__name__}: {error}")
        return None
    return time.monotonic() - started


def within(seconds: float, act: Callable[[], object]) -> tuple[bool, float, str | None]:
    """Whether something ends in so many seconds, how long it took, and its error in words; None where it has none."""
    errors: list[str] = []

    def run() -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - all of them say that it was not done
            errors.append(f"{type(error).__name__}: {error}")

    # A daemon: one that hangs is a failure, and may not keep the tests from their end.
    thread, started = threading.Thread(target=run, daemon=True), time.monotonic()
    thread.start()
    thread.join(seconds)
    return not thread.is_alive(), time.monotonic() - started, errors[0] if errors else None
