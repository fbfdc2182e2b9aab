"""The task `pipelines` of `stack_health` is red for what nobody was told of yet."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from data_platform.datasets import pipelines
from data_platform.datasets.pipeline_state import Pipeline, State, Step, paused
from data_platform.datasets.pipeline_state import Run as Seen
from data_platform.operators.pipelines import require_on_time

PLACE: Any = "the place"
RUN: Any = {}
AT = datetime(2026, 3, 2, 14, 37, tzinfo=UTC)
FINE = Pipeline("pipelines_a", "a", State.ON_TIME, ("its last run ended well ", AT))
LATE = Pipeline("pipelines_b", "b", State.LATE, ("it should have run",), (Step("run it now", "do that"),), is_late=True)


def give(monkeypatch: pytest.MonkeyPatch, *found: Pipeline) -> None:
    monkeypatch.setattr(pipelines, "look", lambda target, now: found if target is PLACE and now.tzinfo else None)


def test_what_is_well_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    never = Pipeline("pipelines_c", "c", State.NEVER_RUN, ("no run of it is on record",), (Step("run it", "do"),))
    failed = Pipeline("pipelines_d", "d", State.FAILED, ("its last run failed",))
    give(monkeypatch, FINE, never, failed)
    first, second, step, third = require_on_time(PLACE, RUN).splitlines()
    assert first.startswith("a (on time): its last run ended well 2026-03-02 14:37:00")
    assert (second, step) == ("c (never run): no run of it is on record", "  → run it: do")
    assert third == "d (failed): its last run failed"


def test_a_late_pipeline_is_a_failure_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, FINE, LATE)
    with pytest.raises(AirflowFailException, match=r"^b \(late\): it should have run\n  → run it now: do that$"):
        require_on_time(PLACE, RUN)


def test_a_paused_pipeline_is_a_failure_when_runs_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, paused("pipelines_a", [], "a"))
    assert require_on_time(PLACE, RUN).startswith("a (paused): no run of it begins")
    give(monkeypatch, paused("pipelines_a", [Seen("r", "queued", AT)], "a"))
    with pytest.raises(AirflowFailException, match=r"a \(paused\): a run waits since"):
        require_on_time(PLACE, RUN)


def test_an_airflow_that_does_not_answer_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, Pipeline("pipelines_a", "a", State.UNKNOWN, ("Airflow could not be asked",)))
    with pytest.raises(AirflowFailException, match="could not be asked"):
        require_on_time(PLACE, RUN)


def test_a_platform_without_datasets_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch)
    assert require_on_time(PLACE, RUN) == "there is no dataset yet"
