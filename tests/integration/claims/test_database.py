"""Databases on a PostgreSQL of this process, from the component's own artifact."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import psycopg
import pytest

from data_platform.checks.base import Address
from data_platform.claims.database import Database
from data_platform.clients import postgres
from data_platform.stack.claim import Claimed
from data_platform.stack.errors import PlatformError
from data_platform.stack.holders import claimed
from data_platform.stack.load import load_stack
from data_platform.stack.plan import Seen, plan
from data_platform.targets import claims
from tests.postgresql import ADMIN, Server, running

if TYPE_CHECKING:
    from data_platform.targets.base import Target
    from tests.conftest import Tiny

FIRST, SECOND = "b" * 64, "c" * 64


@pytest.fixture
def server(root: Path, tmp_path: Path) -> Iterator[Address]:
    """A server without passwords."""
    with running(root, tmp_path / "server", ["--auth=trust"]) as found:
        yield found.address


@pytest.fixture
def closed(root: Path, tmp_path: Path) -> Iterator[Server]:
    """A server as ours is: it asks for passwords. It logs everything that it is told, as nobody should let it."""
    initialise = ["--auth=scram-sha-256", "--pwfile=/dev/stdin"]
    with running(root, tmp_path / "closed", initialise, ["log_statement=all", "log_parameter_max_length=-1"]) as found:
        yield found


@pytest.fixture
def furnish(tiny: Tiny, server: Address) -> Any:
    """Makes a platform on that server whose reader has one database, with these schemas and extensions."""

    def make(schemas: list[str], extensions: list[str]) -> Target:
        held = {"schemas": schemas, "extensions": extensions}
        tiny.edit(tiny.component("reader"), lambda c: c["claims"][0].update(held))
        # One role and one password for all: the server of these tests lets everybody in.
        tiny.edit(tiny.stack_file, lambda c: c["identities"].pop("checks", None))
        own = {"username": "postgres", "password": "any", "database_user": "reader", "database_password": "any"}
        found = SimpleNamespace(stack=load_stack(tiny.root), address=lambda *_: server, credentials=lambda *_: own)
        return cast("Target", found)

    return make


def of(target: Target, holder: str) -> Claimed:
    """The database that a holder has claimed."""
    (found,) = (each for each in claimed(target.stack, "postgresql", "database") if each.holder == holder)
    return found


def observed(target: Target, holder: str) -> list[Seen]:
    return Database.observe(target, "postgresql", [of(target, holder)])


def make(target: Target, holder: str = "reader") -> None:
    Database.make(target, "postgresql", of(target, holder))


def steps(target: Target) -> list[str]:
    return [str(step) for step in plan(claims.wanted(target, "postgresql"), claims.observe(target, "postgresql"))]


def test_what_a_database_lacks_is_made_and_the_rest_stays(furnish: Any, server: Address) -> None:
    plain = furnish([], [])
    assert steps(plain) == ["make database reader: it is not there"]
    make(plain)
    assert steps(plain) == []

    furnished = furnish(["sales"], ["vector", "pg_trgm"])
    assert steps(furnished) == ["change database reader: it lacks schema sales, extension vector, extension pg_trgm"]
    make(furnished)
    assert steps(furnished) == []
    with postgres.connect(server.host, server.port, "reader", "any", "reader") as connection:
        connection.execute("create table sales.kept (meaning vector(3))")

    make(furnished)
    make(plain)
    with postgres.connect(server.host, server.port, "reader", "any", "reader") as connection:
        assert connection.execute("select count(*) from sales.kept").fetchone() == (0,)
    assert steps(furnished) == []


def test_an_extension_that_the_server_does_not_have_is_one_error_with_its_remedy(furnish: Any) -> None:
    with pytest.raises(PlatformError, match="extension postgis in database reader of reader") as caught:
        make(furnish(["sales"], ["postgis"]))
    assert "is not available" in caught.value.problem
    assert "pg_available_extensions" in caught.value.remedy
    assert steps(furnish(["sales"], ["postgis"])) == ["change database reader: it lacks extension postgis"]


def test_a_role_cannot_make_such_an_extension_itself(furnish: Any, server: Address) -> None:
    make(furnish([], []))
    with (
        postgres.connect(server.host, server.port, "reader", "any", "reader") as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("create extension vector")


def as_administrator(server: Server) -> psycopg.Connection[tuple[object, ...]]:
    return postgres.connect(server.address.host, server.address.port, "postgres", ADMIN, "postgres")


def may_log_in(server: Server, role: str, password: str) -> bool:
    try:
        postgres.connect(server.address.host, server.address.port, role, password, "postgres").close()
    except psycopg.OperationalError as error:
        if "password authentication failed" not in str(error):
            raise
        return False
    return True


def test_a_role_logs_in_with_its_password_and_after_a_change_with_the_new_one_alone(closed: Server) -> None:
    with as_administrator(closed) as admin:
        postgres.ensure_role(admin, "reader", FIRST)
        assert [may_log_in(closed, "reader", word) for word in (FIRST, SECOND)] == [True, False]
        postgres.ensure_role(admin, "reader", SECOND)
        assert [may_log_in(closed, "reader", word) for word in (FIRST, SECOND)] == [False, True]
        postgres.change_password(admin, "reader", FIRST)
        postgres.change_password(admin, "nobody", FIRST)
        assert [may_log_in(closed, "reader", word) for word in (FIRST, SECOND)] == [True, False]
        assert admin.execute("select 1 from pg_roles where rolname = 'nobody'").fetchone() is None


def test_the_log_of_the_server_has_verifiers_and_no_password_whatever_it_logs(closed: Server) -> None:
    with as_administrator(closed) as admin:
        for password in (FIRST, SECOND):
            postgres.ensure_database(admin, "reader", "reader", password, "owned by reader")
        kept = admin.execute("select rolpassword from pg_authid where rolname = 'reader'").fetchone()
        assert kept
        log = closed.log.read_text(encoding="utf-8")
        statements = re.findall(r"(?:create|alter) role \S+ login password '([^']*)'", log)
        assert len(statements) == 2
        assert all(re.fullmatch(r"SCRAM-SHA-256\$\d+:[\w+/=]+\$[\w+/=]+:[\w+/=]+", word) for word in statements)
        assert statements[-1] == kept[0]
        assert [word for word in (FIRST, SECOND, ADMIN) if word in log] == []
        # The twin: a password that is sent as it is would be there.
        admin.execute("alter role reader password 'told to everybody'")
    assert "told to everybody" in closed.log.read_text(encoding="utf-8")


def test_an_identitys_database_is_its_own_and_closed_to_other_roles(tiny: Tiny, closed: Server) -> None:
    known = {
        "postgresql": {"username": "postgres", "password": ADMIN},
        "checks": {"database_user": "checks", "database_password": FIRST},
        "reader": {"database_user": "reader", "database_password": SECOND},
    }
    found = SimpleNamespace(
        stack=load_stack(tiny.root), address=lambda *_: closed.address, credentials=known.__getitem__
    )
    target = cast("Target", found)
    wanted = of(target, "checks")
    assert observed(target, "checks") == []
    make(target, "checks")
    make(target, "checks")
    assert [(seen.name, seen.digest) for seen in observed(target, "checks")] == [(wanted.resource, wanted.digest)]
    make(target, "reader")
    assert steps(target) == []
    host, port = closed.address.host, closed.address.port
    with postgres.connect(host, port, "checks", FIRST, "checks") as connection:
        connection.execute("create table kept (x int)")
    for role, password, database in (("reader", SECOND, "checks"), ("checks", FIRST, "reader")):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            postgres.connect(host, port, role, password, database)
    # A password that is not the holder's own is a step: it is set again.
    known["checks"]["database_password"] = "d" * 64
    assert observed(target, "checks") == []
    make(target, "checks")
    assert len(observed(target, "checks")) == 1
