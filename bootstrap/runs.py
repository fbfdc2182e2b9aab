"""Trigger DAG runs and follow them."""

from __future__ import annotations

import argparse
import json
import time
from contextlib import closing
from datetime import datetime
from typing import Any

import httpx

from bootstrap.place import connect, open_target
from bootstrap.progress import Progress
from data_platform.checks.base import Deadline
from data_platform.clients.airflow import RUN_ENDS, TASK_ENDS, Airflow
from data_platform.stack.errors import PlatformError

#: Seconds between two looks at a run.
_LOOK = 0.5
#: The API server may be away for this long (it was killed and is started again) before following gives up.
_AWAY_SECONDS = 120.0
_LOG_LINES = 25
#: How long a DAG may take until it is parsed: after Airflow's first start, and when it has run for a while.
_FIRST_DAGS_SECONDS, _NEW_DAG_SECONDS = 60.0, 15.0


class _NotThereError(Exception):
    """The DAG has not been parsed yet."""


def run(arguments: argparse.Namespace) -> int:
    """Trigger a DAG, follow it, and exit 0 when the run succeeds."""
    try:
        conf = json.loads(arguments.conf)
    except ValueError as error:
        raise PlatformError(
            f"--conf is not JSON: {error}", """write for example --conf '{"components": ["trino"]}'"""
        ) from None
    if not isinstance(conf, dict):
        raise PlatformError("--conf is not a JSON object", """write for example --conf '{"components": ["trino"]}'""")
    # A target on a cluster forwards the port that is asked, as long as it is open.
    with closing(open_target(arguments)) as target, connect(target) as airflow:
        return 0 if follow(airflow, arguments.dag, conf, Progress(), _NEW_DAG_SECONDS) == "success" else 1


def follow(
    airflow: Airflow, dag: str, conf: dict[str, Any], progress: Progress, seconds: float = _FIRST_DAGS_SECONDS
) -> str:
    """Trigger a run and show its tasks until it ends; a run that is still going on is awaited first.

    Args:
        airflow: where.
        dag: DAG id.
        conf: parameters of the run.
        progress: shows it.
        seconds: how long Airflow may take until it knows the DAG.

    Returns:
        success or failed.

    Raises:
        PlatformError: there is no such DAG, or Airflow does not answer, or refuses.
    """

    def parsed() -> None:
        if not airflow.has_dag(dag):
            raise _NotThereError

    try:
        Deadline(seconds).retry(parsed, on=(_NotThereError, httpx.TransportError))
    except _NotThereError:
        raise PlatformError(f"Airflow knows no DAG {dag!r}", "use one of: " + ", ".join(airflow.dag_ids())) from None
    except httpx.TransportError as error:
        raise PlatformError(f"Airflow does not answer: {error}", "run: python3 -m bootstrap up") from None
    except httpx.HTTPStatusError as error:
        raise _refused(error) from None
    try:
        airflow.unpause(dag)
        for active in airflow.active_runs(dag):
            progress.say(dag, f"a run is going on already ({active['dag_run_id']}); waiting for it")
            _await(airflow, dag, str(active["dag_run_id"]), progress)
        run_id = airflow.trigger(dag, conf)
    except httpx.HTTPStatusError as error:
        raise _refused(error) from None
    except httpx.TransportError as error:
        raise PlatformError(f"Airflow does not answer: {error}", "run: python3 -m bootstrap up") from None
    progress.say(dag, f"run {run_id}")
    state = _await(airflow, dag, run_id, progress)
    if state != "success":
        _show_failures(airflow, dag, run_id, progress)
    return state


def _refused(error: httpx.HTTPStatusError) -> PlatformError:
    answer = error.response
    remedy = (
        "the login in the credentials file is not Airflow's: restore the file, or run: python3 -m bootstrap up"
        if answer.status_code == httpx.codes.UNAUTHORIZED
        else "correct --conf where it is what was refused, or read: python3 -m bootstrap logs airflow"
    )
    return PlatformError(f"Airflow answers {answer.status_code}: {answer.text[:500]}", remedy)


def _await(airflow: Airflow, dag: str, run_id: str, progress: Progress) -> str:
    healthy_at = time.monotonic()
    try:
        while True:
            if _is_healthy(airflow):
                healthy_at = time.monotonic()
            elif time.monotonic() - healthy_at > _AWAY_SECONDS:
                raise PlatformError(
                    f"Airflow's scheduler has not been healthy for {_AWAY_SECONDS:.0f} s; {dag} does not go on",
                    "read python3 -m bootstrap logs airflow, mend the cause, then run: python3 -m bootstrap up",
                )
            state, tasks = Deadline(_AWAY_SECONDS).retry(
                lambda: (airflow.run_state(dag, run_id), airflow.tasks(dag, run_id)),
                on=(httpx.TransportError, httpx.HTTPStatusError),
            )
            progress.tasks(dag, {t["task_id"]: (t["state"] or "none", _seconds(t)) for t in tasks})
            if state in RUN_ENDS:
                return state
            time.sleep(_LOOK)  # between two looks; the loop ends on what it sees
    except httpx.HTTPError as error:
        raise PlatformError(f"Airflow does not answer: {error}", "run: python3 -m bootstrap up") from None
    finally:
        progress.end()


def _is_healthy(airflow: Airflow) -> bool:
    """Whether the API server answers and the scheduler sends its heartbeats."""
    try:
        return airflow.health().get("scheduler") == "healthy"
    except httpx.HTTPError:
        return False


def _seconds(task: dict[str, Any]) -> float:
    if task["duration"]:
        return float(task["duration"])
    if task["start_date"] and task["state"] not in TASK_ENDS:
        started = datetime.fromisoformat(task["start_date"])
        return (datetime.now(started.tzinfo) - started).total_seconds()
    return 0.0


def _show_failures(airflow: Airflow, dag: str, run_id: str, progress: Progress) -> None:
    for task in airflow.tasks(dag, run_id):
        if task["state"] == "failed":
            progress.say(task["task_id"], "[red]failed[/]; the end of its log:")
            try:
                log = airflow.log(dag, run_id, task["task_id"], task["try_number"])
            except httpx.HTTPError as error:
                log = [f"it cannot be read: {error}"]
            lines = [line for line in log if _is_ours(line)]
            progress.console.print("\n".join(lines[-_LOG_LINES:]), markup=False, soft_wrap=True)


def _is_ours(line: str) -> bool:
    """Whether a log line is worth showing: not Airflow's grouping, and not the alert, which repeats the error."""
    return not line.startswith(("::", "ALERT "))
