"""### Keep Airflow's own past small

Every Sunday: remove runs that are older than the platform's retention from Airflow's database (`retention` of the
environment: `runs_days`, 90 without it), and logs of tasks that were not written to for so long (`logs_days`, 30
without it). The last scheduled run of each DAG stays. What was removed is in the log of each task. Nothing waits for
this.

**Owner:** platform team. **When it fails:** the log names the table or file; nothing is lost by leaving it as it is
until next week. It can be run at any time: `python3 -m bootstrap run operations_airflow`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable

from data_platform.dagkit.components import DEFAULTS
from data_platform.operators.history import CleanLogsOperator, CleanRunsOperator

with DAG(
    "operations_airflow",
    schedule=CronTriggerTimetable("0 4 * * 0", timezone="UTC", run_immediately=timedelta(0)),
    catchup=False,
    max_active_runs=1,
    # The first time there may be years of it.
    default_args=DEFAULTS | {"execution_timeout": timedelta(hours=1)},
    tags=["operations"],
    doc_md=__doc__,
):
    CleanRunsOperator(task_id="runs")
    CleanLogsOperator(task_id="logs")
