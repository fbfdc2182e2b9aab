"""One at a time changes the platform, on a platform that runs."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from data_platform.clients.supervisor import Supervisor
from data_platform.records import writes
from data_platform.targets.local.state import State
from tests.holding import Holds, running, soon

if TYPE_CHECKING:
    from data_platform.clients.airflow import Airflow
    from tests.running import Running

pytestmark = [pytest.mark.timeout(1800), pytest.mark.deep]


def newest(airflow: Airflow, dag: str) -> dict[str, str]:
    """State of each task of the newest run."""
    run = max(airflow.runs(dag), key=lambda found: str(found["run_after"]))
    return {task["task_id"]: task["state"] for task in airflow.tasks(dag, run["dag_run_id"])}


def holder(platform: Running) -> str:
    lease = platform.status()["lease"]
    return str(lease["holder"]) if lease else ""


def test_while_a_deploy_holds_the_platform_others_stand_back(platform: Running, airflow: Airflow) -> None:
    Supervisor(State(platform.folder).socket).stop("trino.server")
    upgrade = "run", "stack_upgrade", "--conf", '{"component": "nessie"}'
    with (
        Holds(platform, "stack_deploy", ["trino.apply"]) as holds,
        running(platform, "run", "stack_deploy") as (run, _),
    ):
        soon(holds.held)
        assert holder(platform).startswith("stack_deploy/")
        platform.bootstrap("run", "stack_health")
        states = newest(airflow, "stack_health")
        assert states.pop("lease") == "success"
        assert set(states.values()) == {"skipped"}
        platform.bootstrap("run", "stack_drift")
        assert set(newest(airflow, "stack_drift").values()) == {"skipped"}
        refused = platform.bootstrap(*upgrade, check=False)
        assert refused.returncode == 1
        assert "somebody else is changing the platform: stack_deploy/" in refused.stdout
        assert newest(airflow, "stack_upgrade")["roll_out"] == "upstream_failed"
        holds.end("trino.apply")
    assert run.process.returncode == 0
    assert holder(platform) == ""
    platform.bootstrap(*upgrade)
    assert holder(platform) == ""


def test_a_deploy_goes_on_holding_the_platform_when_the_scheduler_is_killed(platform: Running) -> None:
    Supervisor(State(platform.folder).socket).stop("trino.server")
    with Holds(platform, "stack_deploy", ["trino.wait"]) as holds, running(platform, "run", "stack_deploy") as (run, _):
        soon(holds.held)
        mine = holder(platform)
        os.kill(platform.programs()["airflow.scheduler"], signal.SIGKILL)
        holds.end("trino.wait")
        assert mine.startswith("stack_deploy/")
    assert run.process.returncode == 0
    assert holder(platform) == ""


def test_a_deploy_that_meets_another_holder_is_red_and_leaves_him_the_platform(
    platform: Running, airflow: Airflow
) -> None:
    writes.acquire(platform.target, "a drill", "a test")
    try:
        refused = platform.bootstrap("run", "stack_deploy", check=False)
        assert refused.returncode == 1
        assert "somebody else is changing the platform: a drill (a test)" in refused.stdout
        states = newest(airflow, "stack_deploy")
        assert (states["prepare"], states["release"]) == ("failed", "success")
        assert holder(platform) == "a drill"
    finally:
        writes.release(platform.target, "a drill")
    platform.bootstrap("run", "stack_deploy")
    assert holder(platform) == ""
