"""In which state a pipeline is follows from its runs, its fixed times and its contract alone."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from data_platform.datasets import pipeline_state
from data_platform.datasets.pipeline_state import Pipeline, Run, Seen, State, last_due, state_of
from data_platform.stack.datasets import Dataset, Times, dataset
from data_platform.stack.datasets import Pipeline as Declared
from data_platform.times import plain

ROOT = Path(__file__).resolve().parents[3]
PARIS = ZoneInfo("Europe/Paris")
#: Runs at 17:30 on working days, promised by 20:30, never older than 6 days.
RATES = dataset(ROOT, "fx_rates")
#: A Thursday: what should have run that day is promised by now.
NOW = datetime(2026, 11, 26, 21, 0, tzinfo=PARIS)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=PARIS)


#: In time, and a day too early.
TODAY, YESTERDAY = at("2026-11-26 17:41"), at("2026-11-25 17:41")


def good(when: datetime = TODAY) -> Run:
    return Run("r1", "success", when)


def bad(when: datetime = TODAY, *tasks: str) -> Run:
    return Run("scheduled__2026-11-26T16:30:00+00:00", "failed", when, tasks)


def seen(**facts: object) -> Seen:
    return Seen(**{"ended": good(), "good_at": TODAY} | facts)  # type: ignore[arg-type]


def judged(facts: Seen | None, now: datetime = NOW, one: Dataset = RATES) -> Pipeline:
    return state_of(one, facts, now, "airflow")


def said(found: Pipeline) -> str:
    return plain(found.says, NOW, PARIS)


def test_a_pipeline_that_published_in_time_is_on_time() -> None:
    found = judged(seen())
    assert (found.state, found.verdict, found.steps) == (State.ON_TIME, "passed", ())
    assert not found.needs_care
    assert not found.alarms
    assert said(found) == "its last run ended well 2026-11-26 17:41:00 CET (3 h ago)"


def test_a_pipeline_that_airflow_does_not_know_is_missing() -> None:
    found = judged(None)
    assert (found.state, found.verdict) == (State.MISSING, "failed")
    assert [step.command for step in found.steps] == ["python3 -m bootstrap check airflow"]


def test_a_pipeline_without_runs_has_never_run() -> None:
    found = judged(Seen())
    assert (found.state, found.verdict, found.is_late) == (State.NEVER_RUN, "skipped", False)
    (step,) = found.steps
    assert (step.command, step.path) == ("python3 -m bootstrap run pipelines_fx_rates", "/dags/pipelines_fx_rates")


@pytest.mark.parametrize(
    ("facts", "words", "waits"),
    [
        (
            {"active": [Run("r2", "queued", TODAY), Run("r3", "queued", NOW)]},
            "2 runs wait, the first since 2026-11-26 17:41:00 CET (3 h ago); its last good run ended 2026-11-26 17:41",
            2,
        ),
        # Airflow goes on with no run of a paused DAG either.
        ({"active": [Run("r2", "running", TODAY)]}, "a run waits since 2026-11-26 17:41:00 CET", 1),
        ({}, "no run of it begins, neither by the clock nor for files that come; its last good run ended", 0),
        ({"ended": None, "good_at": None}, "nor for files that come; it has never run", 0),
        ({"ended": bad(), "good_at": None}, "nor for files that come; none of its runs on record ended well", 0),
        ({"ended": good(YESTERDAY), "good_at": YESTERDAY}, "nor for files that come; its run of", 0),
    ],
)
def test_a_paused_pipeline_says_what_waits_and_how_to_unpause_it(
    facts: dict[str, object], words: str, waits: int
) -> None:
    found = judged(seen(paused=True, **facts))
    assert (found.state, found.waits, found.alarms) == (State.PAUSED, waits, waits > 0 or found.is_late)
    assert words in said(found)
    (step,) = found.steps
    assert step.says == "unpause it and run it"
    assert (step.command, step.path) == ("python3 -m bootstrap run pipelines_fx_rates", "/dags/pipelines_fx_rates")


def test_a_paused_pipeline_that_breaks_its_promise_is_told_as_late_too() -> None:
    assert judged(seen(paused=True, ended=good(YESTERDAY), good_at=YESTERDAY)).is_late
    assert not judged(seen(paused=True)).is_late


def test_a_pipeline_whose_last_run_failed_says_where_and_leads_to_its_log() -> None:
    found = judged(seen(ended=bad(TODAY, "load", "validate_raw"), good_at=TODAY))
    assert (found.state, found.verdict, found.is_late) == (State.FAILED, "failed", False)
    assert said(found) == "its last run failed at load, validate_raw 2026-11-26 17:41:00 CET (3 h ago)"
    log, runbook, again = found.steps
    run = "/dags/pipelines_fx_rates/runs/scheduled__2026-11-26T16%3A30%3A00%2B00%3A00"
    assert log.path == f"{run}/tasks/load"
    assert "docs/runbooks/pipeline-is-red.md" in runbook.says
    assert again.command == "python3 -m bootstrap run pipelines_fx_rates"
    # A run that was marked as failed by hand has no such task.
    assert judged(seen(ended=bad())).steps[0].path == run


@pytest.mark.parametrize("good_at", [YESTERDAY, None])
def test_a_failed_pipeline_that_breaks_its_promise_is_late_too(good_at: datetime | None) -> None:
    found = judged(seen(ended=bad(at("2026-11-26 17:29")), good_at=good_at))
    assert (found.state, found.is_late, found.alarms) == (State.FAILED, True, True)
    assert "; its run of 2026-11-26 17:30:00 CET (3 h ago) should have published by 2026-11-26 20:30" in said(found)


def test_a_pipeline_without_a_good_run_since_its_time_is_late() -> None:
    found = judged(seen(ended=good(YESTERDAY), good_at=YESTERDAY))
    assert (found.state, found.verdict, found.alarms) == (State.LATE, "failed", True)
    assert said(found) == (
        "its run of 2026-11-26 17:30:00 CET (3 h ago) should have published by 2026-11-26 20:30:00 CET"
        " (30 min ago); the last good run ended 2026-11-25 17:41:00 CET (27 h ago)"
    )
    assert found.steps[0].command == "python3 -m bootstrap run pipelines_fx_rates"


def test_a_late_pipeline_with_a_run_is_late_and_leads_to_that_run() -> None:
    run = Run("r9", "running", NOW - timedelta(minutes=3))
    found = judged(seen(ended=good(YESTERDAY), good_at=YESTERDAY, active=[run]))
    assert (found.state, found.is_late) == (State.LATE, True)
    assert said(found).endswith("; a run is going on since 2026-11-26 20:57:00 CET (3 min ago)")
    assert [(step.says, step.path) for step in found.steps] == [("watch it", "/dags/pipelines_fx_rates/runs/r9")]


@pytest.mark.parametrize(
    ("state", "words"), [("running", "a run is going on since"), ("queued", "a run waits to begin since")]
)
def test_a_run_that_goes_on_is_told_whatever_became_of_the_one_before(state: str, words: str) -> None:
    found = judged(seen(ended=bad(), active=[Run("r9", state, NOW)]))
    assert (found.state, found.verdict) == (State.RUNNING, "passed")
    assert said(found).startswith(words)


def test_a_first_run_that_goes_on_is_neither_late_nor_never_run() -> None:
    assert judged(Seen(active=[Run("r1", "running", NOW)])).state is State.RUNNING


@pytest.mark.parametrize(
    ("age", "state"), [(timedelta(days=6), State.ON_TIME), (timedelta(days=6, seconds=1), State.STALE)]
)
def test_data_that_is_older_than_the_contract_allows_is_stale(age: timedelta, state: State) -> None:
    found = judged(seen(newest=NOW - age))
    assert found.state is state
    # Nobody has broken anything here: who delivers may have nothing.
    assert (found.is_late, found.alarms) == (False, False)
    if state is State.STALE:
        assert found.verdict == "skipped"
        assert said(found).endswith("(6 days ago); by the contract it is never older than 6 days")
        assert found.steps[0].command == "python3 -m bootstrap ingest fx_rates FILE"


def test_what_could_not_be_looked_at_is_unknown() -> None:
    step = pipeline_state.Step("see what is wrong", "python3 -m bootstrap check airflow")
    found = pipeline_state.unknown("fx_rates", "Airflow could not be asked (ConnectError)", step)
    assert (found.state, found.verdict, found.needs_care) == (State.UNKNOWN, "skipped", True)
    assert found.steps == (step,)


def timed(cron: str, zone: str, fresh_by: str) -> Dataset:
    """The rates with other times."""
    agreements = tuple(
        said.model_copy(update={"value": fresh_by}) if said.property == "timeOfAvailability" else said
        for said in RATES.contract.agreements
    )
    contract = RATES.contract.model_copy(update={"agreements": agreements})
    return Dataset("fx_rates", contract, Declared(runs=Times(cron=cron, zone=zone)))


@pytest.mark.parametrize(
    ("now", "begins", "promised"),
    [
        # Before the promise of today, yesterday's counts; from its very minute on, today's.
        ("2026-11-26 20:29", "2026-11-25 17:30", "2026-11-25 20:30"),
        ("2026-11-26 20:30", "2026-11-26 17:30", "2026-11-26 20:30"),
        # Nothing is promised for a weekend.
        ("2026-11-29 23:00", "2026-11-27 17:30", "2026-11-27 20:30"),
        ("2026-11-30 20:29", "2026-11-27 17:30", "2026-11-27 20:30"),
        # Clocks were changed in the night before.
        ("2026-03-30 20:30", "2026-03-30 17:30", "2026-03-30 20:30"),
    ],
)
def test_what_was_due_last_is_what_is_promised_by_now(now: str, begins: str, promised: str) -> None:
    assert last_due(RATES, at(now)) == (at(begins), at(promised))


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/Los_Angeles"])
def test_what_was_due_does_not_depend_on_the_zone_of_who_asks(zone: str) -> None:
    now = at("2026-11-26 20:30").astimezone(ZoneInfo(zone))
    assert last_due(RATES, now) == (at("2026-11-26 17:30"), at("2026-11-26 20:30"))


def test_a_run_after_the_time_of_the_contract_is_promised_by_the_next_day() -> None:
    late_evening = timed("0 23 * * *", "Europe/Paris", "07:00")
    assert last_due(late_evening, at("2026-11-26 06:59")) == (at("2026-11-24 23:00"), at("2026-11-25 07:00"))
    assert last_due(late_evening, at("2026-11-26 07:00")) == (at("2026-11-25 23:00"), at("2026-11-26 07:00"))


def test_the_times_of_runs_may_be_those_of_another_zone() -> None:
    assert RATES.contract.promise.fresh_by == time(20, 30)
    begins, promised = last_due(timed("30 16 * * *", "UTC", "20:30"), at("2026-11-26 20:30"))
    assert begins == datetime(2026, 11, 26, 16, 30, tzinfo=UTC)
    assert promised == at("2026-11-26 20:30")


def test_many_runs_a_day_are_promised_by_the_same_time() -> None:
    hourly = timed("0 * * * *", "Europe/Paris", "20:30")
    assert last_due(hourly, at("2026-11-26 23:59")) == (at("2026-11-26 20:00"), at("2026-11-26 20:30"))


def test_a_run_at_the_very_time_of_the_contract_is_promised_by_then() -> None:
    at_once = timed("30 20 * * *", "Europe/Paris", "20:30")
    assert last_due(at_once, at("2026-11-26 20:30")) == (at("2026-11-26 20:30"), at("2026-11-26 20:30"))
