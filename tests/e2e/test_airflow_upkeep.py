"""Airflow's own past on the real platform: what is old goes, what is young stays, and the run tells it."""

from __future__ import annotations

import os
import time
import uuid
from contextlib import closing

import pytest

from data_platform.clients import connect
from data_platform.clients.airflow import METADATA, Airflow
from tests.running import Running

pytestmark = pytest.mark.timeout(1800)
DAG = "operations_airflow"


def test_old_rows_and_logs_are_removed_and_told_and_young_ones_stay(platform: Running, airflow: Airflow) -> None:
    mark = f"upkeep-{uuid.uuid4().hex}"
    with closing(connect.postgres(platform.target, "airflow", METADATA)) as database:
        for age in ("400 days", "1 day"):
            database.execute("insert into log (dttm, event) values (now() - %s::interval, %s)", (age, mark))
        folder = platform.folder / "logs" / "airflow" / f"dag_id={mark}"
        old, young = (folder / f"run_id={name}" / "task_id=t" / "attempt=1.log" for name in ("old", "young"))
        for path in (old, young):
            path.parent.mkdir(parents=True)
            path.write_text("a line\n", encoding="utf-8")
        then = time.time() - 400 * 86400
        os.utime(old, (then, then))
        runs = {run["dag_run_id"] for run in airflow.runs("stack_deploy")}
        platform.bootstrap("run", DAG)
        kept = database.execute("select count(*) from log where event = %s", (mark,)).fetchone()
        assert kept == (1,)
        assert (old.parent.parent.exists(), young.exists()) == (False, True)
        assert {run["dag_run_id"] for run in airflow.runs("stack_deploy")} >= runs
        run = airflow.runs(DAG)[0]["dag_run_id"]
        said = {task: "\n".join(airflow.log(DAG, run, task, 1)) for task in ("runs", "logs")}
        assert "rows of log removed" in said["runs"]
        assert "rows older than 90 days removed from" in said["runs"]
        assert "logs (0.0 MB) that were not written to for 30 days removed" in said["logs"]
        # Nothing is left to do, and nothing was set aside.
        platform.bootstrap("run", DAG)
        left = database.execute(
            "select count(*) from pg_tables where tablename like '\\_airflow\\_deleted%'"
        ).fetchone()
        assert left == (0,)
        young.unlink()
