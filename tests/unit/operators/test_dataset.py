"""Tasks of a pipeline: what they refuse, what they pass on, what a failure says."""

from __future__ import annotations

import asyncio
import json
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, DownstreamTasksSkipped

from data_platform.checks.base import CheckResult, ToolResult
from data_platform.datasets import arrivals, files
from data_platform.datasets.arrivals import Seen
from data_platform.datasets.decisions import AUDIT, Decision, Verdict
from data_platform.datasets.files import Days, Manifest
from data_platform.datasets.opened import Opened
from data_platform.operators import ingest, publish, report, triggerer, validate, watch
from data_platform.operators.dataset import result_of
from data_platform.stack.errors import PlatformError

DATASET = {"task_id": "any", "dataset": "fx_rates"}
SUMMARY = {"files": 1, "days": 2, "rows": 60, "changed_days": 2, "quarantined": 1, "reasons": ["a.csv, row 3: zero"]}


def aside(name: str, *rules: str, verdict: Verdict = Verdict.SET_ASIDE) -> Decision:
    """A decision of the audit about a file."""
    at = datetime(2026, 11, 2, tzinfo=UTC)
    return Decision(subject="0f" * 32, name=name, verdict=verdict, rules=rules, by=AUDIT, at=at, run="a run")


class Place:
    """A platform that remembers which tools were run."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, str, list[str]]] = []
        self.landed: list[str] = []
        self.answer = ToolResult(0, "RESULT {}")
        self.stack = SimpleNamespace(root=Path())
        self.opened = Opened(run="a run", commit="begin", code="as audited")
        self.decisions: dict[str, Decision] = {}
        self.mine: set[str] = set()
        self.blamed: dict[str, list[str]] = {}
        self.woken: list[Decision] = []

    def run_tool(self, component: str, tool: str, arguments: list[str], seconds: float) -> ToolResult:
        assert seconds > 0
        self.ran.append((component, tool, arguments))
        return self.answer

    def set_aside(self, _: object, found: Manifest, blamed: dict[str, list[str]], seconds: float) -> list[Decision]:
        """What of the blamed files is set aside: those of the run."""
        assert (found.run, seconds) == ("a run", 300)
        self.blamed = blamed
        return [aside(name, *rules) for name, rules in blamed.items() if name in self.mine]

    def open(self, *asked: Any) -> Opened:
        """Whose audit the branch holds."""
        assert asked[1] == "fx_rates"
        return self.opened

    def place(self, dataset: str, file: Path) -> str:
        assert file.stat().st_size > 0
        self.landed.append(f"{dataset}/{file.name}")
        return self.landed[-1]


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    made = Place()
    for module in (ingest, publish, report, triggerer, validate):
        monkeypatch.setattr(module, "current", lambda: made)
    for name in ("current", "anew"):
        monkeypatch.setattr(f"data_platform.targets.current.{name}", lambda: made)
    monkeypatch.setattr("data_platform.datasets.audit.head", lambda *_: "c0ffee")
    for name in ("resume", "require_own", "look"):
        monkeypatch.setattr(f"data_platform.datasets.opened.{name}", made.open)
    monkeypatch.setattr("data_platform.datasets.store.store_of", lambda target, _: target)
    monkeypatch.setattr("data_platform.datasets.decisions.read_decisions", lambda target, _: target.decisions)
    monkeypatch.setattr(files, "read_manifest", lambda *_: manifest())
    monkeypatch.setattr(files, "without_set_aside", lambda _, found, __: found)
    monkeypatch.setattr("data_platform.datasets.review.set_aside", made.set_aside)
    monkeypatch.setattr("data_platform.datasets.review.wake", lambda target, _, aside, __: target.woken.extend(aside))
    monkeypatch.setattr("data_platform.datasets.landing.landing_of", lambda target: target)
    return made


def context(run_type: str = "manual", **params: Any) -> Any:
    run = SimpleNamespace(
        run_type=run_type,
        data_interval_start=SimpleNamespace(date=lambda: SimpleNamespace(isoformat=lambda: "2024-01-01")),
        data_interval_end=SimpleNamespace(date=lambda: SimpleNamespace(isoformat=lambda: "2024-01-02")),
    )
    return {"params": params, "dag_run": run, "run_id": "a run"}


def test_the_result_of_a_tool_is_its_last_result_line() -> None:
    output = 'RESULT {"files": 1}\nnoise\nRESULT {"files": 2}\nmore noise'
    assert result_of(ToolResult(0, output), "it") == {"files": 2}


def test_a_tool_without_a_result_failed_and_shows_its_end() -> None:
    with pytest.raises(PlatformError, match=r"the job ended with 1(.|\n)*OutOfMemoryError"):
        result_of(ToolResult(1, "starting\nOutOfMemoryError"), "the job")


@pytest.mark.parametrize(
    ("given", "days"),
    [
        (context(), {"from": None, "to": None}),
        (context(**{"from": "2024-01-05", "to": "2024-01-06"}), {"from": "2024-01-05", "to": "2024-01-06"}),
        (context("backfill"), {"from": "2024-01-01", "to": "2024-01-02"}),
        (context("backfill", to="2024-01-06"), {"from": None, "to": "2024-01-06"}),
        (context("scheduled"), {"from": None, "to": None}),
    ],
)
def test_days_come_from_the_parameters_or_from_the_interval_of_a_backfill(given: Any, days: dict[str, Any]) -> None:
    assert ingest.days_of(given) == Days.model_validate(days)


def test_wrong_days_fail_with_an_example() -> None:
    with pytest.raises(AirflowFailException, match=r"'from' and 'to'.*after(.|\n)*write for example --conf"):
        ingest.days_of(context(**{"from": "2024-02-01", "to": "2024-01-01"}))


def manifest(**changes: Any) -> Manifest:
    empty = {
        "dataset": "fx_rates",
        "run": "a run",
        "days": {},
        "code": "c",
        "rebuild": False,
        "files": (),
        "refused": (),
    }
    return Manifest.model_validate(empty | changes)


@pytest.mark.parametrize(
    ("found", "skipped"),
    [
        (manifest(), {"audit", "load"}),
        (manifest(rebuild=True), set()),
        (manifest(refused=({"source_file": "a.zip", "reason": "truncated"},)), set()),
    ],
)
def test_with_nothing_to_do_all_that_follows_is_skipped_at_once(
    place: Place, monkeypatch: pytest.MonkeyPatch, found: Manifest, skipped: set[str]
) -> None:
    del place
    from airflow.sdk import DAG, BaseOperator

    monkeypatch.setattr(files, "discover", lambda *_: found)
    with DAG("any", schedule=None):
        operator = ingest.DiscoverFilesOperator(task_id="discover", dataset="fx_rates")
        operator >> BaseOperator(task_id="audit") >> BaseOperator(task_id="load")
        # What gives the turn back is not among what is skipped.
        operator >> BaseOperator(task_id="release").as_teardown()
    told: dict[str, Any] = {}
    ti = SimpleNamespace(map_index=-1, xcom_push=lambda key, value: told.update({key: value}))
    with pytest.raises(DownstreamTasksSkipped) if skipped else nullcontext():
        operator.execute({**context(), "ti": ti})
    assert set(told.get("skipmixin_key", {}).get("skipped", ())) == skipped


@pytest.mark.parametrize("later", [0, 2])
def test_files_that_wait_for_what_was_accepted_wake_the_pipeline_again(
    place: Place, monkeypatch: pytest.MonkeyPatch, later: int
) -> None:
    left: list[Any] = []
    monkeypatch.setattr(files, "discover", lambda *_: files_of("accepted.csv", later=later))
    monkeypatch.setattr(arrivals, "leave", lambda *words: left.append(words))
    ingest.DiscoverFilesOperator(task_id="discover", dataset="fx_rates").execute(context())
    assert left == ([(place, "fx_rates", "0" * 64, 60)] if later else [])


def test_the_shipped_copy_is_delivered_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    operator = ingest.DeliverReferenceOperator(**DATASET, package="currency_converter", file="eurofxref-hist.zip")
    monkeypatch.setattr(files, "has_received", lambda *_, **__: False)
    assert operator.execute(context()) == "fx_rates/eurofxref-hist.zip"
    monkeypatch.setattr(files, "has_received", lambda *_, **__: True)
    with pytest.raises(AirflowSkipException, match="received files before"):
        operator.execute(context())
    assert place.landed == ["fx_rates/eurofxref-hist.zip"]


def test_a_file_of_the_checkout_is_delivered_too(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    operator = ingest.DeliverReferenceOperator(**DATASET, file="nifi_flows/currencies/reference.csv")
    monkeypatch.setattr(files, "has_received", lambda *_, **__: False)
    assert operator.execute(context()) == "fx_rates/reference.csv"
    assert place.landed == ["fx_rates/reference.csv"]


def test_the_load_writes_to_the_branch_and_reads_the_manifest_of_its_run(place: Place) -> None:
    place.answer = ToolResult(0, f"RESULT {json.dumps(SUMMARY)}")
    assert publish.LoadFilesOperator(**DATASET).execute(context()) == SUMMARY
    ((component, tool, words),) = place.ran
    assert (component, tool) == ("jobs", "submit")
    assert words[:3] == ["--conf", "spark.sql.catalog.lakehouse.ref=audit_fx_rates", "spark_jobs/fx_rates/load.py"]
    assert words[3:] == ["--manifest", f"s3a://raw/{files.manifest_key('fx_rates', 'a run')}"]


FAILURE = {
    "expectation": "rates are above zero",
    "column": "rate",
    "observed": "1 row",
    "files": ["été.csv"],
    "next_step": "ask the publisher",
}


def test_a_failed_expectation_names_file_rule_and_next_step(place: Place) -> None:
    found = {"success": False, "evaluated": 9, "failed": [FAILURE], "warnings": [], "docs": "d"}
    place.answer = ToolResult(1, f"RESULT {json.dumps(found)}")
    with pytest.raises(AirflowFailException) as caught:
        validate.ValidateTablesOperator(**DATASET, suite="raw").execute(context())
    message = str(caught.value)
    assert "1 of 9 expectations of raw" in message
    assert "rates are above zero on rate: found 1 row, in été.csv → ask the publisher" in message
    assert "audit_fx_rates" in message
    assert "pipelines_fx_rates" in message


def test_passed_expectations_leave_their_number(place: Place) -> None:
    found = {"success": True, "evaluated": 9, "failed": [], "warnings": ["old"], "docs": "d"}
    place.answer = ToolResult(0, f"RESULT {json.dumps(found)}")
    operator = validate.ValidateTablesOperator(**DATASET, suite="marts")
    assert operator.execute(context()) == {"evaluated": 9, "docs": "d", "commit": "c0ffee", "code": "as audited"}
    assert place.ran[0][2] == [
        "--dataset", "fx_rates", "--suite", "marts", "--catalog", "audit_fx_rates", "--publish",
    ]  # fmt: skip


BROKEN = {"success": False, "evaluated": 9, "failed": [FAILURE], "warnings": [], "docs": "d"}


def test_a_file_of_the_run_that_breaks_a_rule_is_set_aside_and_the_run_goes_on(place: Place) -> None:
    place.answer, place.mine = ToolResult(1, f"RESULT {json.dumps(BROKEN)}"), {"été.csv"}
    operator = validate.ValidateTablesOperator(**DATASET, suite="raw", rest=["load_rest", "validate_rest"])
    operator.execute(context())
    assert place.blamed == {"été.csv": ["rates are above zero (1 row)"]}
    assert place.woken == []


@pytest.mark.parametrize("rest", [(), ("load_rest",)])
def test_where_no_file_of_the_run_is_to_blame_the_run_fails(place: Place, rest: tuple[str, ...]) -> None:
    place.answer = ToolResult(1, f"RESULT {json.dumps(BROKEN)}")
    with pytest.raises(AirflowFailException, match=r"nothing was published(.|\n)*files list fx_rates"):
        validate.ValidateTablesOperator(**DATASET, suite="raw", rest=rest).execute(context())
    assert place.woken == []


def test_what_breaks_a_later_rule_is_set_aside_for_the_next_run_which_begins_by_itself(place: Place) -> None:
    place.answer, place.mine = ToolResult(1, f"RESULT {json.dumps(BROKEN)}"), {"été.csv"}
    with pytest.raises(AirflowFailException) as caught:
        validate.ValidateTablesOperator(**DATASET, suite="marts").execute(context())
    assert "été.csv (0f0f0f0f0f0f) is set aside: rates are above zero (1 row)" in str(caught.value)
    assert "python3 -m bootstrap files accept fx_rates 0f0f0f0f0f0f --why" in str(caught.value)
    assert [decision.name for decision in place.woken] == ["été.csv"]


def test_where_nothing_is_broken_the_rest_is_skipped_at_once(place: Place) -> None:
    from airflow.sdk import DAG, BaseOperator

    found = {"success": True, "evaluated": 9, "failed": [], "warnings": [], "docs": "d"}
    place.answer = ToolResult(0, f"RESULT {json.dumps(found)}")
    with DAG("any", schedule=None):
        operator = validate.ValidateTablesOperator(**DATASET, suite="raw", rest=["load_rest", "validate_rest"])
        rest = [BaseOperator(task_id=name) for name in ("load_rest", "validate_rest", "models")]
        operator >> rest[0] >> rest[1] >> rest[2]
    told: dict[str, Any] = {}
    ti = SimpleNamespace(map_index=-1, xcom_push=lambda key, value: told.update({key: value}))
    with pytest.raises(DownstreamTasksSkipped) as caught:
        operator.execute({**context(), "ti": ti})
    assert set(caught.value.tasks) == {"load_rest", "validate_rest"}
    assert told["return_value"] == {"evaluated": 9, "docs": "d", "commit": "c0ffee", "code": "as audited"}


def test_rules_that_only_accepted_files_break_are_told_to_the_tool(place: Place) -> None:
    place.decisions = {
        "a": aside("yes, it's so.csv", verdict=Verdict.ACCEPTED),
        "b": aside("no.csv"),
    }
    found = {"success": True, "evaluated": 9, "failed": [], "warnings": [], "docs": "d"}
    place.answer = ToolResult(0, f"RESULT {json.dumps(found)}")
    validate.ValidateTablesOperator(**DATASET, suite="raw").execute(context())
    assert place.ran[0][2][-2:] == ["--accepted", "yes, it's so.csv"]


def files_of(*names: str, **more: Any) -> Manifest:
    """A manifest with new files of these names."""
    found = [
        {"object": f"fx_rates/{n}", "sha256": f"{n:064}", "source_file": str(n), "ingested_at": "2026-11-02T10:00:00Z",
         "bytes": 1}
        for n in range(len(names))
    ]  # fmt: skip
    for entry, name in zip(found, names, strict=True):
        entry["source_file"] = name
    return manifest(files=found, new=[entry["sha256"] for entry in found], **more)


@pytest.fixture
def bounded(place: Place, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a run has loaded, and who has agreed; the load breaks a bound, and every suite passes."""
    state: dict[str, Any] = {"manifest": files_of("a.csv", "b.csv"), "agreed": "", "broken": ["keysGone: XOF"]}
    passed = {"success": True, "evaluated": 9, "failed": [], "warnings": [], "docs": "d"}
    place.answer, place.mine = ToolResult(0, f"RESULT {json.dumps(passed)}"), {"a.csv", "b.csv"}
    monkeypatch.setattr("data_platform.datasets.bounds.broken_bounds", lambda *_: state["broken"])
    monkeypatch.setattr("data_platform.datasets.bounds.agreed", lambda *_: state["agreed"])
    monkeypatch.setattr(files, "read_manifest", lambda *_: state["manifest"])
    return state


def hold() -> Any:
    return validate.ValidateTablesOperator(**DATASET, suite="marts", bounds=True).execute(context())


def test_a_load_that_changes_too_much_is_set_aside_as_a_whole(place: Place, bounded: dict[str, Any]) -> None:
    assert bounded["broken"]
    with pytest.raises(AirflowFailException) as caught:
        hold()
    message = str(caught.value)
    assert "changes more than its contract allows; nothing was published" in message
    assert "- keysGone: XOF" in message
    assert "a.csv (0f0f0f0f0f0f) is set aside: keysGone: XOF" in message
    assert "python3 -m bootstrap files accept fx_rates 0f0f0f0f0f0f --why" in message
    assert place.blamed == {"a.csv": ["keysGone: XOF"], "b.csv": ["keysGone: XOF"]}
    # The next run writes it into the table of refusals.
    assert len(place.woken) == 2


def test_a_load_to_which_somebody_said_yes_is_published_whatever_it_changes(
    place: Place, bounded: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    bounded["agreed"] = "accepted by ann: it is so"
    assert hold()["commit"] == "c0ffee"
    assert place.blamed == {}
    assert "keysGone: XOF; it is published all the same: accepted by ann: it is so" in capsys.readouterr().out


def test_a_load_within_its_bounds_is_published(place: Place, bounded: dict[str, Any]) -> None:
    bounded["broken"] = []
    assert hold()["commit"] == "c0ffee"
    assert place.blamed == {}


def test_where_the_code_changed_no_file_is_to_blame(place: Place, bounded: dict[str, Any]) -> None:
    bounded["manifest"] = files_of("a.csv", rebuild=True)
    with pytest.raises(AirflowFailException, match=r"their code changed(.|\n)*files accept fx_rates c --why"):
        hold()
    assert place.blamed == {}


def test_bounds_are_held_where_it_is_asked_for(place: Place, bounded: dict[str, Any]) -> None:
    assert bounded["broken"]
    assert validate.ValidateTablesOperator(**DATASET, suite="marts").execute(context())["commit"] == "c0ffee"
    assert place.blamed == {}


def test_the_end_of_a_run_is_red_when_files_were_set_aside(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[Decision] = []
    monkeypatch.setattr("data_platform.datasets.review.set_aside_by", lambda *_: left)
    operator = validate.TellSetAsideOperator(task_id="set_aside", dataset="fx_rates")
    monkeypatch.setattr(triggerer, "current", lambda: place)
    assert operator.execute(context()) == "fx_rates: no file was set aside"
    left.append(aside("typo.csv", "a rule"))
    with pytest.raises(AirflowFailException) as caught:
        operator.execute(context())
    message = str(caught.value)
    assert "1 of the run's files were set aside; the others are published" in message
    assert "typo.csv (0f0f0f0f0f0f) is set aside: a rule" in message
    assert "files accept fx_rates 0f0f0f0f0f0f --why" in message


@pytest.mark.parametrize(("latest", "remembered"), [("a run", True), ("a later run", False)])
def test_what_was_audited_is_published_and_its_code_is_remembered(
    place: Place, monkeypatch: pytest.MonkeyPatch, latest: str, remembered: bool
) -> None:
    done: list[object] = []

    def publish_it(_: object, dataset: str, __: object, audited: str) -> str:
        done.append((dataset, audited))
        return "published"

    monkeypatch.setattr("data_platform.datasets.audit.publish", publish_it)
    monkeypatch.setattr(files, "remember_published", lambda _, *words: done.append(words))
    place.opened = place.opened.model_copy(update={"run": latest, "code": "as it is now"})
    audited = {"commit": "c0ffee", "code": "as audited"}
    ti = SimpleNamespace(xcom_pull=lambda task_ids: audited if task_ids == "validate_marts" else None)
    operator = publish.PublishOperator(**DATASET, audit="validate_marts")
    assert operator.execute(context() | {"ti": ti}) == "published"
    wanted = [("fx_rates", "a run", "as audited", 300)] if remembered else []
    assert done == [("fx_rates", "c0ffee"), *wanted]


def test_a_check_that_did_not_pass_fails_its_task_and_is_kept(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    del place
    kept: list[CheckResult] = []
    result = CheckResult("fx_rates", "the-rates-are-there", "failed", 0.1, "an edge is missing")
    monkeypatch.setattr("data_platform.checks.run.run_check", lambda *_: result)
    monkeypatch.setattr("data_platform.records.writes.keep_results", lambda _, results, *__: kept.extend(results))
    operator = report.CheckDatasetOperator(**DATASET, name="the-rates-are-there", kind="sql", params_of_kind={})
    with pytest.raises(AirflowFailException, match="an edge is missing"):
        operator.execute(context())
    assert kept == [result]


def test_the_link_of_a_page_leads_below_the_reports() -> None:
    operator = report.BuildDocsOperator(**DATASET)
    assert report.ReportLink().get_link(operator, ti_key=None) == "/data-platform/reports/fx_rates/dbt/index.html"


@pytest.mark.enable_socket  # an event loop talks to itself through a pair of them
def test_the_watcher_fires_for_what_is_new_and_lives_through_an_absent_store(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    del place
    looks: list[Any] = [OSError("refused"), 1, 0, OSError("refused"), 2]
    known: list[Any] = []

    def look(target: Any, dataset: str, before: Any, *_: Any, **__: Any) -> Seen:
        del target
        known.append(before and before.since)
        found = looks.pop(0)
        if isinstance(found, Exception):
            raise found
        return Seen(found, f"{dataset} {len(looks)}", frozenset())

    monkeypatch.setattr(arrivals, "look", look)
    trigger = watch.NewFilesTrigger("fx_rates", every=0)

    async def two() -> list[Any]:
        fired = trigger.run()
        return [(await anext(fired)).payload for _ in range(2)]

    assert asyncio.run(two()) == [{"dataset": "fx_rates", "new": 1}, {"dataset": "fx_rates", "new": 2}]
    assert looks == []
    # Each look begins where the last one that succeeded has ended.
    assert known == [None, None, "fx_rates 3", "fx_rates 2", "fx_rates 2"]


def test_the_watcher_can_be_made_again_from_what_it_says() -> None:
    path, arguments = watch.NewFilesTrigger("fx_rates", every=7).serialize()
    assert path == "data_platform.operators.watch.NewFilesTrigger"
    again = watch.NewFilesTrigger(**arguments)
    assert (again.dataset, again.every) == ("fx_rates", 7)
