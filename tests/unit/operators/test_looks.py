"""What a task left that looked."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from data_platform.operators import looks


@pytest.mark.parametrize("left", [{"proven": True}, '{"proven": true}', None])
def test_the_plan_reads_what_a_task_left_and_what_a_trigger_left(left: object) -> None:
    context: Any = {"ti": SimpleNamespace(xcom_pull=lambda *, task_ids: {"reader.observe": left}[task_ids])}
    assert looks.observation(context, "reader.observe") == (None if left is None else {"proven": True})
