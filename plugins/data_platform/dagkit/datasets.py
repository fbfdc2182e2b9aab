"""Schedule and arguments that every pipeline shares."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, AssetOrTimeSchedule, AssetWatcher, CronTriggerTimetable, Param

from data_platform.dagkit.alerts import alert
from data_platform.dagkit.holds import wait_at_hold
from data_platform.datasets.way import table_place
from data_platform.operators.ingest import FROM, TO
from data_platform.operators.turn import require_turn
from data_platform.operators.watch import NewFilesTrigger
from data_platform.stack import lake

#: Arguments of every task of a pipeline, besides the owner, whom its contract names.
DEFAULTS: dict[str, Any] = {
    "retries": 2,
    "retry_delay": timedelta(seconds=10),
    "execution_timeout": timedelta(minutes=30),
    "on_failure_callback": alert,
    "pre_execute": wait_at_hold,
}


def _begin(context: Any) -> None:
    wait_at_hold(context)
    require_turn(context)


#: Arguments of what works on branch and tables, between the two tasks of the turn.
IN_TURN: dict[str, Any] = {"pre_execute": _begin}
#: The form asks for a date; the task that reads it says what is wrong with another text.
_DAY: dict[str, Any] = {"type": ["null", "string"], "format": "date"}
PARAMS: dict[str, Param] = {
    FROM: Param(None, **_DAY, title="First day to load again from all files"),
    TO: Param(None, **_DAY, title="Last day to load again from all files"),
}


def raw_zone(dataset: str) -> Asset:
    """The dataset's files in the object store; an event for each time that new ones are seen."""
    watcher = AssetWatcher(name=f"{dataset}_files", trigger=NewFilesTrigger(dataset))
    return Asset(name=f"{lake.RAW}/{dataset}", uri=f"s3://{lake.RAW}/{dataset}", watchers=[watcher])


def table(name: str) -> Asset:
    """A table of the lakehouse, under the name that lineage has for it.

    Args:
        name: schema and table, such as raw.fx_rates.
    """
    return Asset(name=lake.table(name), uri=table_place(name))


def when_files_come_or(cron: str, timezone: str, dataset: str) -> AssetOrTimeSchedule:
    """Run when files were received, and at fixed times, whose data interval is the day before.

    Args:
        cron: times, for what was missed and so that silence is noticed.
        timezone: IANA name.
        dataset: whose files.
    """
    # Not at once: the platform is not there yet when Airflow starts for the first time. (With a `start_date` the DAG
    # would not ask for this, and begin with the time that has just passed.)
    times = CronTriggerTimetable(cron, timezone=timezone, interval=timedelta(days=1), run_immediately=timedelta(0))
    return AssetOrTimeSchedule(timetable=times, assets=raw_zone(dataset))
