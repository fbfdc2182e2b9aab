"""The verbs of a component, for the DAG and the bootstrap alike."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from data_platform import lifecycle
from data_platform.checks.base import CheckResult
from data_platform.lifecycle import Observation, definition, observe, require_passed, verify
from data_platform.records import writes
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import load_stack
from data_platform.stack.plan import Resource, Seen

if TYPE_CHECKING:
    from tests.conftest import Tiny

SERVER = Resource(kind="process", name="server", digest="b1")


@pytest.fixture
def place(tiny: Tiny) -> Any:
    return SimpleNamespace(
        stack=load_stack(tiny.root),
        wanted=lambda _: [SERVER],
        observe=lambda _: [Seen(kind="process", name="server", digest="b1")],
    )


def test_an_observation_has_the_steps_that_follow_from_it() -> None:
    assert Observation([SERVER], [Seen(kind="process", name="server", digest="b1")], False).steps == []
    assert [step.verb for step in Observation([SERVER], [], True).steps] == ["start"]


def test_proof_is_asked_for_this_definition_and_all_checks(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []

    def is_proven(*words: object) -> bool:
        asked.append(words)
        return True

    monkeypatch.setattr(lifecycle, "is_proven", is_proven)
    assert observe(place, "reader").proven
    ((_, component, checks, digest, seconds),) = asked
    assert (component, checks, seconds) == ("reader", ["answers-on-its-page"], 3600.0)
    assert digest == definition(place, "reader")


def test_without_the_database_nothing_is_proven(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> bool:
        raise ConnectionRefusedError

    monkeypatch.setattr(lifecycle, "is_proven", refuse)
    found = observe(place, "reader")
    assert not found.proven
    assert found.steps == []


def test_the_definition_changes_with_a_resource_or_a_check(place: Any, tiny: Tiny) -> None:
    before = definition(place, "reader")
    assert definition(place, "reader") == before
    tiny.edit(tiny.component("reader"), lambda c: c["checks"][0]["with"].update(path="/other"))
    other = SimpleNamespace(stack=load_stack(tiny.root), wanted=place.wanted)
    assert definition(other, "reader") != before
    place.wanted = lambda _: [SERVER.model_copy(update={"digest": "b2"})]
    assert definition(place, "reader") != before


def test_verifying_keeps_the_results_with_their_reason(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[tuple[Any, ...]] = []
    result = CheckResult("reader", "answers-on-its-page", "passed", 0.1, "200")
    monkeypatch.setattr(lifecycle, "run_check", lambda *_: result)
    monkeypatch.setattr(writes, "keep_results", lambda *words: kept.append(words))
    assert verify(place, "reader", "health") == [result]
    assert kept == [(place, [result], definition(place, "reader"), "health")]
    assert verify(place, "reader", "deploy", keep=False) == [result]
    assert len(kept) == 1


def test_a_failed_check_is_an_error_with_its_evidence() -> None:
    passed = CheckResult("reader", "passed-check", "passed", 0.1, "it passed")
    failed = CheckResult("reader", "failed-check", "failed", 0.1, "it failed")
    require_passed([passed])
    with pytest.raises(PlatformError, match="reader: check failed-check failed: it failed") as caught:
        require_passed([passed, failed])
    assert "bootstrap logs reader" in caught.value.remedy


def test_checks_of_facets_are_asked_for_and_run_as_its_own(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.edit(tiny.component("reader"), lambda c: c.update(metrics={"endpoint": "http", "names": ["up"]}))
    place: Any = SimpleNamespace(stack=load_stack(tiny.root), wanted=lambda _: [], observe=lambda _: [])
    asked: list[list[str]] = []
    monkeypatch.setattr(lifecycle, "is_proven", lambda _place, _name, checks, *_: asked.append(checks))
    monkeypatch.setattr(lifecycle, "run_check", lambda _name, spec, _place: spec.name)
    observe(place, "reader")
    names = ["answers-on-its-page", "serves-its-metrics"]
    assert asked == [names]
    assert verify(place, "reader", "hand", keep=False) == names  # type: ignore[comparison-overlap]
