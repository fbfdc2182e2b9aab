"""Servers and jobs are killed in the middle of a run of the pipeline: readers have the old state or the new one.

Reads like a runbook: when … is killed during …, then the same command completes.
"""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
import trino.exceptions

from data_platform.checks.base import Deadline
from data_platform.clients.trino import UNREACHABLE, Trino
from data_platform.datasets.audit import branch_of
from data_platform.datasets.landing import landing_of
from tests.holding import Holds, commits_held, running, soon
from tests.running import Running

pytestmark = [pytest.mark.timeout(3600), pytest.mark.deep]

DATASET = "fx_rates"
DAG = f"pipelines_{DATASET}"
#: Runs of the pipeline until it must have completed: the one that meets the faults, and one to repair.
RUNS = 3
#: Seconds until servers that were killed answer again.
BACK_SECONDS = 600.0
#: A day with a dollar: the dollar, the euro and the franc.
ROWS_A_DAY = 3


class Seen(NamedTuple):
    """What readers see: the dollar's rates of the drill's day, in both tables, and the rows of the mart."""

    raw: list[Decimal]
    mart: list[Decimal]
    rows: int


class Drill:
    """One new rate of one Saturday, on which the ECB publishes nothing."""

    def __init__(self, platform: Running, folder: Path, day: date) -> None:
        self.platform, self.folder, self.day = platform, folder, day
        # Another one in each session: a platform that is kept has the one of before.
        self.rate = Decimal("0.87") + Decimal(secrets.randbelow(10**6) + 1) / 10**8
        self.old = self.seen()
        self.new = Seen([self.rate], [self.rate], self.old.rows + (0 if self.old.raw else ROWS_A_DAY))

    def feed(self) -> None:
        file = self.folder / f"{self.day}.csv"
        file.write_text(f"Date,USD\n{self.day},{self.rate}\n", encoding="utf-8")
        landing_of(self.platform.target).place(DATASET, file)

    def seen(self) -> Seen:
        dollar = f"where rate_date = date '{self.day}' and currency = 'USD'"

        def look() -> Seen:
            with Trino(self.platform.target.address("trino", "http").url, 60, "lakehouse") as client:
                raw, mart = (
                    [Decimal(row[0]) for row in client.rows(f"select rate from {table} {dollar}")]
                    for table in ("raw.fx_rates", "marts.fx_rates_daily")
                )
                return Seen(raw, mart, int(client.value("select count(*) from marts.fx_rates_daily")))

        return Deadline(BACK_SECONDS).retry(look, on=(*UNREACHABLE, trino.exceptions.TrinoQueryError))

    def kill(self, program: str) -> None:
        os.kill(self.platform.programs()[program], signal.SIGKILL)

    def kill_driver(self) -> None:
        """The Spark driver of the load, wherever it runs below the platform's supervisor."""
        found = self.platform.of_processes(lambda process: (process, process.name(), process.cmdline()))
        job = f"spark_jobs/{DATASET}/load.py"
        drivers = [process for process, name, words in found if name == "java" and job in " ".join(words)]
        assert drivers, "there is no Spark driver"
        for driver in drivers:
            driver.kill()


#: Lets the task that is held begin its work.
Word = Callable[[], None]
Act = Callable[[Drill, Word], None]


def a_file_comes(drill: Drill, go: Word) -> None:
    drill.feed()
    go()


def nifi_is_killed(drill: Drill, go: Word) -> None:
    drill.kill("nifi.nifi")
    go()


def minio_and_the_spark_driver_are_killed_between_two_commits(drill: Drill, go: Word) -> None:
    with commits_held(drill.platform, branch_of(DATASET), after=1) as held:
        go()
        soon(held.waits)
        drill.kill("minio.server")
        drill.kill_driver()
        assert drill.seen() == drill.old


def the_scheduler_is_killed_before_a_commit(drill: Drill, go: Word) -> None:
    with commits_held(drill.platform, branch_of(DATASET), after=0) as held:
        go()
        soon(held.waits)
        drill.kill("airflow.scheduler")
        assert drill.seen() == drill.old


def trino_is_killed(drill: Drill, go: Word) -> None:
    drill.kill("trino.server")
    go()


def nessie_is_killed(drill: Drill, go: Word) -> None:
    drill.kill("nessie.server")
    go()


#: A fault in each part of one run, each when its task begins to run; a second one of a task when it runs again.
FAULTS: dict[str, list[Act]] = {
    "flow": [a_file_comes],
    "land": [nifi_is_killed],
    "load": [minio_and_the_spark_driver_are_killed_between_two_commits, the_scheduler_is_killed_before_a_commit],
    "validate_raw": [trino_is_killed],
    "publish": [nessie_is_killed],
}


def test_a_run_outlives_its_servers(platform: Running, tmp_path: Path) -> None:
    drill = Drill(platform, tmp_path, date(2002, 3, 2))
    pending = {task: list(acts) for task, acts in FAULTS.items()}
    with Holds(platform, DAG, list(FAULTS)) as holds:
        for _ in range(RUNS):
            with running(platform, "run", DAG) as (run, ended):
                while pending and (held := holds.next(ended)):
                    task, told = held
                    act = pending[task].pop(0)
                    print(f"{task} is held: {act.__name__}")
                    if not pending[task]:
                        del pending[task]
                        act(drill, partial(holds.end, task))
                    else:
                        act(drill, told.unlink)
            seen = drill.seen()
            assert seen in (drill.old, drill.new)
            if run.process.returncode == 0 and seen == drill.new:
                break
    assert pending == {}, "the runs had ended before everything was done to them"
    assert run.process.returncode == 0
    assert drill.seen() == drill.new
