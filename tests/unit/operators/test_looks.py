"""What a task left that looked, and what a plan did."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
from airflow.sdk.exceptions import AirflowFailException

from data_platform.operators import looks
from data_platform.records import schema
from data_platform.stack.plan import Step
from data_platform.targets.base import Target
from tests.unit.operators.fake_lease import FakeLease, held_by

OBSERVED = {"wanted": [], "seen": [], "proven": True}
STEP = Step(verb="start", kind="process", name="server", reason="it is not there")


def context(task_id: str, key: str, left: object) -> Any:
    def xcom_pull(*, task_ids: str, key: str, map_indexes: int) -> Any:
        return {(task_id, wanted, -1): left}[task_ids, key, map_indexes]

    wanted = key
    return {"ti": SimpleNamespace(xcom_pull=xcom_pull)}


class Place:
    """A target that notes what it is asked to do."""

    def __init__(self, lease: FakeLease) -> None:
        self.lease = lease
        self.done: list[str] = []

    def migrate(self, target: object) -> list[str]:
        assert target is self
        self.done.append("migrate")
        return ["schema: none → 1"]

    def prepare(self) -> list[str]:
        assert self.lease.is_held
        self.done.append("prepare")
        return ["namespace storage: made"]


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Any:
    made = Place(FakeLease().put(monkeypatch))
    monkeypatch.setattr(schema, "migrate", made.migrate)
    return made


RUN = {"ti": SimpleNamespace(dag_id="stack_deploy", run_id="first")}


def test_a_deploy_brings_the_schema_takes_the_lease_and_prepares_the_place(place: Any) -> None:
    assert looks.prepare(place, cast("Any", RUN)) == ["schema: none → 1", "namespace storage: made"]
    assert place.done == ["migrate", "prepare"]
    assert place.lease.taken == [("stack_deploy/first", "deploy")]


def test_a_deploy_begins_nothing_while_somebody_else_changes_the_platform(place: Any) -> None:
    place.lease.others = [held_by("stack_upgrade/second")]
    # Another try would not mend it.
    with pytest.raises(AirflowFailException, match="somebody else is changing the platform: stack_upgrade/second"):
        looks.prepare(place, cast("Any", RUN))
    assert place.done == ["migrate"]


@pytest.mark.parametrize("left", [OBSERVED, json.dumps(OBSERVED)])
def test_the_plan_reads_what_a_task_left_and_what_a_trigger_left(left: object) -> None:
    given = context("reader.observe", "return_value", left)
    branch = looks.decide(cast("Target", None), given, "reader", report_only=False)
    assert branch.said == ["nothing to change, and all checks passed within the last hour"]


@pytest.mark.parametrize("left", [[STEP.model_dump()], json.dumps([STEP.model_dump()])])
def test_steps_are_read_from_what_a_task_left_and_from_what_a_trigger_left(left: object) -> None:
    assert looks.planned(context("reader.plan", "steps", left), "reader.plan") == [STEP]
