"""What anybody who reaches Trino cannot do: make or remove catalogs, or have the server fill in a secret.

Trino asks nobody who they are, so each is tried under several names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests  # noqa: TID251 - Trino's own client speaks through a session of it
import trino

from data_platform.clients.trino import Trino
from tests.lake import SECONDS, lab
from tests.running import Running

pytestmark = pytest.mark.timeout(600)

USERS = ["nobody", "platform", "data-platform", "admin", "trino"]
#: Secrets that the server's own environment and files hold, as configuration files of Trino name them.
SECRETS = ["${ENV:S3_SECRET_KEY}", "${ENV:TRINO_DATABASE_PASSWORD}", "${FILE:/etc/hostname}"]
TABLE = "lakehouse.scratch.filled_in"


def ask(platform: Running, user: str, sql: str, settings: Mapping[str, str] | None = None) -> str:
    """All that a statement is answered with: rows, or the error in full."""
    address = platform.target.address("trino", "http")
    with requests.Session() as session:
        session.trust_env = False
        connection = trino.dbapi.connect(  # type: ignore[no-untyped-call]
            address.host, address.port, user, http_session=session, session_properties=dict(settings or {})
        )
        cursor = connection.cursor()
        try:
            cursor.execute(sql)
            return str(cursor.fetchall())
        except trino.exceptions.TrinoQueryError as error:
            return f"{error.error_name} {error}"


@pytest.fixture
def filled_in(platform: Running) -> Iterator[str]:
    """Name for a table, which is gone afterwards."""
    with Trino(platform.target.address("trino", "http").url, SECONDS) as client:
        client.rows("create schema if not exists lakehouse.scratch")
        client.rows(f"drop table if exists {TABLE}")
        yield TABLE
        client.rows(f"drop table if exists {TABLE}")


@pytest.mark.parametrize("user", USERS)
def test_nobody_makes_or_drops_a_catalog(platform: Running, user: str) -> None:
    with Trino(platform.target.address("trino", "http").url, SECONDS) as client:
        before = client.catalogs()
        for statement in (
            "create catalog mine using tpch",
            "create catalog mine using postgresql with (\"connection-password\" = '${ENV:POSTGRESQL_PASSWORD}')",
            "drop catalog tpch",
            f"drop catalog audit_{lab(platform)}",
        ):
            said = ask(platform, user, statement)
            assert re.match("NOT_SUPPORTED .* is not supported by the static catalog store", said), (statement, said)
        assert client.catalogs() == before


@pytest.mark.parametrize("secret", SECRETS)
def test_a_clients_text_stays_as_it_is_written(platform: Running, filled_in: str, secret: str) -> None:
    held = platform.target.credentials("trino"), platform.target.credentials("s3")
    values = [value for known in held for key, value in known.items() if "secret" in key or "password" in key]
    values.append(Path("/etc/hostname").read_text(encoding="utf-8").strip())
    ways: list[tuple[str, dict[str, str]]] = [
        (f"select '{secret}'", {}),
        (f"select * from table(postgresql.system.query('select ''{secret}'' as word'))", {}),
        ("select 1", {"lakehouse.compression_codec": secret}),
        ("select 1", {"query_max_run_time": secret}),
        (f"create table {filled_in} (a integer comment '{secret}') comment '{secret}'", {}),
        (f"show create table {filled_in}", {}),
        (f"drop table {filled_in}", {}),
        (f"create table {filled_in} (a integer) with (location = 's3://lakehouse/scratch/{secret}/')", {}),
        (f'select value from lakehouse.scratch."{filled_in.rpartition(".")[2]}$properties"', {}),
        (f"show create table {filled_in}", {}),
        (f"create schema lakehouse.never with (location = '{secret}://x/')", {}),
        (f"call lakehouse.system.register_table('scratch', 'never', 's3://lakehouse/{secret}')", {}),
    ]
    answers: list[str] = [ask(platform, "nobody", sql, settings) for sql, settings in ways]
    told = [answer for answer in answers if secret in answer]
    # Trino says back what it was told, so that it would show what it had made of it.
    assert len(told) >= 6, answers
    assert [value for value in values if any(value in answer for answer in answers)] == [], answers


def test_what_a_catalog_was_made_with_is_shown_to_nobody(platform: Running) -> None:
    secrets: list[Any] = [
        value
        for known in (platform.target.credentials("trino"), platform.target.credentials("s3"))
        for key, value in known.items()
        if "secret" in key or "password" in key
    ]
    assert len(secrets) >= 2
    for statement in (
        "select * from system.metadata.catalogs",
        "select * from system.metadata.table_properties",
        "select * from system.runtime.queries",
        "show session",
    ):
        answer = ask(platform, "nobody", statement)
        assert answer.startswith("["), answer
        assert not [secret for secret in secrets if secret in answer], statement
