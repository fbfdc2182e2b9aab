"""Holds tasks, commits and processes where a drill wants them, for as long as it wants: no moment has to be caught."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

import psycopg
import pytest
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from data_platform.clients import postgres
from data_platform.clients.airflow import RUN_ENDS, Airflow
from data_platform.dagkit.holds import folder_of
from tests.running import Running, Started

T = TypeVar("T")
#: Seconds until what is held is there: everything before it has to be done.
SECONDS = 300.0
#: Name of the function and the lock by which commits of the catalog are held.
_LOCK, _NAME = 480_815, "held_by_a_drill"


def soon(look: Callable[[], T | None], seconds: float = SECONDS) -> T:
    """What a look finds in the end; fails the test when it finds nothing in that time."""
    again = Retrying(
        retry=retry_if_result(lambda found: not found),
        wait=wait_fixed(0.05),
        stop=stop_after_delay(seconds),
        retry_error_callback=lambda _: pytest.fail(f"{look.__qualname__} found nothing in {seconds:.0f} s"),
    )
    found = again(look)
    assert found is not None
    return found


def rest(airflow: Airflow, dag: str) -> None:
    """Return when no run of a DAG is left: a file that comes begins one by itself, beside those that people begin."""
    soon(lambda: all(run["state"] in RUN_ENDS for run in airflow.runs(dag, most=100)), 900)


class Holds:
    """Tasks of one DAG that wait for the word each time that they begin."""

    def __init__(self, platform: Running, dag: str, tasks: list[str]) -> None:
        self._folders = {task: folder_of(platform.folder, dag, task) for task in tasks}

    def __enter__(self) -> Self:
        for folder in self._folders.values():
            folder.mkdir(parents=True)
        return self

    def __exit__(self, *_: object) -> None:
        for task in list(self._folders):
            self.end(task)

    def held(self) -> tuple[str, Path] | None:
        """A task that waits, and what keeps it."""
        for task, folder in self._folders.items():
            for told in folder.iterdir():
                return task, told
        return None

    def next(self, ended: Callable[[], bool]) -> tuple[str, Path] | None:
        """The next task that waits; None when the command that should come to it has ended before."""

        def look() -> list[tuple[str, Path] | None]:
            found = self.held()
            return [found] if found or ended() else []

        return soon(look)[0]

    def end(self, task: str) -> None:
        """Let a task go on, and hold it no more."""
        if folder := self._folders.pop(task, None):
            # Renamed first: a task that comes in between would keep the folder.
            gone = folder.rename(folder.with_name(f".{folder.name}"))
            shutil.rmtree(gone)


@contextmanager
def running(platform: Running, *words: str) -> Iterator[tuple[Started, Callable[[], bool]]]:
    """A command that goes on beside the test with its output read, and whether it has ended."""
    with ThreadPoolExecutor(1) as pool, platform.start(*words) as started:
        reading = pool.submit(lambda: list(started.lines()))
        yield started, reading.done
        # To its end: without a reader it would end with an error.
        reading.result()


@contextmanager
def paused(pid: int) -> Iterator[None]:
    """A process that does nothing meanwhile, as on a machine that hangs."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        # It may have been killed meanwhile.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


@dataclass
class HeldCommits:
    """Commits to a branch of the catalog wait, in the catalog's database."""

    database: psycopg.Connection

    def waits(self) -> bool:
        """Whether a commit does: so those before it are done."""
        query = "select count(*) from pg_locks where locktype = 'advisory' and objid = %(lock)s and not granted"
        found = postgres.first_row(self.database, query, {"lock": _LOCK})
        return bool(found and found[0])


@contextmanager
def commits_held(platform: Running, branch: str, after: int) -> Iterator[HeldCommits]:
    """Hold commits to a branch while it lasts; in the end those that wait are broken off, as if they had never come.

    Args:
        platform: whose catalog.
        branch: of the catalog.
        after: how many are let through before.
    """
    target = platform.target
    server, password = target.address("postgresql", "sql"), target.credentials("postgresql")["password"]
    reference = f"refs/heads/{branch}"
    with closing(postgres.connect(server.host, server.port, "postgres", password, "nessie")) as database:
        database.execute(f"select pg_advisory_lock({_LOCK})")
        database.execute(f"create sequence {_NAME}")
        database.execute(f"grant usage on sequence {_NAME} to nessie")
        database.execute(
            f"create function {_NAME}() returns trigger language plpgsql as $$ begin"
            f" if nextval('{_NAME}') > {after} then perform pg_advisory_xact_lock({_LOCK}); end if;"
            f" return new; end $$"
        )
        database.execute(
            f"create trigger {_NAME} before update on refs2 for each row"
            f" when (new.ref_name like '%{reference}') execute function {_NAME}()"
        )
        try:
            yield HeldCommits(database)
        finally:
            database.execute(
                "select pg_terminate_backend(pid) from pg_locks"
                f" where locktype = 'advisory' and objid = {_LOCK} and not granted"
            )
            database.execute(f"select pg_advisory_unlock({_LOCK})")
            database.execute(f"drop trigger {_NAME} on refs2")
            database.execute(f"drop function {_NAME}")
            database.execute(f"drop sequence {_NAME}")
