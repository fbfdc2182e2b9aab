"""What components do with each other while a drill breaks the network between them, and what it has left behind."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import psycopg
import trino.exceptions
from psycopg import sql

from data_platform.checks.base import Deadline
from data_platform.checks.scratch import SCHEMA, scratch_name
from data_platform.checks.spark_job import expected
from data_platform.clients import connect, http, postgres, s3
from data_platform.clients.airflow import Airflow
from data_platform.datasets.audit import branch_of, publish
from data_platform.stack.holders import PIPELINES
from data_platform.stack.lake import MAIN, RAW
from tests.attempts import Attempt
from tests.holding import soon
from tests.ingesting import Ingestion, sha256
from tests.lake import Lake
from tests.running import Running
from tests.verdicts import State

#: Rows that a job of Spark writes, and of Trino's sample data.
_ROWS, _NATIONS = 1000, 25
_MEBIBYTE = 2**20
_PREFIX = re.compile(r"Exception|Error|Caused by")
#: Lines of a job's output that say why, from its beginning and from its end.
_SHOWN = 4


class OperationError(Exception):
    """An operation was not done; the message is what it said."""


@dataclass
class World:
    """A platform whose ways can be broken, and its clients. They go by the ways of tasks."""

    platform: Running
    lake: Lake
    ingestion: Ingestion
    dataset: str
    _tables: list[str] = field(default_factory=list, init=False)

    def analytics(self) -> psycopg.Connection[tuple[object, ...]]:
        """The database that Trino shows, by no way that is broken."""
        return connect.postgres(self.lake.target, "trino", "analytics")

    def table_of_postgresql(self) -> str:
        """Name for a table in that database; it is removed in the end."""
        self._tables.append(scratch_name())
        return self._tables[-1]

    def close(self) -> None:
        """Remove what operations have made."""
        with self.analytics() as database:
            for table in self._tables:
                database.execute(sql.SQL("drop table if exists {}").format(sql.Identifier(table)))
        self.ingestion.remove()
        self.lake.close()


def _state(found: object, old: object, new: object) -> State:
    return State.OLD if found == old else State.NEW if found == new else State.BETWEEN


def variable(world: World) -> Attempt:
    """A variable of Airflow, which is a row in its database."""
    key, target = scratch_name(), world.lake.target

    def act() -> None:
        with world.platform.airflow() as airflow:
            try:
                airflow._request("POST", "/api/v2/variables", json={"key": key, "value": "of a drill"})
            except httpx.HTTPStatusError as error:
                # Its API says "Internal Server Error"; what is wrong its health says.
                raise OperationError(f"{error.response.status_code}; {_ill(airflow)}") from error

    def state() -> State:
        with connect.postgres(target, "airflow", "airflow") as database:
            found = postgres.first_row(database, "select count(*) from variable where key = %(key)s", {"key": key})
        return _state(found, (0,), (1,))

    def well() -> None:
        with world.platform.airflow() as airflow:
            if ill := _ill(airflow):
                raise OperationError(ill)

    return Attempt(act, state, well)


def _ill(airflow: Airflow) -> str:
    """Parts of Airflow that are not healthy."""
    return ", ".join(f"{part} is {status}" for part, status in airflow.health().items() if status != "healthy")


def namespaces(world: World) -> Attempt:
    """Namespaces of a branch of their own, in one commit."""
    branch = scratch_name()
    names, nessie = {f"{branch}_{number}" for number in range(3)}, world.lake.nessie
    began = nessie.create_branch(branch, MAIN)

    def act() -> None:
        with connect.nessie(world.lake.target, 30) as client:
            client.create_namespaces(branch, sorted(names))

    return Attempt(act, lambda: _state(nessie.differences(branch, f"{MAIN}@{began}"), set(), names))


def table_by_rest(world: World) -> Attempt:
    """A table by the Iceberg REST API, for which Nessie itself writes a file."""
    table, target = world.lake.table(), world.lake.target
    field_of = {"id": 1, "name": "number", "required": False, "type": "long"}
    body = {"name": table, "schema": {"type": "struct", "schema-id": 0, "fields": [field_of]}}

    def act() -> None:
        with http.client(target.address("nessie", "http").url, 60) as client:
            answer = client.post("/iceberg/v1/main%7Clakehouse/namespaces/scratch/tables", json=body)
        if answer.is_error:
            raise OperationError(f"Nessie answers {answer.status_code}: {answer.text}")

    def state() -> State:
        made = world.lake.nessie.tables(MAIN).get(f"scratch.{table}")
        if made is None:
            return State.OLD
        bucket, _, key = made.metadata.removeprefix("s3://").partition("/")
        return State.NEW if s3.there(connect.s3_as_root(target), bucket, key) else State.BETWEEN

    return Attempt(act, state)


def landed(world: World) -> Attempt:
    """A file in the landing folder, which NiFi puts into the object store."""
    name, ingestion = scratch_name(), world.ingestion
    content = f"Date,USD,XOF,\n2024-01-02,1.1,655.957,\n#{name}\n".encode()

    def act() -> None:
        ingestion.land(f"{name}.csv", content)
        ingestion.landed(120)

    def state() -> State:
        # Where it could not be put it is still on its way; one that never arrives would be lost.
        ingestion.landed(240)
        found = s3.read(ingestion.store, RAW, f"{ingestion.dataset}/{sha256(content)}.csv")
        return State.NEW if found == content else State.BETWEEN

    return Attempt(act, state)


def spark_published(world: World) -> Attempt:
    """A table that a job of Spark writes on a branch, and that readers have when it is published."""
    lake, dataset, table = world.lake, world.dataset, world.lake.table()
    lake.open(dataset)
    job = world.platform.root / "spark_jobs" / "platform_check" / "write_table.py"
    conf = f"spark.sql.catalog.lakehouse.ref={branch_of(dataset)}"
    words = ["--conf", conf, str(job), "--table", f"lakehouse.scratch.{table}", "--rows", str(_ROWS)]

    def act() -> None:
        done = lake.target.run_tool("spark", "submit", words, 280)
        if done.returncode != 0:
            why = [*dict.fromkeys(line.strip() for line in done.output.splitlines() if _PREFIX.search(line))]
            raise OperationError("\n".join([*why[:_SHOWN], *why[-_SHOWN:]]) or done.output[-1000:])
        lake.publish(dataset)

    def state() -> State:
        wanted = expected(_ROWS)
        found = _rows(lake, f"select count(*), sum(amount), min(day), max(day) from {SCHEMA}.{table}")
        return _state(found, None, [[wanted.rows, wanted.amount, wanted.first_day, wanted.last_day]])

    return Attempt(act, state)


def merged(world: World) -> Attempt:
    """A MERGE of Trino into an Iceberg table: some rows are changed, some are added, in one commit."""
    lake = world.lake
    table = f"{SCHEMA}.{lake.table()}"
    lake.trino.rows(f"create table {table} as select nationkey, name from tpch.tiny.nation")
    statement = (
        f"merge into {table} t using (select nationkey + 20 as nationkey, name from tpch.tiny.nation) s"
        " on t.nationkey = s.nationkey when matched then update set name = 'merged'"
        " when not matched then insert (nationkey, name) values (s.nationkey, s.name)"
    )

    def state() -> State:
        found = _rows(lake, f"select count(*), count_if(name = 'merged') from {table}")
        return _state(found, [[_NATIONS, 0]], [[_NATIONS + 20, 5]])

    return Attempt(lambda: _said_to_trino(world, statement, 120), state)


def added_to_postgresql(world: World) -> Attempt:
    """Rows of Trino's in a table of PostgreSQL."""
    table = world.table_of_postgresql()
    shown = f"postgresql.public.{table}"
    world.lake.trino.rows(f"create table {shown} (number bigint)")
    world.lake.trino.rows(f"insert into {shown} values -1")

    def state() -> State:
        _ended(world.lake, table)
        with world.analytics() as database:
            found = database.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(table))).fetchone()
        return _state(found, (1,), (1 + _NATIONS,))

    statement = f"insert into {shown} select nationkey from tpch.tiny.nation"
    return Attempt(lambda: _said_to_trino(world, statement, 120), state)


def added_to_iceberg(world: World) -> Attempt:
    """Rows that a task adds to an Iceberg table, by Trino."""
    lake = world.lake
    table = f"{SCHEMA}.{lake.table()}"
    lake.trino.rows(f"create table {table} as select bigint '-1' number")
    statement = f"insert into {table} select nationkey from tpch.tiny.nation"

    def state() -> State:
        return _state(_rows(lake, f"select count(*) from {table}"), [[1]], [[1 + _NATIONS]])

    return Attempt(lambda: _said_to_trino(world, statement, 60), state)


def published(world: World) -> Attempt:
    """A publication: what is on a dataset's branch becomes what readers see, in one commit."""
    lake, dataset, table = world.lake, world.dataset, world.lake.table()
    lake.open(dataset)
    lake.write(dataset, table, value=1)
    return Attempt(lambda: publish(lake.target, dataset, Deadline(60)), lambda: _state(lake.values(table), None, [1]))


def put(world: World) -> Attempt:
    """An object that a task puts into the store, with the key of the pipelines."""
    key, content, target = f"_drill/{scratch_name()}", os.urandom(_MEBIBYTE), world.lake.target

    def act() -> None:
        connect.s3(target, PIPELINES).put_object(RAW, key, io.BytesIO(content), len(content))

    return Attempt(act, lambda: _state(s3.read(connect.s3_as_root(target), RAW, key), None, content))


#: By the name of the edge whose calls it needs.
OPERATIONS: dict[str, Callable[[World], Attempt]] = {
    "airflow-postgresql": variable,
    "nessie-postgresql": namespaces,
    "nessie-s3": table_by_rest,
    "nifi-s3": landed,
    "spark-nessie": spark_published,
    "spark-s3": spark_published,
    "trino-nessie": merged,
    "trino-postgresql": added_to_postgresql,
    "trino-s3": merged,
    "tasks-nessie": published,
    "tasks-s3": put,
    "tasks-trino": added_to_iceberg,
}


def _said_to_trino(world: World, statement: str, seconds: float) -> None:
    with connect.trino(world.lake.target, seconds) as client:
        client.rows(statement)


def _rows(lake: Lake, statement: str) -> list[list[object]] | None:
    """Rows that readers see when nothing writes any more; None where there is no such table."""
    _ended(lake, re.findall(r"\bfrom (\S+)", statement)[-1])
    try:
        return lake.trino.rows(statement)
    except trino.exceptions.TrinoUserError as error:
        if error.error_name == "TABLE_NOT_FOUND":
            return None
        raise


def _ended(lake: Lake, table: str) -> None:
    """Return when no statement about a table runs any more: its client may have gone before."""
    going_on = (
        "select count(*) from system.runtime.queries where state not in ('FINISHED', 'FAILED')"
        f" and query like '%{table.rpartition('.')[2]}%' and query not like '%system.runtime.queries%'"
    )
    soon(lambda: [True] if lake.trino.value(going_on) == 0 else [])
