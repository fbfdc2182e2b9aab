"""The catalog or the query engine is killed in the middle of write, audit, publish: the old state or the new one.

Reads like a runbook: when … is killed while …, then the same call completes.
"""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from data_platform.checks.base import Deadline
from data_platform.clients.supervisor import Supervisor
from data_platform.clients.trino import UNREACHABLE
from data_platform.datasets import audit
from data_platform.datasets.audit import branch_of
from data_platform.stack.errors import PlatformError
from data_platform.stack.holders import names_of
from data_platform.targets.local.state import State
from tests.lake import SECONDS, Lake
from tests.running import Running

pytestmark = pytest.mark.timeout(1800)

SERVERS = ["nessie.server", "trino.server"]
PAIRS = [(server, function) for server in SERVERS for function in ("_merge", "_move_to_main")]


class Killer:
    """Kills a server once, when a function of `audit` is about to be called."""

    def __init__(self, platform: Running, server: str, function: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pid = platform.programs()[server]
        self.killed = False
        self._act = getattr(audit, function)
        monkeypatch.setattr(audit, function, self)

    def __call__(self, *arguments: Any) -> Any:
        if not self.killed:
            os.kill(self.pid, signal.SIGKILL)
            self.killed = True
        return self._act(*arguments)


def seen(lake: Lake, table: str, catalog: str = "lakehouse") -> list[int] | None:
    """Rows of a table, when the query engine answers again: the audit itself does not need it."""
    return Deadline(SECONDS).retry(lambda: lake.values(table, catalog), on=UNREACHABLE)


@pytest.mark.parametrize(
    ("server", "function"),
    [
        ("nessie.server", "_merge"),
        *(pytest.param(*pair, marks=pytest.mark.deep) for pair in PAIRS if pair != ("nessie.server", "_merge")),
    ],
)
def test_a_publish_outlives_the_server(
    platform: Running, lake: Lake, monkeypatch: pytest.MonkeyPatch, server: str, function: str
) -> None:
    table = lake.table()
    dataset = lake.published(table)
    lake.open(dataset)
    lake.write(dataset, table, value=2)
    killer = Killer(platform, server, function, monkeypatch)
    lake.publish(dataset)
    assert killer.killed
    assert len(lake.commits(dataset)) == 2
    assert seen(lake, table) == [1, 2]
    assert lake.is_at_main(dataset)


@pytest.mark.deep
@pytest.mark.parametrize("server", SERVERS)
def test_a_branch_is_opened_although_the_server_is_killed(
    platform: Running, lake: Lake, monkeypatch: pytest.MonkeyPatch, server: str
) -> None:
    table = lake.table()
    dataset = lake.published(table)
    killer = Killer(platform, server, "_nessie", monkeypatch)
    opened = lake.open(dataset)
    assert killer.killed
    assert lake.nessie.branches()[branch_of(dataset)] == opened
    assert seen(lake, table, branch_of(dataset)) == [1]


def test_an_open_audit_outlives_the_query_engine(platform: Running, lake: Lake) -> None:
    table = lake.table()
    dataset = lake.published(table)
    lake.open(dataset)
    lake.write(dataset, table, value=2)
    killed = platform.programs()["trino.server"]
    os.kill(killed, signal.SIGKILL)
    assert seen(lake, table, branch_of(dataset)) == [1, 2]
    assert platform.programs()["trino.server"] != killed
    assert lake.values(table) == [1]
    assert {"lakehouse", "postgresql", "tpch", *names_of(lake.target.stack, "branch")} <= lake.trino.catalogs()


def test_a_branch_that_somebody_removed_is_made_again(lake: Lake) -> None:
    table = lake.table()
    dataset = lake.published(table)
    lake.nessie.delete_branch(branch_of(dataset), lake.open(dataset))
    lake.open(dataset)
    assert lake.values(table, branch_of(dataset)) == [1]


@pytest.mark.deep
def test_a_server_that_stays_away_is_named_and_main_stays(platform: Running, lake: Lake) -> None:
    table = lake.table()
    dataset = lake.published(table)
    lake.open(dataset)
    lake.write(dataset, table, value=2)
    supervisor = Supervisor(State(platform.folder).socket)
    supervisor.stop("nessie.server")
    try:
        with pytest.raises(PlatformError, match=f"publishing {dataset}: no answer within 3 s"):
            audit.publish(lake.target, dataset, Deadline(3))
    finally:
        supervisor.start("nessie.server")
        lake.target.wait("nessie")
    assert lake.values(table) == [1]
    lake.publish(dataset)
    assert lake.values(table) == [1, 2]
