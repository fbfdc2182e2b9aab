"""The drill of faults of the network in small: the platform's own client of PostgreSQL, on a server of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path

import pytest
from psycopg import sql

from data_platform.checks.base import Address
from data_platform.clients import postgres
from tests.attempts import Attempt, observed
from tests.edges import Edge
from tests.integration.network.conftest import HOST, Begun
from tests.postgresql import running
from tests.toxics import FAULTS, Fault
from tests.verdicts import State, Verdict, decide

pytestmark = pytest.mark.enable_socket

#: Seconds that the client gives the server for a statement, here.
STATEMENT = 2.0
EDGE = Edge("reader", "postgresql", "sql", "rows are added", 5, 15, "database", back=30)
ROWS = 25
VERDICTS = {
    "slow": Verdict.RESILIENT,
    "narrow": Verdict.RESILIENT,
    "refused": Verdict.DEGRADED,
    "reset": Verdict.DEGRADED,
    "no answer": Verdict.DEGRADED,
    "no request": Verdict.DEGRADED,
    "late end": Verdict.RESILIENT,
    # The answer is shorter than that.
    "cut short": Verdict.RESILIENT,
}


@pytest.fixture(scope="module")
def server(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    with running(root, tmp_path_factory.mktemp("postgresql") / "server", ["--auth=trust"]) as found:
        yield found.address


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name.replace(" ", "-") for fault in FAULTS])
def test_rows_are_added_or_it_is_told_why_not(server: Address, toxiproxy: Begun, fault: Fault) -> None:
    tables = (sql.Identifier(f"drill_{fault.name}_{number}") for number in count())
    with (
        postgres.connect(server.host, server.port, "postgres", "any", "postgres") as beside,
        toxiproxy(EDGE.name, server.port) as (network, port),
        ExitStack() as opened,
    ):

        def begin() -> Attempt:
            table = next(tables)
            beside.execute(sql.SQL("create table {} (number integer)").format(table))
            # Made while the way is sound: a connection that falls silent is worse than none.
            connection = postgres.connect(HOST, port, "postgres", "any", "postgres", seconds=STATEMENT)
            opened.enter_context(closing(connection))
            add = sql.SQL("insert into {} select generate_series(1, {})").format(table, ROWS)

            def state() -> State:
                found = beside.execute(sql.SQL("select count(*) from {}").format(table)).fetchone()
                return {(0,): State.OLD, (ROWS,): State.NEW}.get(found or (), State.BETWEEN)

            return Attempt(lambda: connection.execute(add), state)

        seen = observed(network, EDGE, fault, begin)
    verdict, why = decide(EDGE, fault, seen)
    assert verdict is VERDICTS[fault.name], why
    # A request that has arrived is carried out, whatever becomes of the answer.
    if fault.name == "no answer":
        assert "it was done all the same" in why
    if fault.name == "no request":
        assert seen.state is State.OLD
