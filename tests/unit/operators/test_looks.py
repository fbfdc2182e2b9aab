"""What a task left that looked, and what a plan did."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from data_platform.operators import looks
from data_platform.stack.plan import Step
from data_platform.targets.base import Target

OBSERVED = {"wanted": [], "seen": [], "proven": True}
STEP = Step(verb="start", kind="process", name="server", reason="it is not there")


def context(task_id: str, key: str, left: object) -> Any:
    def xcom_pull(*, task_ids: str, key: str, map_indexes: int) -> Any:
        return {(task_id, wanted, -1): left}[task_ids, key, map_indexes]

    wanted = key
    return {"ti": SimpleNamespace(xcom_pull=xcom_pull)}


@pytest.mark.parametrize("left", [OBSERVED, json.dumps(OBSERVED)])
def test_the_plan_reads_what_a_task_left_and_what_a_trigger_left(left: object) -> None:
    given = context("reader.observe", "return_value", left)
    branch = looks.decide(cast("Target", None), given, "reader", report_only=False)
    assert branch.said == ["nothing to change, and all checks passed within the last hour"]


@pytest.mark.parametrize("left", [[STEP.model_dump()], json.dumps([STEP.model_dump()])])
def test_steps_are_read_from_what_a_task_left_and_from_what_a_trigger_left(left: object) -> None:
    assert looks.planned(context("reader.plan", "steps", left), "reader.plan") == [STEP]
