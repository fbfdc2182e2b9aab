"""A secret is given another value: its holder goes on, the old one is refused, and nobody else is touched."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest
from minio.error import S3Error

from data_platform.clients import connect, postgres, s3
from data_platform.clients.airflow import Airflow
from data_platform.clients.datahub import dataset_urn

if TYPE_CHECKING:
    from data_platform.targets.base import Target
    from tests.running import Running

pytestmark = pytest.mark.timeout(1800)


def credentials(platform: Running) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads((platform.folder / "credentials.json").read_text(encoding="utf-8"))
    return found


def restarted(platform: Running, before: dict[str, int]) -> set[str]:
    """Programs that run as another process now."""
    after = platform.programs()
    assert after.keys() == before.keys()
    return {name for name, pid in after.items() if pid != before[name]}


def log_in(target: Target, user: str, password: str, database: str) -> None:
    server = target.address("postgresql", "sql")
    postgres.connect(server.host, server.port, user, password, database).close()


def test_the_superusers_password(platform: Running) -> None:
    old, programs = credentials(platform)["postgresql"]["password"], platform.programs()
    platform.bootstrap("rotate", "postgresql", "password")
    new = credentials(platform)["postgresql"]["password"]
    log_in(platform.target, "postgres", new, "postgres")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        log_in(platform.target, "postgres", old, "postgres")
    # Nobody holds it but who provisions, so nothing was restarted.
    assert restarted(platform, programs) == set()


def test_a_role_and_a_user_of_the_object_store(platform: Running) -> None:
    old, programs, target = credentials(platform)["nessie"], platform.programs(), platform.target
    platform.bootstrap("rotate", "nessie")
    new = credentials(platform)["nessie"]
    assert {key for key in new if new[key] != old[key]} == {"database_password", "s3_secret_key"}
    assert restarted(platform, programs) == {"nessie.server"}
    log_in(target, "nessie", new["database_password"], "nessie")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        log_in(target, "nessie", old["database_password"], "nessie")
    url = target.address("s3", "http").url
    assert s3.client(url, "nessie", new["s3_secret_key"]).bucket_exists("lakehouse")
    with pytest.raises(S3Error, match="AccessDenied"):
        s3.client(url, "nessie", old["s3_secret_key"]).bucket_exists("lakehouse")
    platform.bootstrap("check", "nessie", "trino")


@pytest.mark.deep
def test_the_key_and_the_token_of_the_pipelines(platform: Running) -> None:
    old, programs, target = credentials(platform)["pipelines"], platform.programs(), platform.target
    platform.bootstrap("rotate", "pipelines")
    new = credentials(platform)["pipelines"]
    # The catalog knows tokens by a file; Airflow's servers hold none of it.
    assert restarted(platform, programs) == {"datahub.server"}
    with pytest.raises(S3Error, match="AccessDenied"):
        s3.client(target.address("s3", "http").url, "pipelines", old["s3_secret_key"]).bucket_exists("raw")
    urn = dataset_urn("iceberg", "lakehouse.scratch.rotated")
    with connect.datahub(target, "pipelines", 10) as catalog:
        assert catalog.status_of_write(urn, old["datahub_token"]) == 401
        assert catalog.status_of_write(urn, new["datahub_token"]) == 200
    platform.bootstrap("run", "pipelines_fx_rates")


@pytest.mark.deep
def test_the_root_key_of_the_object_store(platform: Running) -> None:
    old, programs, target = credentials(platform)["minio"]["secret_key"], platform.programs(), platform.target
    platform.bootstrap("rotate", "minio")
    assert restarted(platform, programs) == {"minio.server"}
    with pytest.raises(S3Error, match="AccessDenied"):
        s3.client(target.address("s3", "http").url, "platform", old).bucket_exists("raw")
    platform.bootstrap("check", "minio", "trino")


@pytest.mark.deep
def test_everything_of_airflow_and_what_it_has_encrypted_stays_readable(platform: Running) -> None:
    name = f"rotated_{uuid.uuid4().hex}"
    with platform.airflow() as airflow:
        airflow._request("POST", "/api/v2/variables", json={"key": name, "value": "kept"})
    old, programs, cipher = credentials(platform)["airflow"], platform.programs(), encrypted(platform.target, name)
    platform.bootstrap("rotate", "airflow")
    new = credentials(platform)["airflow"]
    generated = {"password", "jwt_secret", "api_secret_key", "fernet_seed", "database_password"}
    assert {key for key in new if new[key] != old[key]} == generated
    assert restarted(platform, programs) == {name for name in programs if name.startswith("airflow.")}
    # A target knows what it has read.
    target = platform.target
    assert encrypted(target, name) != cipher
    with platform.airflow() as airflow:
        assert airflow._request("GET", f"/api/v2/variables/{name}")["value"] == "kept"
        airflow._request("DELETE", f"/api/v2/variables/{name}")
    address = target.address("airflow", "api").url
    with pytest.raises(httpx.HTTPStatusError, match="401"), Airflow(address, "admin", old["password"]) as refused:
        refused.dag_ids()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        log_in(target, "airflow", old["database_password"], "airflow")
    platform.bootstrap("check", "airflow")


def encrypted(target: Target, name: str) -> Any:
    """What the database holds of the variable."""
    login, server = target.credentials("airflow"), target.address("postgresql", "sql")
    user, password = login["database_user"], login["database_password"]
    with postgres.connect(server.host, server.port, user, password, "airflow") as connection:
        query = "select val from variable where key = %(name)s and is_encrypted"
        return postgres.first_row(connection, query, {"name": name})
