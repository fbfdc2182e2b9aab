"""PostgreSQL's members: the primary is moved, killed, removed or hangs, and no acknowledged row is lost.

Reads like a runbook: when … happens to the primary, then … within … seconds.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data_platform.checks.base import Deadline
from data_platform.clients.kubernetes_errors import ClusterError
from tests.cluster.members import PASSWORD, POOL, SERVER, Members, NotYetError

pytestmark = pytest.mark.timeout(1800)

WRITER = (Path(__file__).parent / "writer.py").read_text(encoding="utf-8")
#: Seconds that a writer may be without an acknowledgement.
GAP_SECONDS = 40
#: Seconds that a writer goes on after a fault.
WRITING_SECONDS = 55
#: Seconds of a writer in all; it ends by itself before, also when it is not told.
WRITING_LIMIT = 1000
#: Seconds until a row is written, or seen at another member, or another member is the primary.
SOON = 120


class Writing:
    """A writer in a pod, in a thread of its own."""

    def __init__(self, members: Members, host: str, port: int) -> None:
        self._members, self._pod = members, next(iter(members.pods(POOL)))
        self._mark = f"/tmp/{uuid.uuid4().hex}"
        self._words = [host, str(port), self._mark, str(WRITING_SECONDS)]
        self._done: list[Any] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        script = f'PGPASSWORD={PASSWORD} exec "$ARTIFACT_PATRONI/bin/python" - "$@"'
        try:
            argv = ["sh", "-ec", script, "sh", *self._words]
            done = self._members.cluster.execute(
                self._pod, self._members.namespace, argv, WRITER.encode(), seconds=WRITING_LIMIT
            )
            self._done.append(done)
        except ClusterError as error:
            self._done.append(error)

    def result(self) -> dict[str, Any]:
        """Tell it that the fault was done; what it says at its end."""
        self._members.run(self._pod, 'touch "$1"', self._mark)
        self._thread.join(WRITING_LIMIT)
        assert not self._thread.is_alive(), "the writer does not end"
        (done,) = self._done
        assert not isinstance(done, Exception), done
        assert done.returncode == 0, done.stderr.decode()
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@pytest.fixture
def table(members: Members) -> str:
    """An empty table of the role that writes."""
    members.ask("drop table if exists drill; create table drill (number bigint primary key)", "drill")
    members.ask("alter table drill owner to drill", "drill")
    return "drill"


def switch_over(members: Members, primary: str) -> None:
    """An operator moves the primary."""
    members.patronictl("switchover", "--leader", primary, "--force")


def kill_server(members: Members, primary: str) -> None:
    """The server dies in the middle of a word; Patroni lives."""
    members.run(primary, 'kill -9 "$(head -n 1 "$DATA/db/postmaster.pid")"')


def remove_pod(members: Members, primary: str) -> None:
    """The pod is removed, as when a node is emptied."""
    members.cluster.delete("v1", "Pod", primary, members.namespace)


def freeze(members: Members, primary: str) -> None:
    """Everything in the pod stops without ending, as when its node hangs; connections stay open and silent.

    The first process of a container cannot be stopped from inside of it: it only waits for the others.
    """
    members.run(
        primary, 'for p in /proc/[0-9]*; do p=${p#/proc/}; case $p in 1|$$) ;; *) kill -STOP "$p" ;; esac; done'
    )


FAULTS = [switch_over, kill_server, remove_pod, freeze]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_every_acknowledged_row_survives(
    members: Members, table: str, fault: Callable[[Members, str], None], record_property: Callable[[str, object], None]
) -> None:
    members.heal()
    primary = members.primary()
    writing = Writing(members, "postgresql", 5432)

    def writes() -> None:
        if int(members.ask(f"select count(*) from {table}", "drill")) < 20:
            raise NotYetError

    Deadline(SOON).retry(writes, on=NotYetError)
    fault(members, primary)
    said = writing.result()
    members.heal()
    rows = {int(line) for line in members.ask(f"select number from {table}", "drill").split()}
    record_property("longest_gap_seconds", round(said["longest"], 1))
    print(fault.__name__, "longest gap", round(said["longest"], 1), "rows", len(rows), "errors", said["errors"])
    lost = sorted(set(said["acknowledged"]) - rows)
    assert lost == [], f"{len(lost)} acknowledged rows are lost, the first is {lost[0]}"
    assert len(said["acknowledged"]) > 20
    assert said["longest"] <= Deadline(GAP_SECONDS).seconds, said["errors"]
    # What the others hold is the same.
    total = str(len(rows))

    def alike() -> None:
        counts = {pod: members.ask(f"select count(*) from {table}", "drill", pod) for pod in members.pods(SERVER)}
        if set(counts.values()) != {total}:
            raise NotYetError(str(counts))

    Deadline(SOON).retry(alike, on=NotYetError)


def test_a_switchover_makes_another_member_the_primary(members: Members) -> None:
    members.heal()
    before = members.primary()
    switch_over(members, before)

    def moved() -> None:
        if members.primary() == before:
            raise NotYetError

    Deadline(SOON).retry(moved, on=(NotYetError, ValueError))
    members.heal()
    assert members.ask("select pg_is_in_recovery()", pod=before) == "t"
    assert members.ask("select pg_is_in_recovery()") == "f"


#: Writes a row, waits for a file, and writes another one over the same connection.
PATIENT = """
import pathlib, sys, time
import psycopg
mark = pathlib.Path("/tmp", sys.argv[1])
login = {"host": "127.0.0.1", "port": 6432, "user": "drill", "dbname": "drill"}
with psycopg.connect(**login, autocommit=True, prepare_threshold=None) as c:
    first = c.execute("insert into drill values (1) returning inet_server_addr()").fetchone()
    end = time.monotonic() + 900
    while not mark.exists() and time.monotonic() < end:
        time.sleep(0.1)
    second = c.execute("insert into drill values (2) returning inet_server_addr()").fetchone()
print("elsewhere" if first != second else "the same server")
"""


def test_a_client_of_the_pool_keeps_its_connection_through_a_switchover(members: Members, table: str) -> None:
    members.heal()
    pod, mark, said = next(iter(members.pods(POOL))), uuid.uuid4().hex, list[str]()
    start = f'PGPASSWORD={PASSWORD} "$ARTIFACT_PATRONI/bin/python" -c "$1" "$2"'
    client = threading.Thread(
        target=lambda: said.append(members.run(pod, start, PATIENT, mark, seconds=960)), daemon=True
    )
    client.start()

    def wrote() -> None:
        if members.ask(f"select count(*) from {table}", "drill") != "1":
            raise NotYetError

    Deadline(SOON).retry(wrote, on=NotYetError)
    switch_over(members, members.primary())
    members.heal()
    members.run(pod, 'touch "/tmp/$1"', mark)
    client.join(SOON)
    assert said == ["elsewhere\n"]
    assert members.ask(f"select count(*) from {table}", "drill") == "2"


def test_the_pool_refuses_a_wrong_password_and_every_superuser(members: Members) -> None:
    pod = next(iter(members.pods(POOL)))
    login = '"$ARTIFACT_SERVER/bin/psql" -XAtq -h 127.0.0.1 -p 6432 -U "$1" -d "$2" -c "select 1" 2>&1'
    assert members.run(pod, f"PGPASSWORD={PASSWORD} {login}", "drill", "drill") == "1\n"
    refused = f"if {login}; then exit 1; fi"
    assert "authentication failed" in members.run(pod, f"export PGPASSWORD=wrong; {refused}", "drill", "drill")
    superuser = f'export PGPASSWORD="$POSTGRESQL_PASSWORD"; {refused}'
    assert "FATAL" in members.run(pod, superuser, "postgres", "postgres")


def test_readers_of_the_replica_service_read_and_cannot_write(members: Members, table: str) -> None:
    members.heal()
    pod = next(iter(members.pods(POOL)))
    ask = (
        f'PGPASSWORD={PASSWORD} "$ARTIFACT_SERVER/bin/psql" -XAtq -h postgresql-replica -U drill -d drill -c "$1" 2>&1'
    )
    assert members.run(pod, ask, "select pg_is_in_recovery()") == "t\n"
    refused = members.run(pod, f"if {ask}; then exit 1; fi", f"insert into {table} values (1)")
    assert "read-only transaction" in refused
