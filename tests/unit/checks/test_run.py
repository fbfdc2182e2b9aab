"""A check has one of two outcomes, whatever happens in it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType

import pytest
from pydantic import Field

from data_platform.checks import run
from data_platform.checks.base import (
    Address,
    CheckFailed,
    CheckResult,
    Deadline,
    KindParams,
    ToolResult,
)
from data_platform.checks.run import arguments, kind, run_check
from data_platform.stack.errors import PlatformError
from data_platform.stack.model import CheckSpec


class Place:
    """A platform that nobody asks."""

    def address(self, component: str, endpoint: str) -> Address:
        raise AssertionError((component, endpoint))

    def credentials(self, component: str) -> Mapping[str, str]:
        raise AssertionError(component)

    def run_tool(self, component: str, tool: str, arguments: Sequence[str], seconds: float) -> ToolResult:
        raise AssertionError((component, tool, arguments, seconds))


Outcome = Callable[[Deadline], str]
Kind = Callable[[Outcome], CheckSpec]


class Params(KindParams):
    """Arguments of the kind under test."""

    component: str = ""
    word: str = Field("", max_length=5)


@pytest.fixture
def kind_of(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kind]:
    """A check kind that does what a function says."""

    def use(outcome: Outcome) -> CheckSpec:
        module = ModuleType("data_platform.checks.pretended")
        module.Params = Params  # type: ignore[attr-defined]
        module.check = lambda params, platform, deadline: outcome(deadline)  # type: ignore[attr-defined] # noqa: ARG005
        monkeypatch.setitem(sys.modules, "data_platform.checks.pretended", module)
        return CheckSpec(name="does-as-it-is-told", kind="pretended", within=5)

    return use


def raising(error: BaseException) -> Outcome:
    def outcome(deadline: Deadline) -> str:
        del deadline
        raise error

    return outcome


def done(spec: CheckSpec) -> CheckResult:
    return run_check("trino", spec, Place())


def test_evidence_makes_a_passed_result(kind_of: Kind) -> None:
    result = done(kind_of(lambda deadline: f"25 rows within {deadline.seconds:.0f} s"))
    assert result[:3] == ("trino", "does-as-it-is-told", "passed")
    assert result.evidence == "25 rows within 5 s"
    assert result.seconds >= 0


@pytest.mark.parametrize(
    ("error", "status", "evidence"),
    [
        (CheckFailed("24 rows, not 25"), "failed", "24 rows, not 25"),
        (ConnectionRefusedError(111, "refused"), "failed", "ConnectionRefusedError: [Errno 111] refused"),
        (KeyError("token"), "failed", "KeyError: 'token'"),
        (AssertionError(), "failed", "AssertionError: "),
        (PlatformError("no supervisor", "up"), "failed", "PlatformError: no supervisor\n  → up"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_every_exception_becomes_a_result(kind_of: Kind, error: Exception, status: str, evidence: str) -> None:
    result = done(kind_of(raising(error)))
    assert (result.status, result.evidence) == (status, evidence)


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_an_interruption_is_no_result(kind_of: Kind, interruption: type[BaseException]) -> None:
    with pytest.raises(interruption):
        done(kind_of(raising(interruption())))


def test_long_evidence_is_cut(kind_of: Kind) -> None:
    assert done(kind_of(lambda _: "x" * 10_000)).evidence == "x" * 2000
    assert len(done(kind_of(raising(CheckFailed("y" * 10_000)))).evidence) == 2000


def test_seconds_are_those_of_the_check(kind_of: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 100.0, 102.5])
    monkeypatch.setattr(run.time, "monotonic", lambda: next(clock, 102.5))
    assert done(kind_of(lambda _: "x")).seconds == 2.5


def test_an_unknown_kind_is_a_failed_result_and_a_refused_definition() -> None:
    spec = CheckSpec(name="reads-minds", kind="telepathy")
    assert done(spec).status == "failed"
    with pytest.raises(PlatformError, match="no check kind 'telepathy'"):
        kind("telepathy")


def test_a_kind_whose_own_imports_are_missing_is_not_called_unknown(
    monkeypatch: pytest.MonkeyPatch, kind_of: Kind
) -> None:
    del kind_of

    def import_module(name: str) -> ModuleType:
        del name
        raise ModuleNotFoundError("No module named 'trino'", name="trino")

    monkeypatch.setattr(run.importlib, "import_module", import_module)
    with pytest.raises(ModuleNotFoundError, match="trino"):
        kind("sql")


def test_wrong_arguments_are_a_failed_result_that_names_the_argument(kind_of: Kind) -> None:
    spec = kind_of(lambda _: "x").model_copy(update={"params": {"wrod": "x", "word": "too long"}})
    result = done(spec)
    assert result.status == "failed"
    assert "wrod" in result.evidence
    assert "word" in result.evidence


def test_a_kind_that_asks_for_a_component_gets_the_checks_own(kind_of: Kind) -> None:
    spec = kind_of(lambda _: "x")
    assert arguments("nessie", spec) == Params(component="nessie")
    other = spec.model_copy(update={"params": {"component": "trino"}})
    assert arguments("nessie", other) == Params(component="trino")


class Clock:
    """A time that passes while one sleeps, and not by itself."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(time, "sleep", self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_a_deadline_ends_in_its_seconds(clock: Clock) -> None:
    deadline = Deadline(30)
    assert (deadline.seconds, deadline.remaining) == (30, 30)
    clock.sleep(12)
    assert (deadline.seconds, deadline.remaining) == (30, 18)


def test_patience_multiplies_every_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_PLATFORM_PATIENCE", "2.5")
    assert Deadline(30).seconds == 75


def test_a_deadline_that_is_over_still_serves_as_a_timeout(clock: Clock) -> None:
    deadline = Deadline(1)
    clock.sleep(60)
    assert deadline.remaining == 0.1


def test_retrying_ends_with_the_first_success(clock: Clock) -> None:
    seen: list[int] = []

    def act() -> str:
        seen.append(1)
        if len(seen) < 3:
            raise CheckFailed("not yet")
        return "done"

    assert Deadline(10).retry(act, on=CheckFailed) == "done"
    assert len(seen) == 3
    assert clock.now < 110


def test_retrying_ends_at_the_deadline_with_the_last_error(clock: Clock) -> None:
    seen: list[int] = []

    def act() -> str:
        seen.append(1)
        raise CheckFailed(f"look {len(seen)}")

    with pytest.raises(CheckFailed) as caught:
        Deadline(30).retry(act, on=(CheckFailed, OSError))
    assert str(caught.value) == f"look {len(seen)}"
    assert len(seen) > 1
    # It does not sleep for longer than two seconds at a time.
    assert 130 <= clock.now <= 132


def test_another_error_is_not_retried() -> None:
    seen: list[int] = []

    def act() -> str:
        seen.append(1)
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        Deadline(10).retry(act, on=CheckFailed)
    assert len(seen) == 1
