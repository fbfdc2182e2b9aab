"""A look at a platform by its contracts alone: the credentials file and the servers' own protocols.

A platform of another release is reached through that release's own checkout, so the same looks can be made before and
after it is taken over.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import trino
from minio import Minio

from tests.running import Running

SECONDS = 180
_USER = "operator"
#: Generated credentials by component and name.
Secrets = dict[str, dict[str, str]]

# Prints the address of every endpoint as JSON and keeps it open (on a cluster it is a forwarded port) while it is read.
_ADDRESSES = """
import argparse, json, pathlib, sys
from bootstrap.place import open_target
target = open_target(argparse.Namespace(state=pathlib.Path(sys.argv[1])))
print(json.dumps({
    f"{name}.{endpoint}": target.address(name, endpoint).url
    for name, item in target.stack.components.items() for endpoint in item.component.endpoints
    if f"{name}.{endpoint}" in sys.argv[2:]
}), flush=True)
sys.stdin.read()
target.close()
"""
_REACHED = ("airflow.api", "datahub.http", "minio.http", "nessie.http", "nifi.http", "postgresql.sql", "trino.http")


@dataclass(frozen=True)
class Visit:
    """One look at a platform, as its users see it."""

    addresses: dict[str, str]
    #: Not shown where a test fails.
    secrets: Secrets = field(repr=False)

    def http(self, endpoint: str, token: str = "") -> httpx.Client:
        """A client of a server, of nobody or with a bearer token."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.addresses[endpoint], headers=headers, timeout=SECONDS, trust_env=False)

    def store(self, secret: str | None = None) -> Minio:
        """The object store, with the root key or another secret in its place."""
        keys = self.secrets["minio"]
        address = urlsplit(self.addresses["minio.http"]).netloc
        return Minio(address, access_key=keys["access_key"], secret_key=secret or keys["secret_key"], secure=False)

    def rows(self, statement: str) -> list[list[Any]]:
        """Ask Trino."""
        place = urlsplit(self.addresses["trino.http"])
        connection = trino.dbapi.connect(host=place.hostname, port=place.port, user=_USER)  # type: ignore[no-untyped-call]
        with closing(connection):
            cursor = connection.cursor()
            cursor.execute(statement)
            return [list(row) for row in cursor.fetchall()]

    def database(self, user: str, password: str, name: str) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection to PostgreSQL."""
        place = urlsplit(self.addresses["postgresql.sql"])
        return psycopg.connect(
            host=place.hostname,
            port=place.port,
            user=user,
            password=password,
            dbname=name,
            connect_timeout=SECONDS,
            autocommit=True,
        )

    def own_database(self, component: str, name: str) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection to a database of a component, as its role."""
        login = self.secrets[component]
        return self.database(login["database_user"], login["database_password"], name)

    def airflow(self) -> httpx.Client:
        """Airflow's API, as its administrator."""
        return self.http("airflow.api", airflow_token(self))


@contextmanager
def visit(platform: Running) -> Iterator[Visit]:
    """Reach a platform through the checkout that brought it up."""
    command = [sys.executable, "-c", _ADDRESSES, str(platform.folder), *_REACHED]
    with subprocess.Popen(  # noqa: TID251 - it holds forwarded ports open for as long as the visit lasts
        command,
        cwd=platform.root,
        env=platform.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as opened:
        assert opened.stdin is not None
        assert opened.stdout is not None
        try:
            said = opened.stdout.readline()
            assert said, "the platform cannot be reached"
            secrets = json.loads((platform.folder / "credentials.json").read_text(encoding="utf-8"))
            yield Visit(json.loads(said), secrets)
        finally:
            opened.stdin.close()


def airflow_token(seen: Visit, password: str = "") -> str:
    """Log in as Airflow's administrator, with the password of the credentials file or another one."""
    login = {"username": "admin", "password": password or seen.secrets["airflow"]["password"]}
    with seen.http("airflow.api") as client:
        answer = client.post("/auth/token", json=login)
    answer.raise_for_status()
    return str(answer.json()["access_token"])
