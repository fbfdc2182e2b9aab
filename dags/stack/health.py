"""### Check the platform

Every hour each component's checks do what its users do: run a query, store an object, write a table. Results are kept
for 90 days; the page *Health* in the menu shows the last day. While somebody holds the platform's lease
(`stack_deploy`, an upgrade, a rotation) they are skipped; the task `lease` says who, and is red when it has been held
for too long. The task `pipelines` is red when a dataset's pipeline is late by its contract, or is paused while runs of
it wait; its log says what to do.

**Owner:** platform team. **When it fails:** the failed task's log has the evidence; `python3 -m bootstrap logs
<component>` has the server's side. Trigger `stack_deploy` to bring the component back to its definition. When it is
`lease`: docs/runbooks/somebody-holds-the-platform.md.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable

from data_platform.dagkit.components import DEFAULTS, check_tasks
from data_platform.targets.current import current_stack

with DAG(
    "stack_health",
    # Not at once: the platform is not there yet when Airflow starts for the first time.
    schedule=CronTriggerTimetable("0 * * * *", timezone="UTC", run_immediately=timedelta(0)),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS | {"retries": 0},
    tags=["stack"],
    doc_md=__doc__,
):
    check_tasks(current_stack())
