"""Runs of one dataset wait for each other on the real platform, whatever started them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from data_platform.clients import connect
from data_platform.clients.airflow import METADATA, RUN_ENDS, Airflow
from tests.holding import Holds, rest, soon
from tests.running import Running

pytestmark = [pytest.mark.timeout(1800), pytest.mark.deep]

DAG = "pipelines_fx_rates"
#: A Saturday, on which the ECB publishes nothing.
SATURDAY = "2002-06-01"
#: The first of the Mondays of whose history one is chosen.
MONDAY, MONDAYS = date(2005, 1, 3), 1000


def states(airflow: Airflow, run: str) -> dict[str, str]:
    return {task["task_id"]: task["state"] for task in airflow.tasks(DAG, run)}


def said(airflow: Airflow, run: str) -> str:
    return "\n".join(airflow.log(DAG, run, "turn", 1))


def begun(airflow: Airflow, before: set[str]) -> Callable[[], str]:
    """A run that was not there before."""

    def look() -> str:
        return next((r["dag_run_id"] for r in airflow.runs(DAG) if r["dag_run_id"] not in before), "")

    return look


def ended(airflow: Airflow, run: str) -> str:
    return soon(lambda: state if (state := airflow.run_state(DAG, run)) in RUN_ENDS else "")


def backfill(airflow: Airflow) -> str:
    """Start Airflow's own backfill of one day and return its run."""
    before = {r["dag_run_id"] for r in airflow.runs(DAG)}
    # Another one each time: a day that was filled already would be the same run again.
    day = MONDAY + timedelta(weeks=secrets.randbelow(MONDAYS))
    body = {"dag_id": DAG, "from_date": f"{day}T00:00:00Z", "to_date": f"{day}T23:59:59Z"}
    airflow._request("POST", "/api/v2/backfills", json=body)
    return soon(begun(airflow, before))


def clear(airflow: Airflow, run: str, task: str, **more: Any) -> None:
    body = {"dry_run": False, "dag_run_id": run, "task_ids": [task], "only_failed": False, "reset_dag_runs": True}
    airflow._request("POST", f"/api/v2/dags/{DAG}/clearTaskInstances", json=body | more)


def publish_one(platform: Running, airflow: Airflow, folder: Path) -> str:
    """The run that came for a new file and has published it; its id."""
    # Another one in each session: a platform that is kept has the one of before.
    file = folder / "saturday.csv"
    file.write_text(f"Date,USD\n{SATURDAY},0.91{secrets.randbelow(10**6):06}\n", encoding="utf-8")
    rest(airflow, DAG)
    before = {r["dag_run_id"] for r in airflow.runs(DAG)}
    platform.bootstrap("ingest", "fx_rates", str(file))

    def publishing() -> str:
        since = [r["dag_run_id"] for r in airflow.runs(DAG) if r["dag_run_id"] not in before]
        return next((run for run in since if states(airflow, run).get("publish") == "success"), "")

    published = soon(publishing)
    assert ended(airflow, published) == "success"
    return published


def test_a_run_waits_for_a_backfill_and_says_so_without_keeping_a_worker(platform: Running, airflow: Airflow) -> None:
    with Holds(platform, DAG, ["discover"]) as holds:
        first = backfill(airflow)
        soon(holds.held)
        second = airflow.trigger(DAG, {})
        soon(lambda: states(airflow, second).get("turn") == "deferred")
        soon(lambda: f"waiting for the turn of fx_rates, after {DAG}/{first}" in said(airflow, second))
        assert states(airflow, second)["discover"] is None
        holds.end("discover")
    assert (ended(airflow, first), ended(airflow, second)) == ("success", "success")
    assert states(airflow, first)["release"] == "success"


def test_a_cleared_task_waits_too_and_works_anew(platform: Running, airflow: Airflow, tmp_path: Path) -> None:
    published = publish_one(platform, airflow, tmp_path)
    with Holds(platform, DAG, ["discover"]) as holds:
        first = backfill(airflow)
        soon(holds.held)
        clear(airflow, published, "load", include_downstream=True)
        soon(lambda: f"after {DAG}/{first}" in said_again(airflow, published))
        assert states(airflow, published)["load"] is None
        holds.end("discover")
    assert ended(airflow, first) == "success"
    assert ended(airflow, published) == "success"
    assert states(airflow, published)["load"] == "success"


def said_again(airflow: Airflow, run: str) -> str:
    (turn,) = (task for task in airflow.tasks(DAG, run) if task["task_id"] == "turn")
    return "\n".join(airflow.log(DAG, run, "turn", turn["try_number"]))


def test_a_task_that_is_cleared_alone_has_the_turn_again_and_gives_it_back(
    platform: Running, airflow: Airflow, tmp_path: Path
) -> None:
    published = publish_one(platform, airflow, tmp_path)
    clear(airflow, published, "load")
    # Airflow clears setup and teardown with it.
    again = ("turn", "load", "release")
    soon(lambda: len(ended_again(airflow, published)) == len(again))
    assert ended(airflow, published) == "success"
    found = ended_again(airflow, published)
    assert sorted(found, key=found.__getitem__) == list(again)


def ended_again(airflow: Airflow, run: str) -> dict[str, str]:
    """Tasks of a run that succeeded at a second try, and when."""
    tasks = [task for task in airflow.tasks(DAG, run) if task["try_number"] > 1 and task["state"] == "success"]
    return {task["task_id"]: task["end_date"] for task in tasks}


def test_the_turn_of_a_run_that_was_removed_is_taken_over(platform: Running, airflow: Airflow) -> None:
    with Holds(platform, DAG, ["discover"]) as holds:
        first = backfill(airflow)
        soon(holds.held)
        second = airflow.trigger(DAG, {})
        soon(lambda: states(airflow, second).get("turn") == "deferred")
        soon(lambda: f"after {DAG}/{first}" in said(airflow, second))
        # By hand: Airflow itself removes no run that goes on.
        with closing(connect.postgres(platform.target, "airflow", METADATA)) as database:
            database.execute("delete from dag_run where dag_id = %s and run_id = %s", (DAG, first))
        soon(lambda: states(airflow, second).get("turn") == "success")
        holds.end("discover")
    assert ended(airflow, second) == "success"
