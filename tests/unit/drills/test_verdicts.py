"""What was seen of an operation becomes a verdict; each thing that can go wrong makes it fail."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.edges import EDGES, Edge
from tests.toxics import FAULTS, Fault
from tests.verdicts import Seen, State, Verdict, decide, is_named

EDGE = Edge("reader", "store", "http", "something is read", 10, 30, "store")
SLOW, CUT = Fault("slow", "It is slow."), Fault("cut", "It is cut.", breaks=True)
DONE = Seen(ended=True, seconds=2, error=None, state=State.NEW, back=1)
REFUSED = Seen(ended=True, seconds=5, error="OSError: connection refused", state=State.OLD, back=1)


def test_done_in_the_usual_time_is_resilient() -> None:
    assert decide(EDGE, SLOW, DONE) == (Verdict.RESILIENT, "done after 2 s")


def test_done_late_is_degraded() -> None:
    assert decide(EDGE, SLOW, replace(DONE, seconds=11)) == (Verdict.DEGRADED, "done after 11 s")


def test_an_error_with_a_name_in_time_is_degraded() -> None:
    verdict, why = decide(EDGE, CUT, REFUSED)
    assert verdict is Verdict.DEGRADED
    assert why == "it said after 5 s: OSError: connection refused; done again 1 s after the network was well"


def test_what_was_done_all_the_same_is_told() -> None:
    """The answer that says so is what was lost."""
    verdict, why = decide(EDGE, CUT, replace(REFUSED, state=State.NEW))
    assert verdict is Verdict.DEGRADED
    assert why.startswith("it was done all the same, and it said")


@pytest.mark.parametrize(
    ("fault", "seen", "why"),
    [
        (SLOW, replace(DONE, seconds=31), "it took 31 s, its deadline is 30"),
        (CUT, replace(REFUSED, seconds=31), "it took 31 s, its deadline is 30"),
        (CUT, replace(REFUSED, ended=False, seconds=60, error=None), "it had not ended after 60 s"),
        (CUT, replace(REFUSED, state=State.BETWEEN), "what it left is neither old nor new"),
        (SLOW, replace(DONE, state=State.BETWEEN), "what it left is neither old nor new"),
        (CUT, replace(REFUSED, state=State.UNKNOWN), "what it left is not to be seen"),
        (SLOW, replace(DONE, state=State.OLD), "it said that it was done, and it is not"),
        (CUT, DONE, "it was done though no answer arrives on its way: it goes another one"),
        (CUT, replace(REFUSED, error="Oops: it went wrong"), "its error names no cause: 'Oops: it went wrong'"),
        (CUT, replace(REFUSED, error=""), "its error names no cause: ''"),
        (CUT, replace(REFUSED, back=None), "it is not done again though the network is well"),
        (SLOW, replace(DONE, restarted=("reader.server",)), "reader.server ended"),
    ],
)  # fmt: skip
def test_whatever_is_wrong_makes_it_fail(fault: Fault, seen: Seen, why: str) -> None:
    assert decide(EDGE, fault, seen) == (Verdict.FAILED, why)


def test_all_that_is_wrong_is_told() -> None:
    seen = Seen(ended=False, seconds=60, error=None, state=State.BETWEEN, back=None)
    _, why = decide(EDGE, CUT, seen)
    assert why.split("; ") == [
        "it had not ended after 60 s",
        "what it left is neither old nor new",
        "it is not done again though the network is well",
    ]


def test_servers_may_end_where_the_edge_says_so_and_it_is_told() -> None:
    edge = replace(EDGE, ends=True)
    assert decide(edge, SLOW, replace(DONE, restarted=("reader.server",))) == (
        Verdict.DEGRADED,
        "done after 2 s; reader.server ended and came back",
    )


def test_deadlines_are_longer_on_a_slow_machine() -> None:
    assert decide(EDGE, SLOW, replace(DONE, seconds=40), patience=2).verdict is Verdict.DEGRADED
    assert decide(EDGE, SLOW, replace(DONE, seconds=61), patience=2).verdict is Verdict.FAILED


@pytest.mark.parametrize(
    "error",
    [
        "ReadTimeout: timed out",
        "ConnectError: [Errno 111] Connection refused",
        "TrinoQueryError(type=INTERNAL_ERROR, message=Query exceeded the maximum run time of 120.00s)",
        "org.postgresql.util.PSQLException: An I/O error occurred while sending to the backend.",
        "S3 request of the store failed",
        "SdkClientException: Unable to execute HTTP request: Read timed out",
        "files of ingest_network have not all been taken in after 120 s: … could not be put as raw/x: timeout",
    ],
)
def test_an_error_that_says_what_is_wrong_is_named(error: str) -> None:
    assert is_named(EDGE, error)


@pytest.mark.parametrize("error", ["", "KeyError: 'x'", "AssertionError: ", "Internal Server Error"])
def test_an_error_that_says_nothing_is_not(error: str) -> None:
    assert not is_named(EDGE, error)


def test_every_edge_gives_an_operation_more_time_to_end_than_to_be_done() -> None:
    assert [edge.name for edge in EDGES if not 0 < edge.usual < edge.deadline <= 300] == []


def test_there_is_a_fault_of_each_kind() -> None:
    kinds = {toxic.kind for fault in FAULTS for toxic in fault.toxics}
    assert kinds == {"latency", "bandwidth", "reset_peer", "timeout", "slow_close", "limit_data"}
    assert {fault.name for fault in FAULTS if fault.breaks} == {"refused", "reset", "no answer", "no request"}
    assert [fault.name for fault in FAULTS if not fault.toxics] == ["refused"]
