"""Databases on a PostgreSQL of this process, from the component's own artifact."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import psycopg
import pytest

from data_platform.checks.base import Address
from data_platform.clients import postgres
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import load_stack
from data_platform.stack.plan import plan
from data_platform.targets import provision
from data_platform.targets.local.artifacts import fetch, place
from data_platform.targets.local.cache import cache_folder
from data_platform.targets.local.ports import is_free
from data_platform.targets.local.privileges import own, unprivileged_prefix

if TYPE_CHECKING:
    from data_platform.targets.base import Target
    from tests.conftest import Tiny

PORTS = range(29100, 29200)


@pytest.fixture
def server(root: Path, tmp_path: Path) -> Iterator[Address]:
    """A server without passwords, on loopback."""
    artifact = place(load_stack(root), "postgresql", cache_folder())["server"]
    try:
        fetch(artifact, {}, cache_folder())
    except PlatformError as error:
        pytest.skip(f"PostgreSQL is not to be had: {error}")
    data = tmp_path / "server"
    data.mkdir()
    own(data)
    programs = artifact.folder / artifact.spec.home / "bin"
    port = next(port for port in PORTS if is_free(port))

    def run(program: str, *words: str) -> None:
        prefix = unprivileged_prefix(programs, data)
        subprocess.run([*prefix, programs / program, f"--pgdata={data}/db", *words], check=True, timeout=60, cwd="/")

    run("initdb", "--username=postgres", "--auth=trust", "--no-sync", "--no-instructions")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
    run("pg_ctl", "start", "--wait", f"--log={data}/log", f"--options={options}")
    try:
        yield Address("127.0.0.1", port, "tcp")
    finally:
        run("pg_ctl", "stop", "--mode=immediate")


@pytest.fixture
def furnish(tiny: Tiny, server: Address) -> Any:
    """Makes a platform on that server whose reader has one database, with these schemas and extensions."""

    def make(schemas: list[str], extensions: list[str]) -> Target:
        entry = {"name": "reader", "schemas": schemas, "extensions": extensions}
        tiny.edit(tiny.component("reader"), lambda c: c.update(databases=[entry]))
        own = {"username": "postgres", "password": "any", "database_user": "reader", "database_password": "any"}
        found = SimpleNamespace(stack=load_stack(tiny.root), address=lambda *_: server, credentials=lambda *_: own)
        return cast("Target", found)

    return make


def steps(target: Target) -> list[str]:
    return [str(step) for step in plan(provision.wanted(target, "reader"), provision.observe(target, "reader"))]


def test_what_a_database_lacks_is_made_and_the_rest_stays(furnish: Any, server: Address) -> None:
    plain = furnish([], [])
    assert steps(plain) == ["create database reader: it is not there"]
    provision.create_database(plain, "reader", "reader")
    assert steps(plain) == []

    furnished = furnish(["sales"], ["vector", "pg_trgm"])
    assert steps(furnished) == ["update database reader: it lacks schema sales, extension vector, extension pg_trgm"]
    provision.create_database(furnished, "reader", "reader")
    assert steps(furnished) == []
    with postgres.connect(server.host, server.port, "reader", "any", "reader") as connection:
        connection.execute("create table sales.kept (meaning vector(3))")

    provision.create_database(furnished, "reader", "reader")
    provision.create_database(plain, "reader", "reader")
    with postgres.connect(server.host, server.port, "reader", "any", "reader") as connection:
        assert connection.execute("select count(*) from sales.kept").fetchone() == (0,)
    assert steps(furnished) == []


def test_an_extension_that_the_server_does_not_have_is_one_error_with_its_remedy(furnish: Any) -> None:
    with pytest.raises(PlatformError, match="extension postgis in database reader of reader") as caught:
        provision.create_database(furnish(["sales"], ["postgis"]), "reader", "reader")
    assert "is not available" in caught.value.problem
    assert "pg_available_extensions" in caught.value.remedy
    assert steps(furnish(["sales"], ["postgis"])) == ["update database reader: it lacks extension postgis"]


def test_a_role_cannot_make_such_an_extension_itself(furnish: Any, server: Address) -> None:
    provision.create_database(furnish([], []), "reader", "reader")
    with (
        postgres.connect(server.host, server.port, "reader", "any", "reader") as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("create extension vector")
