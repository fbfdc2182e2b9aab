"""### Report drift

Once a day: what would `stack_deploy` change? Nothing is the right answer. A hand-made change (an edited configuration,
a stopped server, a dropped bucket) or a definition that was changed but not deployed turns the run red and is named.
A run that meets somebody who changes the platform (`stack_deploy`, an upgrade, a rotation) is skipped.

**Owner:** platform team. **When it fails:** read the report in the log of `report`; trigger `stack_deploy` to bring the
platform back to its definition, or change the definition.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable

from data_platform.dagkit.components import DEFAULTS, plan_groups
from data_platform.operators.drift import ReportDriftOperator
from data_platform.targets.current import current_stack

with DAG(
    "stack_drift",
    # Not at once: the platform is not there yet when Airflow starts for the first time.
    schedule=CronTriggerTimetable("30 5 * * *", timezone="UTC", run_immediately=timedelta(0)),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS | {"retries": 0},
    tags=["stack"],
    doc_md=__doc__,
):
    plans = plan_groups(current_stack())
    plans >> ReportDriftOperator(task_id="report", plans=[plan.task_id for plan in plans])
