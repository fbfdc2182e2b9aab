"""How well an operation came through a fault of the network: decided from what was seen, and from nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from tests.edges import Edge
from tests.toxics import Fault


class State(StrEnum):
    """What an operation has left behind."""

    OLD = "old"
    NEW = "new"
    BETWEEN = "neither old nor new"
    UNKNOWN = "not to be seen"


class Verdict(StrEnum):
    """How well it came through."""

    RESILIENT = "Resilient"
    DEGRADED = "Degraded"
    FAILED = "Failed"


@dataclass(frozen=True)
class Seen:
    """What was seen of one operation under one fault.

    Attributes:
        ended: whether it came to an end at all while somebody waited.
        seconds: until then.
        error: what it said, where it was not done; None where it said that it was done.
        state: what it left behind, looked at when the fault was gone.
        back: seconds until the same operation was done anew after the fault; None when it was not.
        restarted: programs that were another process after it all.
    """

    ended: bool
    seconds: float
    error: str | None
    state: State
    back: float | None
    restarted: tuple[str, ...] = ()


class Found(NamedTuple):
    """A verdict and why, in words."""

    verdict: Verdict
    why: str


#: What an error says of a connection, in the words of the clients' languages and libraries.
_OF_CONNECTIONS = (
    r"refused|reset|time-?d? ?-?out|time limit|run time|no answer|did not respond|does not answer|unavailable"
    r"|unreachable|connect|closed|broken pipe|end of (file|stream)|\beof\b|i/o error|communicat"
)
#: An error that says so much and no more names nothing.
_SHOWN = 300


def decide(edge: Edge, fault: Fault, seen: Seen, patience: float = 1.0) -> Found:
    """The verdict.

    Args:
        edge: whose operation it was; says its deadlines.
        fault: that was on the way.
        seen: what was seen.
        patience: multiplies all deadlines, for slow machines.
    """
    failures = [*_of_time(edge, seen, patience), *_of_truth(edge, fault, seen), *_of_coming_back(edge, seen)]
    if failures:
        return Found(Verdict.FAILED, "; ".join(failures))
    began_anew = f"; {', '.join(seen.restarted)} ended and came back" if seen.restarted else ""
    if seen.error is None:
        late = seen.seconds > edge.usual * patience
        why = f"done after {seen.seconds:.0f} s{began_anew}"
        return Found(Verdict.DEGRADED if late or seen.restarted else Verdict.RESILIENT, why)
    # The last answer may be what was lost.
    all_the_same = "it was done all the same, and " if seen.state is State.NEW else ""
    return Found(
        Verdict.DEGRADED,
        f"{all_the_same}it said after {seen.seconds:.0f} s: {_short(seen.error)}; done again {seen.back or 0:.0f} s"
        f" after the network was well{began_anew}",
    )


def _of_time(edge: Edge, seen: Seen, patience: float) -> Iterator[str]:
    if not seen.ended:
        yield f"it had not ended after {seen.seconds:.0f} s"
    elif seen.seconds > edge.deadline * patience:
        yield f"it took {seen.seconds:.0f} s, its deadline is {edge.deadline:.0f}"


def _of_truth(edge: Edge, fault: Fault, seen: Seen) -> Iterator[str]:
    if seen.state in (State.BETWEEN, State.UNKNOWN):
        yield f"what it left is {seen.state}"
    if seen.ended and seen.error is None and seen.state is State.OLD:
        yield "it said that it was done, and it is not"
    if seen.ended and seen.error is None and fault.breaks:
        yield "it was done though no answer arrives on its way: it goes another one"
    if not is_named(edge, seen.error):
        yield f"its error names no cause: {_short(seen.error or '')!r}"


def _of_coming_back(edge: Edge, seen: Seen) -> Iterator[str]:
    if seen.back is None:
        yield "it is not done again though the network is well"
    if seen.restarted and not edge.ends:
        yield f"{', '.join(seen.restarted)} ended"


def is_named(edge: Edge, error: str | None) -> bool:
    """Whether an error says what is wrong: the server's name, or what became of the connection. None needs no words."""
    return error is None or bool(re.search(f"{edge.words}|{_OF_CONNECTIONS}", error, re.IGNORECASE))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"
