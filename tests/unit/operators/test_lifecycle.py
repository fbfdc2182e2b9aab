"""Each operator is one verb. Airflow's context and the target are pretended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, DownstreamTasksSkipped

from data_platform import lifecycle as verbs
from data_platform.checks.base import CheckResult
from data_platform.lifecycle import Observation
from data_platform.operators import lifecycle, links, looks, triggerer
from data_platform.operators.lifecycle import (
    ApplyComponentOperator,
    CheckComponentOperator,
    FetchArtifactsOperator,
    ObserveComponentOperator,
    PlanComponentOperator,
    WaitComponentOperator,
)
from data_platform.operators.links import ComponentLink
from data_platform.operators.triggerer import Branch
from data_platform.stack.load import load_stack
from data_platform.stack.plan import Resource, Seen, Step
from tests.unit.operators.fake_lease import FakeLease, held_by

if TYPE_CHECKING:
    from data_platform.records.leases import Lease
    from data_platform.targets.base import Target
    from tests.conftest import Tiny

ARTIFACT = Resource(kind="artifact", name="java25", digest="a1")
PROCESS = Resource(kind="process", name="server", digest="b1")
OTHER = held_by("stack_upgrade/second")


class TaskInstance:
    """Keeps what is pushed and gives it back."""

    dag_id, run_id = "stack_deploy", "first"

    def __init__(self, **found: object) -> None:
        self.values: dict[tuple[str, str], object] = {(name, "return_value"): v for name, v in found.items()}

    def xcom_pull(self, *, task_ids: str, key: str, map_indexes: int) -> Any:
        assert map_indexes == -1, "the triggerer has no answer to the question for all of them"
        return self.values.get((task_ids.replace(".", "_"), key))

    def xcom_push(self, *, key: str, value: object) -> None:
        self.values["pushed", key] = value

    #: That a branch asks for.
    task: Any = None
    map_index = -1


class Place:
    """A target that notes what it is asked to do."""

    def __init__(self, stack: Any) -> None:
        self.stack = stack
        self.done: list[tuple[str, str, list[str]]] = []
        self.seen: list[Seen] = []
        self.asked: list[Resource] = [ARTIFACT, PROCESS]
        self.state = "running"
        self.lease = FakeLease()

    def _note(self, verb: str, component: str, steps: Sequence[Step] = ()) -> None:
        assert self.lease.is_held, f"{verb} without the lease"
        self.done.append((verb, component, [step.name for step in steps]))

    def fetch(self, component: str, steps: Sequence[Step]) -> None:
        self._note("fetch", component, steps)

    def apply(self, component: str, steps: Sequence[Step]) -> None:
        self._note("apply", component, steps)

    def wait(self, component: str) -> None:
        self._note("wait", component)

    def wanted(self, component: str) -> list[Resource]:
        del component
        return self.asked

    def observe(self, component: str) -> list[Seen]:
        del component
        return self.seen

    def condition(self, component: str) -> str:
        del component
        return self.state

    def public_url(self, component: str, endpoint: str) -> str:
        return f"https://{component}.{endpoint}.example"


@pytest.fixture
def place(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> Place:
    made = Place(load_stack(tiny.root))
    made.lease = FakeLease().put(monkeypatch)
    for module in (lifecycle, triggerer):
        monkeypatch.setattr(module, "current", lambda: made)
    monkeypatch.setattr("data_platform.targets.current.current", lambda: made)
    return made


def there(resource: Resource) -> dict[str, Any]:
    return Seen(kind=resource.kind, name=resource.name, digest=resource.digest).model_dump()


def observation(*seen: Resource, proven: bool = False) -> dict[str, Any]:
    return {
        "wanted": [ARTIFACT.model_dump(), PROCESS.model_dump()],
        "seen": [there(resource) for resource in seen],
        "proven": proven,
    }


def decided(found: object, **options: Any) -> Branch:
    """What the operator decides by an observation, where it is a task as all others."""
    ti = TaskInstance(**({"reader_observe": found} if found is not None else {}))
    with DAG("any", schedule=None):
        operator = PlanComponentOperator(task_id="plan", component="reader", **options)
        operator >> WaitComponentOperator(task_id="report", component="reader")
    context: Any = {"ti": ti, "task": operator}
    return looks.decide(cast("Target", None), context, **operator.arguments)


def test_missing_artifacts_are_fetched_then_applied_and_verified() -> None:
    branch = decided(observation())
    assert branch.follows == ["artifacts.reader", "reader.apply", "reader.verify"]
    assert [(s["verb"], s["name"]) for s in branch.left["steps"]] == [("fetch", "java25"), ("start", "server")]
    assert [line.split(":")[0] for line in branch.said] == ["fetch artifact java25", "start process server"]


def test_without_artifacts_to_fetch_the_download_is_skipped() -> None:
    assert decided(observation(ARTIFACT)).follows == ["reader.apply", "reader.verify"]


def test_artifacts_alone_are_applied_too_so_that_what_waits_on_apply_goes_on() -> None:
    assert decided(observation(PROCESS)).follows == ["artifacts.reader", "reader.apply", "reader.verify"]


def test_nothing_to_change_but_unproven_is_verified() -> None:
    branch = decided(observation(ARTIFACT, PROCESS))
    assert (branch.follows, branch.left) == (["reader.verify"], {"steps": []})


def test_nothing_to_change_and_proven_follows_nothing() -> None:
    branch = decided(observation(ARTIFACT, PROCESS, proven=True))
    assert (branch.follows, branch.left) == ([], {"steps": []})


def test_proven_does_not_hide_a_change() -> None:
    assert decided(observation(ARTIFACT, proven=True)).follows == ["reader.apply", "reader.verify"]


def test_a_component_that_was_not_selected_follows_nothing_and_leaves_no_plan() -> None:
    assert decided(None) == Branch([], {})


def test_a_report_goes_on_whatever_was_decided() -> None:
    for found in (observation(), observation(ARTIFACT, PROCESS, proven=True)):
        branch = decided(found, report_only=True)
        assert branch.follows == ["report"]
        assert "steps" in branch.left


@pytest.mark.usefixtures("place")
def test_a_plan_that_is_a_task_as_all_others_skips_what_it_does_not_follow() -> None:
    ti = TaskInstance(reader_observe=observation(ARTIFACT, PROCESS))
    with DAG("any", schedule=None):
        operator = PlanComponentOperator(task_id="reader.plan", component="reader")
        operator >> [
            WaitComponentOperator(task_id=f"reader.{verb}", component="reader") for verb in ("apply", "verify")
        ]
    context: Any = {"ti": ti, "task": operator}
    ti.task = operator
    with pytest.raises(DownstreamTasksSkipped) as skipped:
        operator.execute(context)
    assert skipped.value.tasks == [("reader.apply", -1)]
    assert ti.values["pushed", "steps"] == []


def with_plan(*steps: Step) -> Any:
    ti = TaskInstance()
    ti.values["reader_plan", "steps"] = [step.model_dump() for step in steps]
    ti.values["postgresql_plan", "steps"] = ti.values["reader_plan", "steps"]
    return {"ti": ti, "params": {}}


FETCH = Step(verb="fetch", kind="artifact", name="java25", reason="it is not there")
START = Step(verb="start", kind="process", name="server", reason="it is not there")


def test_fetching_carries_out_the_artifact_steps_alone(place: Place) -> None:
    FetchArtifactsOperator(task_id="fetch", component="reader").execute(with_plan(FETCH, START))
    assert place.done == [("fetch", "reader", ["java25"])]


def test_applying_carries_out_the_other_steps(place: Place) -> None:
    ApplyComponentOperator(task_id="apply", component="reader").execute(with_plan(FETCH, START))
    assert place.done == [("apply", "reader", ["server"])]


def test_applying_without_steps_changes_nothing(place: Place) -> None:
    ApplyComponentOperator(task_id="apply", component="postgresql").execute(with_plan())
    assert place.done == [("apply", "postgresql", [])]


def test_a_plan_that_is_not_there_is_not_taken_for_one_without_steps(place: Place) -> None:
    operator = ApplyComponentOperator(task_id="apply", component="reader")
    with pytest.raises(AirflowFailException, match=r"reader\.plan left no plan"):
        operator.execute({"ti": TaskInstance()})  # type: ignore[typeddict-item]
    assert place.done == []


def test_what_runs_airflow_is_not_restarted_from_inside_a_task(place: Place) -> None:
    operator = ApplyComponentOperator(task_id="apply", component="postgresql")
    with pytest.raises(AirflowFailException, match=r"start process server.*bootstrap up"):
        operator.execute(with_plan(START))
    assert place.done == []


MAKE = Step(verb="make", kind="claim", name="database reader", reason="it is not there")


def test_what_runs_airflow_makes_what_others_claim_from_inside_a_task(place: Place) -> None:
    operator = ApplyComponentOperator(task_id="apply", component="postgresql")
    operator.execute(with_plan(MAKE))
    assert place.done == [("apply", "postgresql", ["database reader"])]


def test_what_runs_airflow_makes_nothing_while_it_differs_otherwise(place: Place) -> None:
    operator = ApplyComponentOperator(task_id="apply", component="postgresql")
    with pytest.raises(AirflowFailException, match=r"\(start process server: [^;]*\) and runs this very task"):
        operator.execute(with_plan(START, MAKE))
    assert place.done == []


def test_waiting_waits(place: Place) -> None:
    WaitComponentOperator(task_id="wait", component="reader").execute({"ti": TaskInstance()})  # type: ignore[typeddict-item]
    assert place.done == [("wait", "reader", [])]


def test_what_changes_the_platform_holds_the_lease_for_the_run(place: Place) -> None:
    for operator in (FetchArtifactsOperator, ApplyComponentOperator, WaitComponentOperator):
        operator(task_id="any", component="reader").execute(with_plan())
    assert place.lease.taken == [("stack_deploy/first", "deploy")] * 3


def test_nothing_is_changed_while_somebody_else_does(place: Place) -> None:
    place.lease.others = [held_by("stack_upgrade/second")]
    for operator in (FetchArtifactsOperator, ApplyComponentOperator, WaitComponentOperator):
        with pytest.raises(AirflowFailException, match="somebody else is changing the platform: stack_upgrade/second"):
            operator(task_id="any", component="reader").execute(with_plan())
    assert place.done == []


def test_an_observation_is_plain_data(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    del place
    seen = [Seen(kind="artifact", name="java25", digest="a1")]
    monkeypatch.setattr(verbs, "observe", lambda *_: Observation([ARTIFACT, PROCESS], seen, True))
    operator = ObserveComponentOperator(task_id="observe", component="reader")
    found = operator.execute({"params": {}})
    assert found == observation(ARTIFACT, proven=True)


@pytest.mark.parametrize(
    ("selection", "skipped"), [([], False), (["reader"], False), (["portal"], False), (["s3"], True)]
)
def test_a_component_is_skipped_unless_it_or_what_needs_it_was_selected(
    place: Place, monkeypatch: pytest.MonkeyPatch, selection: list[str], skipped: bool
) -> None:
    del place
    monkeypatch.setattr(verbs, "observe", lambda *_: Observation([], [], True))
    operator = ObserveComponentOperator(task_id="observe", component="reader")
    context: Any = {"params": {"components": selection}}
    if skipped:
        with pytest.raises(AirflowSkipException, match="reader is not among s3"):
            operator.execute(context)
    else:
        assert operator.execute(context)["proven"]


def results(*statuses: str) -> list[CheckResult]:
    return [CheckResult("reader", f"check-{i}", s, 0.5, f"evidence {i}") for i, s in enumerate(statuses)]  # type: ignore[arg-type]


def verified(
    monkeypatch: pytest.MonkeyPatch,
    *statuses: str,
    others: Sequence[Lease | Exception | None] = (None,),
    **options: Any,
) -> list[str]:
    FakeLease(others).put(monkeypatch)
    monkeypatch.setattr(verbs, "verify", lambda *_: results(*statuses))
    operator = CheckComponentOperator(task_id="verify", component="reader", reason="deploy", **options)
    return operator.execute({"ti": TaskInstance()})  # type: ignore[typeddict-item]


def test_passed_checks_are_a_success_with_a_line_each(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    del place
    assert verified(monkeypatch, "passed", "passed") == [
        "passed: check-0 (0.50 s): evidence 0",
        "passed: check-1 (0.50 s): evidence 1",
    ]


def test_a_failed_check_fails_the_task_with_its_evidence_and_what_to_do(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    del place
    with pytest.raises(AirflowFailException) as caught:
        verified(monkeypatch, "passed", "failed", "failed")
    assert "check-1 failed: evidence 1" in str(caught.value)
    assert "check-2 failed: evidence 2" in str(caught.value)
    assert "check-0" not in str(caught.value)
    assert "bootstrap logs reader" in str(caught.value)


def test_health_skips_what_was_never_deployed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.state = "absent"
    with pytest.raises(AirflowSkipException, match="not deployed yet"):
        verified(monkeypatch, "passed", only_deployed=True)


@pytest.mark.parametrize("state", ["running", "starting", "stopped", "failed", "installed"])
def test_health_checks_what_was_deployed_whatever_its_state(
    place: Place, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    place.state = state
    assert len(verified(monkeypatch, "passed", only_deployed=True)) == 1


def test_health_yields_to_who_changes_the_platform(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    del place
    with pytest.raises(AirflowSkipException, match="held by stack_upgrade/second"):
        verified(monkeypatch, "passed", others=[OTHER], only_deployed=True)


def test_health_looks_where_nobody_knows_who_changes_the_platform(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database may be what is broken."""
    del place
    assert len(verified(monkeypatch, "passed", others=[ConnectionRefusedError()], only_deployed=True)) == 1
    with pytest.raises(AirflowFailException, match="check-0 failed"):
        verified(monkeypatch, "failed", others=[ConnectionRefusedError()], only_deployed=True)


def test_a_check_that_failed_because_a_deploy_began_is_no_failure_of_health(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    del place
    with pytest.raises(AirflowSkipException, match="held by stack_upgrade/second"):
        verified(monkeypatch, "failed", others=[None, OTHER], only_deployed=True)
    with pytest.raises(AirflowFailException, match="check-0 failed"):
        verified(monkeypatch, "failed", only_deployed=True)


def test_the_deploys_own_checks_hold_the_lease_and_those_of_health_do_not(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    del place
    with pytest.raises(AirflowFailException, match="somebody else is changing the platform: stack_upgrade/second"):
        verified(monkeypatch, "passed", others=[OTHER])
    lease = FakeLease().put(monkeypatch)
    for reason, only_deployed in (("deploy", False), ("health", True)):
        held: list[bool] = []
        monkeypatch.setattr(verbs, "verify", lambda *_, held=held: held.append(lease.is_held) or results("passed"))
        operator = CheckComponentOperator(
            task_id="verify", component="reader", reason=reason, only_deployed=only_deployed
        )
        operator.execute({"ti": TaskInstance()})  # type: ignore[typeddict-item]
        assert held == [reason == "deploy"]


def test_a_look_for_the_report_yields_and_the_deploys_own_does_not(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    del place
    monkeypatch.setattr(verbs, "observe", lambda *_: Observation([], [], True))
    FakeLease([OTHER]).put(monkeypatch)
    context: Any = {"ti": TaskInstance(), "params": {}}
    with pytest.raises(AirflowSkipException, match="held by stack_upgrade/second"):
        ObserveComponentOperator(task_id="observe", component="reader", yields=True).execute(context)
    assert ObserveComponentOperator(task_id="observe", component="reader").execute(context)["proven"]


def test_a_link_leads_to_the_components_page_or_to_airflow(place: Place) -> None:
    del place
    link = ComponentLink()
    wait = WaitComponentOperator(task_id="wait", component="reader")
    assert link.get_link(wait, ti_key=None) == "https://reader.http.example/ui/"
    assert link.get_link(WaitComponentOperator(task_id="wait", component="minio"), ti_key=None) == "/"
    assert links.ComponentLink.name == "Component"
