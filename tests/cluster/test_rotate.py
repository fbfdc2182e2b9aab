"""A secret is given another value on the cluster: its holder goes on, the old one is refused, nobody else is touched.

The same as tests/drills/test_rotate.py on `local`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager

import httpx
import psycopg
import pytest
from minio.error import S3Error

from data_platform.clients import postgres, s3
from data_platform.clients.airflow import Airflow
from data_platform.clients.kubernetes import Cluster
from data_platform.targets.base import Target
from data_platform.targets.kubernetes import places
from tests.drills.test_rotate import encrypted
from tests.running import Running

pytestmark = pytest.mark.timeout(1800)


@contextmanager
def seen(platform: Running) -> Iterator[Target]:
    """The platform as it is now; a target knows what it has read."""
    with closing(platform.target) as target:
        yield target


def secrets(platform: Running, holder: str) -> Mapping[str, str]:
    with seen(platform) as target:
        return target.credentials(holder)


def servers(cluster: Cluster) -> dict[str, str]:
    """Component of every pod that stays, by the pod's id."""
    found = cluster.list_objects("v1", "Pod", labels=f"{places.PART_OF}=data-platform")
    there = [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]
    servers = [pod["metadata"] for pod in there if pod["spec"].get("restartPolicy") == "Always"]
    return {meta["uid"]: meta["labels"][places.NAME] for meta in servers}


def replaced(cluster: Cluster, before: dict[str, str]) -> set[str]:
    """Components of which a pod is another one now."""
    now = servers(cluster)
    assert set(now.values()) == set(before.values())
    return {name for uid, name in before.items() if uid not in now}


def log_in(target: Target, user: str, password: str, database: str) -> None:
    server = target.address("postgresql", "sql")
    postgres.connect(server.host, server.port, user, password, database).close()


def test_the_superusers_password(platform: Running, cluster: Cluster) -> None:
    old, before = secrets(platform, "postgresql")["password"], servers(cluster)
    platform.bootstrap("rotate", "postgresql", "password")
    with seen(platform) as target:
        log_in(target, "postgres", target.credentials("postgresql")["password"], "postgres")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            log_in(target, "postgres", old, "postgres")
    # The server's pods have it, for who makes a database by hand there.
    assert replaced(cluster, before) == {"postgresql"}


def test_a_role_and_a_user_of_the_object_store(platform: Running, cluster: Cluster) -> None:
    old, before = secrets(platform, "nessie"), servers(cluster)
    platform.bootstrap("rotate", "nessie")
    assert replaced(cluster, before) == {"nessie"}
    with seen(platform) as target:
        new = target.credentials("nessie")
        assert {key for key in new if new[key] != old[key]} == {"database_password", "s3_secret_key"}
        log_in(target, "nessie", new["database_password"], "nessie")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            log_in(target, "nessie", old["database_password"], "nessie")
        url = target.address("s3", "http").url
        assert s3.client(url, "nessie", new["s3_secret_key"]).bucket_exists("lakehouse")
        with pytest.raises(S3Error, match="AccessDenied"):
            s3.client(url, "nessie", old["s3_secret_key"]).bucket_exists("lakehouse")
    platform.bootstrap("check", "nessie", "trino")


def test_everything_of_airflow_and_what_it_has_encrypted_stays_readable(platform: Running, cluster: Cluster) -> None:
    name = f"rotated_{uuid.uuid4().hex}"
    with platform.airflow() as airflow:
        airflow._request("POST", "/api/v2/variables", json={"key": name, "value": "kept"})
    old, before = secrets(platform, "airflow"), servers(cluster)
    with seen(platform) as target:
        cipher = encrypted(target, name)
    platform.bootstrap("rotate", "airflow")
    assert replaced(cluster, before) == {"airflow"}
    with seen(platform) as target:
        new = target.credentials("airflow")
        generated = {"password", "jwt_secret", "api_secret_key", "fernet_seed", "database_password"}
        assert {key for key in new if new[key] != old[key]} == generated
        assert encrypted(target, name) != cipher
        address = target.address("airflow", "api").url
        with pytest.raises(httpx.HTTPStatusError, match="401"), Airflow(address, "admin", old["password"]) as refused:
            refused.dag_ids()
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            log_in(target, "airflow", old["database_password"], "airflow")
    with platform.airflow() as airflow:
        assert airflow._request("GET", f"/api/v2/variables/{name}")["value"] == "kept"
        airflow._request("DELETE", f"/api/v2/variables/{name}")
    # Tasks are pods, which come with the new secrets.
    platform.bootstrap("run", "stack_deploy", "--conf", json.dumps({"components": ["nessie"]}))
