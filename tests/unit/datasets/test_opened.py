"""Whose audit the branch holds: loads begin anew where it is not their run's, and what judges says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from data_platform.checks.base import Deadline
from data_platform.clients.nessie import NessieUnavailableError
from data_platform.datasets import audit, opened, store
from data_platform.datasets.opened import Opened, begin, look, require_own, resume
from data_platform.stack.errors import PlatformError
from tests.unit.datasets.fake_store import Store

BRANCH = "audit_rates"


class Place:
    """A store, a branch and a main; `code` is what `discover` noted last."""

    def __init__(self) -> None:
        self.store = Store()
        self.main, self.code = "m1", "c1"
        #: What the catalog answers first.
        self.away: list[Exception] = []
        self.heads = {BRANCH: "m0"}

    def head(self, branch: str) -> str | None:
        if self.away:
            raise self.away.pop()
        return self.heads.get(branch)

    def open_audit(self, *_: object) -> str:
        self.heads[BRANCH] = self.main
        return self.main


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Any:
    made = Place()

    @contextmanager
    def session(*_: object) -> Iterator[Place]:
        yield made

    monkeypatch.setattr(opened, "store_of", lambda target, _: target.store)
    monkeypatch.setattr(store.s3, "read", lambda store, bucket, key: store.get(bucket, key))
    monkeypatch.setattr(audit.connect, "nessie", session)
    monkeypatch.setattr(opened.audit, "open_audit", made.open_audit)
    monkeypatch.setattr(opened, "read_manifest", lambda target, *_: SimpleNamespace(code=target.code))
    return made


def soon() -> Deadline:
    return Deadline(5)


def test_the_run_that_begins_is_noted_with_its_code(place: Any) -> None:
    assert look(place, "rates", soon()) is None
    assert begin(place, "rates", "first", soon()) == Opened(run="first", commit="m1", code="c1")
    # What `discover` finds later is not what this audit is about.
    place.code = "c2"
    assert require_own(place, "rates", "first", soon()).code == "c1"


def test_a_load_goes_on_with_the_audit_that_its_run_has_just_begun(place: Any) -> None:
    began = begin(place, "rates", "first", soon())
    place.main = "m2"
    assert resume(place, "rates", "first", soon()) == began
    assert place.heads[BRANCH] == "m1"


def test_a_load_outlives_a_catalog_whose_database_is_away_for_a_moment(place: Any) -> None:
    began = begin(place, "rates", "first", soon())
    place.away = [NessieUnavailableError("GET answers 500: Unhandled SQL exception")]
    assert resume(place, "rates", "first", soon()) == began
    assert place.away == []


@pytest.mark.parametrize(
    "change",
    [
        {"heads": {BRANCH: "b1"}},  # a try that was killed, or somebody wrote
        {"heads": {BRANCH: "m2"}},  # it was published
        {"heads": {}},  # somebody removed the branch
    ],
)
def test_a_load_begins_anew_where_the_branch_is_not_as_its_run_left_it(place: Any, change: dict[str, Any]) -> None:
    begin(place, "rates", "first", soon())
    place.main = "m3"
    vars(place).update(change)
    assert resume(place, "rates", "first", soon()).commit == "m3"
    assert place.heads[BRANCH] == "m3"
    assert require_own(place, "rates", "first", soon()).commit == "m3"


def test_a_load_begins_anew_after_another_run(place: Any) -> None:
    begin(place, "rates", "first", soon())
    begin(place, "rates", "second", soon())
    assert resume(place, "rates", "first", soon()).run == "first"
    with pytest.raises(PlatformError, match="audit_rates holds the audit of first, not this run's"):
        require_own(place, "rates", "second", soon())


def test_what_judges_says_that_nobody_has_begun(place: Any) -> None:
    with pytest.raises(PlatformError, match="audit_rates holds no audit, not this run's") as caught:
        require_own(place, "rates", "first", soon())
    assert "`load`" in caught.value.remedy
