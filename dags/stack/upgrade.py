"""### Upgrade one component

`check_before → roll_out → check_after`: only a component that works is upgraded, and one whose checks do not pass
afterwards is rolled back by itself (`roll_back`), to the configuration that it had too; the run is red then. On a
target that keeps no earlier definitions (`local`) `roll_back` says what to do instead. The run holds the platform's
lease: nothing else changes it meanwhile.

**Owner:** platform team. **When it fails:** `roll_back` says whether the component works again. Correct the definition
and trigger the DAG again. When somebody else holds the platform, `check_before` names him: wait until that has ended.

Parameter `component`: which one.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param, TriggerRule

from data_platform.dagkit.components import DEFAULTS, release_after
from data_platform.operators.upgrade import (
    COMPONENT,
    CheckAfterOperator,
    CheckBeforeOperator,
    RollBackOperator,
    RollOutOperator,
)
from data_platform.targets.current import current_stack

with DAG(
    "stack_upgrade",
    schedule=None,
    max_active_runs=1,
    catchup=False,
    # What fails here is rolled back, not tried again.
    default_args=DEFAULTS | {"retries": 0},
    tags=["stack"],
    doc_md=__doc__,
    params={COMPONENT: Param("trino", type="string", enum=list(current_stack().components), title="Component")},
):
    before = CheckBeforeOperator(task_id="check_before")
    # Long enough to find out that it does not come up.
    out = RollOutOperator(task_id="roll_out", execution_timeout=timedelta(minutes=20))
    after = CheckAfterOperator(task_id="check_after")
    back = RollBackOperator(task_id="roll_back", before=before.task_id, trigger_rule=TriggerRule.ONE_FAILED)
    before >> out >> after
    [out, after] >> back
    release_after([after, back])
