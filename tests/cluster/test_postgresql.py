"""PostgreSQL's members: the primary is moved, killed, removed or hangs, and no acknowledged row is lost.

Reads like a runbook: when … happens to the primary, then … within … seconds.
"""

from __future__ import annotations

import json
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from data_platform.checks.base import Deadline
from data_platform.clients import postgres
from data_platform.clients.kubernetes import Cluster
from data_platform.clients.kubernetes_errors import ClusterError
from tests.cluster.given import of_a_platform

pytestmark = pytest.mark.timeout(1800)

#: Where PostgreSQL is, on a cluster that has several.
NAMESPACE_VARIABLE = "DATA_PLATFORM_TEST_NAMESPACE"
WRITER = (Path(__file__).parent / "writer.py").read_text(encoding="utf-8")
SERVER = "app.kubernetes.io/name=postgresql,app.kubernetes.io/component=server"
POOL = "app.kubernetes.io/name=postgresql,app.kubernetes.io/component=pgbouncer"
PASSWORD = "drill-3f9c"
#: Seconds that a writer may be without an acknowledgement.
GAP_SECONDS = 40
#: Seconds until all members are there again, and one of them has every row.
HEALED_SECONDS = 300
#: Seconds that a writer goes on after a fault.
WRITING_SECONDS = 55
#: Seconds of a writer in all; it ends by itself before, also when it is not told.
WRITING_LIMIT = 1000
#: Seconds until a row is written, or seen at another member, or another member is the primary.
SOON = 120


class NotYetError(Exception):
    """It is not so yet."""


@dataclass
class Members:
    """PostgreSQL's pods in one namespace."""

    cluster: Cluster
    namespace: str

    def pods(self, labels: str) -> dict[str, dict[str, Any]]:
        """Pods that are not ending, by name."""
        found = self.cluster.list_objects("v1", "Pod", self.namespace, labels=labels)
        return {pod["metadata"]["name"]: pod for pod in found if "deletionTimestamp" not in pod["metadata"]}

    def primary(self) -> str:
        """Name of the one primary."""
        (name,) = self.pods(f"{SERVER},role=primary")
        return name

    def run(self, pod: str, script: str, *arguments: str, seconds: float = 30) -> str:
        """Output of a shell script in a pod; fails the test when it fails."""
        done = self.cluster.execute(pod, self.namespace, ["sh", "-ec", script, "sh", *arguments], seconds=seconds)
        assert done.returncode == 0, (done.stdout + done.stderr).decode()
        return done.stdout.decode()

    def patronictl(self, *words: str) -> str:
        """Output of Patroni's tool, from a member."""
        tool = '"$ARTIFACT_PATRONI/bin/patronictl" -c "$ETC/patroni.yaml" "$@"'
        return self.run(next(iter(self.pods(SERVER))), tool, *words, seconds=60)

    def state(self) -> list[dict[str, Any]]:
        """Patroni's view of the members."""
        found: list[dict[str, Any]] = json.loads(self.patronictl("list", "--format", "json"))
        return found

    def ask(self, query: str, database: str = "postgres", pod: str = "") -> str:
        """Answer of a member to a superuser's query; of the primary, unless another is named."""
        script = (
            'PGPASSWORD="$POSTGRESQL_PASSWORD" exec "$ARTIFACT_SERVER/bin/psql" -XAtq -v ON_ERROR_STOP=1 '
            '-h 127.0.0.1 -U postgres -d "$1" -c "$2"'
        )
        return self.run(pod or self.primary(), script, database, query).strip()

    def whole(self) -> None:
        """Raise until all members run, one leads, and one follows in step."""
        wanted = self.cluster.get("apps/v1", "StatefulSet", "postgresql-server", self.namespace)
        assert wanted is not None
        count = wanted["spec"]["replicas"]
        state = self.state()
        roles = sorted(member["Role"] for member in state if member["State"] in ("running", "streaming"))
        if roles != sorted(["Leader", "Sync Standby", *["Replica"] * (count - 2)]):
            raise NotYetError(str(state))
        if wanted["status"].get("readyReplicas") != count or len(self.pods(f"{SERVER},role=primary")) != 1:
            raise NotYetError(str(wanted["status"]))

    def heal(self) -> None:
        """Wait until they are whole."""
        Deadline(HEALED_SECONDS).retry(self.whole, on=(NotYetError, AssertionError, ClusterError, StopIteration))


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


@pytest.fixture(scope="module")
def members(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[Members]:
    """The members of a platform's PostgreSQL, whole, with a database for the drills."""
    found = of_a_platform(
        request,
        lambda: cluster.list_objects("apps/v1", "StatefulSet", os.environ.get(NAMESPACE_VARIABLE, ""), labels=SERVER),
    )
    members = Members(cluster, found[0]["metadata"]["namespace"])
    members.heal()
    password = members.run(members.primary(), 'printf %s "$POSTGRESQL_PASSWORD"')
    with (
        cluster.port_forward("postgresql", members.namespace, 5432) as forward,
        postgres.connect(forward.host, forward.port, "postgres", password, "postgres") as admin,
    ):
        admin.execute("drop database if exists drill with (force)")
        postgres.ensure_database(admin, "drill", "drill", PASSWORD, "of a test")
    yield members
    members.heal()
    members.ask("drop database drill with (force)")
    members.ask("drop role drill")


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
