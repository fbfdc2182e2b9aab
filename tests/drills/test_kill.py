"""Whatever is killed comes back, and nothing that was acknowledged is lost.

Reads like a runbook: when … is killed, then … within … seconds.
"""

from __future__ import annotations

import io
import os
import signal
import uuid

import psutil
import pytest

from data_platform.checks.base import Deadline
from data_platform.clients import postgres, s3
from data_platform.clients.supervisor import Supervisor
from data_platform.stack.load import load_stack
from data_platform.targets.local.state import State
from tests.holding import Holds, running, soon
from tests.running import ROOT, Running

pytestmark = pytest.mark.timeout(1800)

#: Every process of every component.
PROGRAMS = [
    f"{name}.{process}" for name, item in load_stack(ROOT).components.items() for process in item.definition.processes
]
#: The one that is killed in every run of all rooms.
EXAMPLE = "nessie.server"
#: Seconds until a killed server must serve again.
HEALED_SECONDS = 600


class NotYetError(Exception):
    """It has not come back yet."""


def supervisor(platform: Running) -> Supervisor:
    return Supervisor(State(platform.folder).socket)


def back(platform: Running, program: str, killed: int) -> None:
    """Raise until the program runs as another process and its component's checks pass."""
    pids = platform.programs()
    if pids.get(program) in (None, killed):
        raise NotYetError(f"{program} has not been started again")
    component = program.partition(".")[0]
    done = platform.bootstrap("check", component, check=False)
    if done.returncode != 0:
        raise NotYetError(done.stdout)


def write_marks(platform: Running) -> tuple[str, str]:
    """An object and a row, both acknowledged."""
    target, mark = platform.target, uuid.uuid4().hex
    keys = target.credentials("s3")
    store = s3.client(target.address("s3", "http").url, keys["access_key"], keys["secret_key"])
    store.put_object("raw", f"drill/{mark}", io.BytesIO(mark.encode()), len(mark))
    server, login = target.address("postgresql", "sql"), target.credentials("airflow")
    with postgres.connect(
        server.host, server.port, login["database_user"], login["database_password"], "platform"
    ) as db:
        db.execute("create table if not exists drill (mark text)")
        db.execute("insert into drill values (%s)", (mark,))
    return mark, mark


def marks_are_there(platform: Running, object_mark: str, row_mark: str) -> None:
    target = platform.target
    keys = target.credentials("s3")
    store = s3.client(target.address("s3", "http").url, keys["access_key"], keys["secret_key"])
    with store.get_object("raw", f"drill/{object_mark}") as answer:
        assert answer.read() == object_mark.encode()
    server, login = target.address("postgresql", "sql"), target.credentials("airflow")
    with postgres.connect(
        server.host, server.port, login["database_user"], login["database_password"], "platform"
    ) as db:
        assert db.execute("select count(*) from drill where mark = %s", (row_mark,)).fetchone() == (1,)


@pytest.mark.parametrize(
    "program", [name if name == EXAMPLE else pytest.param(name, marks=pytest.mark.deep) for name in PROGRAMS]
)
def test_a_killed_process_comes_back_with_its_data(platform: Running, program: str) -> None:
    marks = write_marks(platform)
    killed = platform.programs()[program]
    os.kill(killed, signal.SIGKILL)
    Deadline(HEALED_SECONDS).retry(lambda: back(platform, program, killed), on=(NotYetError, KeyError))
    marks_are_there(platform, *marks)


@pytest.mark.deep
def test_a_killed_supervisor_is_replaced_by_up(platform: Running) -> None:
    marks = write_marks(platform)
    before = platform.processes()
    os.kill(before[0].pid, signal.SIGKILL)
    platform.bootstrap("up")
    marks_are_there(platform, *marks)
    assert set(platform.programs()) == set(PROGRAMS)
    # The servers that it left behind were ended, not doubled.
    _, alive = psutil.wait_procs(before, timeout=60)
    assert alive == []


@pytest.mark.deep
def test_a_deploy_repairs_a_server_that_was_stopped_by_hand(platform: Running) -> None:
    supervisor(platform).stop("nessie.server")
    assert platform.bootstrap("check", "nessie", check=False).returncode == 1
    platform.bootstrap("run", "stack_deploy")
    assert platform.bootstrap("check", "nessie").returncode == 0


@pytest.mark.deep
def test_an_up_that_was_killed_goes_on_where_it_stopped(platform: Running) -> None:
    supervisor(platform).stop("trino.server")
    with Holds(platform, "stack_deploy", ["trino.apply"]) as holds:
        with running(platform, "up") as (up, _):
            soon(holds.held)
            up.process.kill()
        assert up.process.returncode == -signal.SIGKILL
        holds.end("trino.apply")
    platform.bootstrap("up")
    assert platform.bootstrap("check", "trino").returncode == 0


@pytest.mark.deep
def test_the_scheduler_is_killed_in_the_middle_of_a_deploy(platform: Running) -> None:
    supervisor(platform).stop("trino.server")
    with Holds(platform, "stack_deploy", ["trino.wait"]) as holds:
        with running(platform, "run", "stack_deploy") as (run, _):
            soon(holds.held)
            killed = platform.programs()["airflow.scheduler"]
            os.kill(killed, signal.SIGKILL)
            holds.end("trino.wait")
        assert run.process.returncode == 0
    assert platform.programs()["airflow.scheduler"] != killed
    assert platform.bootstrap("check", "trino").returncode == 0
