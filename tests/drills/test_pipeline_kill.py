"""Servers and jobs are killed in the middle of a run of the pipeline: readers have the old state or the new one.

Reads like a runbook: when … is killed during …, then the same command completes.
"""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple, TypeVar

import psutil
import pytest
import trino.exceptions
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from data_platform.checks.base import Deadline
from data_platform.clients.nessie import Nessie
from data_platform.clients.trino import UNREACHABLE, Trino
from data_platform.datasets.audit import MAIN, branch_of
from tests.running import Running

pytestmark = pytest.mark.timeout(1500)

T = TypeVar("T")
DATASET = "fx_rates"
DAG = f"pipelines_{DATASET}"
#: Runs of the pipeline until it must have completed: the one that meets the faults, and one to repair.
RUNS = 3
#: Seconds until servers that were killed answer again, and until a task does what a fault waits for.
BACK_SECONDS, SOON_SECONDS = 180.0, 240.0
#: A day with a dollar: the dollar, the euro and the franc.
ROWS_A_DAY = 3


class NotYetError(Exception):
    """It has not happened yet."""


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
        self.platform.target.land(DATASET, file)

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

    def await_first_write(self) -> None:
        """Until the load has written to the branch; it has more than one table to write."""
        with Nessie(self.platform.target.address("nessie", "http").url, 10) as nessie:

            def look() -> None:
                if nessie.head(branch_of(DATASET)) in (None, nessie.head(MAIN)):
                    raise NotYetError("the load has not written anything")

            soon(look)

    def await_end_of_validation(self) -> None:
        """Until the process that judges the marts has ended: what comes next is `publish`."""

        def look() -> psutil.Process:
            found = [p for p in self.platform.processes() if {"analysis.validate", "marts"} <= set(_words(p))]
            if not found:
                raise NotYetError("nothing judges the marts")
            return found[0]

        soon(look).wait(SOON_SECONDS)


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def soon(look: Callable[[], T]) -> T:
    """Look twenty times a second: what is waited for is over in less than a second."""
    again = Retrying(
        stop=stop_after_delay(SOON_SECONDS),
        wait=wait_fixed(0.05),
        retry=retry_if_exception_type(NotYetError),
        reraise=True,
    )
    return again(look)


def nifi_is_killed(drill: Drill) -> None:
    drill.kill("nifi.nifi")


def minio_and_the_spark_driver_are_killed(drill: Drill) -> None:
    drill.await_first_write()
    drill.kill("minio.server")
    drill.kill_driver()
    assert drill.seen() == drill.old


def the_scheduler_is_killed(drill: Drill) -> None:
    drill.await_first_write()
    drill.kill("airflow.scheduler")
    assert drill.seen() == drill.old


def trino_is_killed(drill: Drill) -> None:
    drill.kill("trino.server")


def nessie_is_killed_when_publish_begins(drill: Drill) -> None:
    drill.await_end_of_validation()
    drill.kill("nessie.server")


Act = Callable[[Drill], None]


#: A fault in each part of one run, each when its task begins to run; a second one of a task when it runs again.
FAULTS: dict[str, list[Act]] = {
    "flow": [Drill.feed],
    "land": [nifi_is_killed],
    "load": [minio_and_the_spark_driver_are_killed, the_scheduler_is_killed],
    "validate_raw": [trino_is_killed],
    "validate_marts": [nessie_is_killed_when_publish_begins],
}


def test_a_run_outlives_its_servers(platform: Running, tmp_path: Path) -> None:
    drill = Drill(platform, tmp_path, date(2002, 3, 2))
    pending = {task: list(acts) for task, acts in FAULTS.items()}
    for _ in range(RUNS):
        with platform.start("run", DAG) as run:
            for task in running_tasks(run.lines()):
                if acts := pending.get(task):
                    act = acts.pop(0)
                    print(f"{task} is running: {act.__name__}")
                    act(drill)
        seen = drill.seen()
        assert seen in (drill.old, drill.new)
        if run.process.returncode == 0 and seen == drill.new:
            break
    assert not any(pending.values()), f"the runs had ended before everything was done to them: {pending}"
    assert run.process.returncode == 0
    assert drill.seen() == drill.new


def running_tasks(lines: Iterator[str]) -> Iterator[str]:
    """Tasks that begin to run, from the command's lines such as `12.3 s  load  running`."""
    for line in lines:
        words = line.split()
        if len(words) > 3 and words[1] == "s" and words[3] == "running":
            yield words[2]
