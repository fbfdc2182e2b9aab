"""The tasks of `stack_upgrade`, each alone: what works is upgraded, and rolled back when it works no more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from data_platform import lifecycle
from data_platform.checks.base import CheckResult
from data_platform.operators import upgrade
from data_platform.operators.upgrade import (
    CheckAfterOperator,
    CheckBeforeOperator,
    RollBackOperator,
    RollOutOperator,
)
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import load_stack
from data_platform.stack.plan import Resource, Seen, Step
from data_platform.stack.stack import Stack
from tests.unit.operators.fake_lease import FakeLease, held_by

if TYPE_CHECKING:
    from tests.conftest import Tiny

ARTIFACT = Resource(kind="artifact", name="java25", digest="a1")
PROCESS = Resource(kind="process", name="server", digest="b1")


class Place:
    """A target that notes what it is asked to do.

    Attributes:
        fails: what a verb ends with, by its name.
        works: whether the component's check passes.
    """

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.done: list[object] = []
        self.seen: list[Seen] = []
        self.fails: dict[str, PlatformError] = {}
        self.works = True
        self.lease = FakeLease()

    def _do(self, verb: str, *of: object) -> None:
        assert self.lease.is_held, f"{verb} without the lease"
        self.done.append((verb, *of))
        if verb in self.fails:
            raise self.fails[verb]

    def verify(self, target: object, component: str, reason: str) -> list[CheckResult]:
        """In the place of `lifecycle.verify`."""
        assert (target, reason) == (self, "upgrade")
        self._do("verify", component)
        status, evidence = ("passed", "200") if self.works else ("failed", "answers 503")
        return [
            CheckResult(component, "answers", status, 0.1, evidence),  # type: ignore[arg-type]
            CheckResult(component, "answers-elsewhere", "skipped", 0.1, "no other address"),
        ]

    def wanted(self, component: str) -> list[Resource]:
        assert component == "reader"
        return [ARTIFACT, PROCESS]

    def observe(self, component: str) -> list[Seen]:
        assert component == "reader"
        return self.seen

    def revision(self, component: str) -> str:
        self._do("revision", component)
        return "7"

    def fetch(self, component: str, steps: Sequence[Step]) -> None:
        self._do("fetch", component, [step.name for step in steps])

    def apply(self, component: str, steps: Sequence[Step]) -> None:
        self._do("apply", component, [step.name for step in steps])

    def wait(self, component: str) -> None:
        self._do("wait", component)

    def restore(self, component: str, revision: str) -> None:
        self._do("restore", component, revision)


class TaskInstance:
    """What an earlier task left."""

    dag_id, run_id = "stack_upgrade", "first"

    def __init__(self, **left: object) -> None:
        self.left = left

    def xcom_pull(self, *, task_ids: str) -> object:
        return self.left.get(task_ids)


@pytest.fixture
def place(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> Place:
    made = Place(load_stack(tiny.root))
    monkeypatch.setattr(upgrade, "current", lambda: made)
    monkeypatch.setattr(lifecycle, "verify", made.verify)
    made.lease = FakeLease().put(monkeypatch)
    return made


def run(operator: Any, component: str = "reader", **left: object) -> Any:
    return operator.execute({"params": {"component": component}, "ti": TaskInstance(**left)})


def operators() -> list[Any]:
    return [
        CheckBeforeOperator(task_id="check_before"),
        RollOutOperator(task_id="roll_out"),
        CheckAfterOperator(task_id="check_after"),
        RollBackOperator(task_id="roll_back", before="check_before"),
    ]


REMEMBERED = {"component": "reader", "revision": "7"}


# Which component


@pytest.mark.parametrize("operator", operators()[:3], ids=lambda o: o.task_id)
def test_a_component_that_does_not_exist_fails_and_nothing_is_done(place: Place, operator: Any) -> None:
    with pytest.raises(AirflowFailException, match="raeder"):
        run(operator, "raeder")
    assert place.done == []


@pytest.mark.parametrize("operator", operators()[:3], ids=lambda o: o.task_id)
def test_what_runs_the_task_itself_is_left_to_the_bootstrap(place: Place, operator: Any) -> None:
    with pytest.raises(AirflowFailException, match="postgresql runs this very task → run: python3 -m bootstrap up"):
        run(operator, "postgresql")
    assert place.done == []


@pytest.mark.parametrize("operator", operators()[:3], ids=lambda o: o.task_id)
def test_outside_of_a_platform_a_task_fails_with_the_reason(operator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> None:
        raise PlatformError("DATA_PLATFORM_STATE is not set", "run it in Airflow")

    monkeypatch.setattr(upgrade, "current", nowhere)
    with pytest.raises(AirflowFailException, match="DATA_PLATFORM_STATE is not set"):
        run(operator)


def test_a_capability_is_upgraded_as_the_component_that_provides_it(place: Place) -> None:
    assert run(CheckBeforeOperator(task_id="check_before"), "s3") == {"component": "minio", "revision": "7"}
    assert place.done == [("verify", "minio"), ("revision", "minio")]


# The lease


def test_each_task_holds_the_lease_for_the_run(place: Place) -> None:
    for operator in operators()[:3]:
        run(operator)
    back()
    upgraded = ("stack_upgrade/first", "upgrade reader")
    assert place.lease.taken == [upgraded, upgraded, upgraded, ("stack_upgrade/first", "roll reader back")]


def test_nothing_is_done_while_somebody_else_changes_the_platform(place: Place) -> None:
    place.lease.others = [held_by("stack_deploy/first")]
    for operator in operators():
        with pytest.raises(AirflowFailException, match="somebody else is changing the platform: stack_deploy/first"):
            run(operator, check_before=REMEMBERED)
    assert place.done == []


# check_before


def test_the_revision_to_go_back_to_is_remembered_of_what_works(place: Place) -> None:
    assert run(CheckBeforeOperator(task_id="check_before")) == REMEMBERED
    assert place.done == [("verify", "reader"), ("revision", "reader")]


def test_what_does_not_work_is_not_upgraded(place: Place) -> None:
    place.works = False
    with pytest.raises(AirflowFailException, match="check answers failed: answers 503") as caught:
        run(CheckBeforeOperator(task_id="check_before"))
    assert "stack_deploy mends it" in str(caught.value)
    assert place.done == [("verify", "reader")]


# roll_out


def test_artifacts_are_fetched_before_the_rest_is_applied_and_it_is_waited_for(place: Place) -> None:
    place.seen = [Seen(kind="process", name="server", digest="b0")]
    steps = run(RollOutOperator(task_id="roll_out"))
    assert place.done == [("fetch", "reader", ["java25"]), ("apply", "reader", ["server"]), ("wait", "reader")]
    assert [step.partition(":")[0] for step in steps] == ["fetch artifact java25", "restart process server"]


def test_what_is_there_already_takes_no_step(place: Place) -> None:
    place.seen = [Seen(kind=r.kind, name=r.name, digest=r.digest) for r in (ARTIFACT, PROCESS)]
    assert run(RollOutOperator(task_id="roll_out")) == []
    assert place.done == [("fetch", "reader", []), ("apply", "reader", []), ("wait", "reader")]


@pytest.mark.parametrize(("verb", "begun"), [("fetch", 1), ("apply", 2), ("wait", 3)])
def test_a_roll_out_that_fails_goes_no_further(place: Place, verb: str, begun: int) -> None:
    place.fails[verb] = PlatformError(f"{verb} does not go", "mend it")
    with pytest.raises(PlatformError, match=f"{verb} does not go"):
        run(RollOutOperator(task_id="roll_out"))
    assert [done[0] for done in place.done] == ["fetch", "apply", "wait"][:begun]  # type: ignore[index]


# check_after


def test_each_check_of_what_was_rolled_out_is_told(place: Place) -> None:
    told = run(CheckAfterOperator(task_id="check_after"))
    assert place.done == [("verify", "reader")]
    assert told == ["passed: answers: 200", "skipped: answers-elsewhere: no other address"]


def test_a_check_that_fails_afterwards_fails_the_task(place: Place) -> None:
    place.works = False
    with pytest.raises(PlatformError, match="reader: check answers failed: answers 503"):
        run(CheckAfterOperator(task_id="check_after"))


# roll_back


def back(remembered: object = REMEMBERED) -> str:
    """What the task says; it fails always."""
    with pytest.raises(AirflowFailException) as caught:
        # The component that the run's parameter names is none of its business.
        run(RollBackOperator(task_id="roll_back", before="check_before"), "another", check_before=remembered)
    return str(caught.value)


BACK = [("restore", "reader", "7"), ("wait", "reader"), ("verify", "reader")]


def test_the_revision_of_before_is_brought_back_and_the_run_stays_red(place: Place) -> None:
    assert back().startswith("the upgrade of reader failed; revision 7 is back and its checks pass →")
    assert place.done == BACK


@pytest.mark.parametrize(("verb", "begun"), [("restore", 1), ("wait", 2)])
def test_a_way_back_that_fails_says_so(place: Place, verb: str, begun: int) -> None:
    place.fails[verb] = PlatformError("it keeps no earlier definitions", "deploy it again")
    said = back()
    assert said.startswith("the upgrade of reader failed, and so did the way back: it keeps no earlier definitions")
    assert "deploy it again" in said
    assert place.done == BACK[:begun]


def test_what_is_back_and_does_not_work_is_no_success(place: Place) -> None:
    place.works = False
    assert "and so did the way back: reader: check answers failed" in back()
    assert place.done == BACK


@pytest.mark.parametrize("remembered", [None, {}])
def test_without_an_upgrade_nothing_is_rolled_back(place: Place, remembered: object) -> None:
    assert back(remembered) == "nothing was upgraded, so nothing is rolled back"
    assert place.done == []
