"""The drift report fails when something would change, and names it."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from data_platform.operators import triggerer
from data_platform.operators.drift import ReportDriftOperator
from data_platform.stack.plan import Step
from tests.unit.operators.fake_lease import FakeLease, held_by

STEP = Step(verb="start", kind="process", name="server", reason="it is FATAL")


def report(*, is_held: bool = False, **plans: list[Step] | None) -> str:
    class TaskInstance:
        def xcom_pull(self, *, task_ids: str, key: str, map_indexes: int) -> Any:
            assert (key, map_indexes) == ("steps", -1)
            found = plans[task_ids.partition(".")[0]]
            return None if found is None else [step.model_dump() for step in found]

    operator = ReportDriftOperator(task_id="report", plans=[f"{name}.plan" for name in plans])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(triggerer, "current", lambda: "the place")
        FakeLease([held_by("stack_deploy/first") if is_held else None]).put(patch)
        return str(operator.execute({"ti": TaskInstance()}))  # type: ignore[typeddict-item]


def test_no_steps_anywhere_is_no_drift() -> None:
    assert report(trino=[], minio=[]) == "no drift in 2 components"


def test_drift_names_component_step_and_reason_of_all() -> None:
    with pytest.raises(AirflowFailException) as caught:
        report(trino=[STEP], nessie=[], minio=[STEP, STEP])
    text = str(caught.value)
    assert text.count("minio: start process server: it is FATAL") == 2
    assert text.count("trino: start process server: it is FATAL") == 1
    assert "nessie" not in text
    assert "stack_deploy" in text


def test_a_missing_plan_is_not_taken_for_no_drift() -> None:
    with pytest.raises(AirflowFailException, match=r"minio\.plan left no plan"):
        report(trino=[], minio=None)


def test_what_somebody_is_changing_is_no_drift() -> None:
    with pytest.raises(AirflowSkipException, match="held by stack_deploy/first"):
        report(is_held=True, trino=[STEP])
