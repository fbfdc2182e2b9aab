"""PostgreSQL is killed while a pipeline runs: no server of Airflow ends, no task fails, and who waits goes on waiting.

Reads like a runbook: when PostgreSQL is killed while … runs, then the same run completes.
"""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data_platform.checks.base import Deadline
from data_platform.clients.airflow import Airflow
from data_platform.clients.connect import postgres_answers
from data_platform.datasets.landing import landing_of
from data_platform.records import leases, writes
from tests.holding import Holds, running, soon
from tests.running import Running, tried_again

pytestmark = [pytest.mark.timeout(1800), pytest.mark.deep]

DAG, OTHER = "pipelines_fx_rates", "pipelines_currencies"
#: It has the catalog's database under its hands, or Airflow's, in each of these.
TASKS = ["flow", "audit", "load", "validate_raw", "publish"]
#: Seconds until a server that was killed takes connections again.
BACK_SECONDS = 60.0
NAMES = ("airflow.api-server", "airflow.scheduler", "airflow.dag-processor", "airflow.triggerer")


class NotYetError(Exception):
    """It is not so yet."""


class Database:
    """The platform's PostgreSQL, and for how long it was away."""

    def __init__(self, platform: Running) -> None:
        self.platform = platform
        self.gaps: list[float] = []

    def kill(self) -> None:
        """Kill all of it, as a power cut does; return when it takes connections again."""
        killed, begun = self.platform.programs()["postgresql.server"], time.monotonic()
        os.kill(killed, signal.SIGKILL)

        def back() -> None:
            if self.platform.programs().get("postgresql.server") in (None, killed):
                raise NotYetError
            if not postgres_answers(self.platform.target):
                raise NotYetError

        Deadline(BACK_SECONDS).retry(back, on=(NotYetError, KeyError))
        self.gaps.append(round(time.monotonic() - begun, 1))


def servers(platform: Running) -> dict[str, int]:
    found = platform.programs()
    return {name: found[name] for name in NAMES}


def newest(airflow: Airflow, dag: str) -> str:
    return str(airflow.active_runs(dag)[0]["dag_run_id"])


def states(airflow: Airflow, run: str) -> dict[str, Any]:
    return {task["task_id"]: task["state"] for task in airflow.tasks(DAG, run)}


def feed(platform: Running, folder: Path) -> None:
    """A file for the run, of a Saturday, on which the ECB publishes nothing."""
    file = folder / "saturday.csv"
    # Another one in each session: a platform that is kept has the one of before.
    file.write_text(f"Date,USD\n2002-04-06,0.88{secrets.randbelow(10**6):06}\n", encoding="utf-8")
    landing_of(platform.target).place("fx_rates", file)


def test_a_run_goes_on_while_its_database_is_killed_again_and_again(
    platform: Running, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    database, before = Database(platform), servers(platform)
    turn = leases.of_dataset("fx_rates")
    with platform.airflow() as airflow, Holds(platform, DAG, TASKS) as holds, Holds(platform, OTHER, ["land"]) as other:
        with running(platform, "run", OTHER) as (elsewhere, _):
            soon(other.held)
            # The turn is this other run's, so ours waits in the triggerer.
            owner = leases.of_run(OTHER, newest(airflow, OTHER))
            writes.acquire(platform.target, owner, "a drill", name=turn)
            with running(platform, "run", DAG) as (run, ended):
                ours = soon(lambda: newest(airflow, DAG) if airflow.active_runs(DAG) else None)
                soon(lambda: states(airflow, ours)["turn"] == "deferred")
                database.kill()
                assert states(airflow, ours)["turn"] == "deferred"
                assert writes.release(platform.target, owner, turn)
                met: list[str] = []
                while held := holds.next(ended):
                    if not met:
                        # Now, when the runs that come for it wait for ours.
                        feed(platform, tmp_path)
                    met.append(held[0])
                    database.kill()
                    holds.end(held[0])
            other.end("land")
        again = tried_again(airflow, DAG, ours)
    record_property("gaps_seconds", database.gaps)
    print("PostgreSQL was away for", database.gaps)
    assert met == TASKS
    assert again == {}
    assert (run.process.returncode, elsewhere.process.returncode) == (0, 0)
    assert servers(platform) == before
