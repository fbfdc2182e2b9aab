"""### Keep the tables small

Every Sunday, for each dataset: join small files, and remove what no reader needs any more. Readers can go back 14 days.
Nothing is touched while a load of the dataset is going on or its audit is open, and no load begins meanwhile.

**Owner:** platform team. **When it fails:** the log names the table and what stands in the way; nothing is lost by
leaving it as it is until next week.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable

from data_platform.dagkit.components import DEFAULTS
from data_platform.operators.maintain import MaintainTablesOperator
from data_platform.operators.turn import RELEASE, TAKE, ReleaseTurnOperator, TakeTurnOperator
from data_platform.stack.stack import datasets
from data_platform.targets.current import ROOT

with DAG(
    "operations_tables",
    schedule=CronTriggerTimetable("0 3 * * 0", timezone="UTC", run_immediately=timedelta(0)),
    catchup=False,
    max_active_runs=1,
    # One driver of Spark at a time.
    max_active_tasks=1,
    default_args=DEFAULTS,
    tags=["operations"],
    doc_md=__doc__,
):
    for dataset in datasets(ROOT):
        turn = TakeTurnOperator(task_id=f"{TAKE}_{dataset}", dataset=dataset, skips=True)
        keep = MaintainTablesOperator(task_id=dataset, dataset=dataset)
        turn >> keep >> ReleaseTurnOperator(task_id=f"{RELEASE}_{dataset}", dataset=dataset).as_teardown(setups=turn)
