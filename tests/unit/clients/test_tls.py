"""Servers with certificates of a private authority are reached by that authority's file, and by no client without."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import ClassVar

import pytest

from data_platform.clients import http, s3, s3_admin
from data_platform.clients.airflow import Airflow
from data_platform.clients.nessie import Nessie
from data_platform.clients.nifi import NiFi
from data_platform.clients.trino import Trino
from tests.certificates import Authority, authority, served

pytestmark = pytest.mark.enable_socket

_SECONDS = 20.0


class Servers(BaseHTTPRequestHandler):
    """Answers as all servers do at once, to requests that the clients below make."""

    answers: ClassVar[dict[str, object]] = {
        "/page": "hello",
        "/v1/statement": {
            "id": "1", "infoUri": "", "columns": [{"name": "n", "type": "integer",
            "typeSignature": {"rawType": "integer", "arguments": []}}], "data": [[1]], "stats": {"state": "FINISHED"},
        },
        "/api/v2/trees": {"references": [], "hasMore": False},
        "/nifi-api/process-groups/root/process-groups": {"processGroups": []},
        "/auth/token": {"access_token": "t"},
        "/api/v2/dags": {"dags": [], "total_entries": 0},
        "/config": {"noCode": "true", "versions": {"acryldata/datahub": {"version": "v1.0.0"}}},
        "/bucket": "",
        "/minio/admin/v3/info": {},
    }  # fmt: skip

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        found = self.answers[self.path.partition("?")[0].rstrip("/")]
        body = (found if isinstance(found, str) else json.dumps(found)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Nothing."""


def page(url: str, ca: str | None) -> None:
    with http.client(url, _SECONDS, ca=ca) as client:
        assert client.get("/page").text == "hello"


def ready(url: str, ca: str | None) -> None:
    if problem := http.answers(f"{url}/page", "hello", ca):
        raise ConnectionError(problem)


def trino(url: str, ca: str | None) -> None:
    with Trino(url, _SECONDS, ca=ca) as client:
        assert client.value("select 1") == 1


def nessie(url: str, ca: str | None) -> None:
    with Nessie(url, _SECONDS, ca=ca) as client:
        assert client.branches() == {}


def nifi(url: str, ca: str | None) -> None:
    with NiFi(url, _SECONDS, ca=ca) as client:
        assert client.groups() == []


def airflow(url: str, ca: str | None) -> None:
    with Airflow(url, "admin", "p", _SECONDS, ca) as client:
        assert client.dag_ids() == []


def object_store(url: str, ca: str | None) -> None:
    assert s3.client(url, "key", "secret", _SECONDS, ca).bucket_exists("bucket")


def store_admin(url: str, ca: str | None) -> None:
    assert s3_admin.client(url, "key", "secret", _SECONDS, ca).info() == "{}"


def datahub(url: str, ca: str | None) -> None:
    from data_platform.clients.datahub import DataHub

    with closing(DataHub(url, "t", _SECONDS, ca)._emitter) as emitter:
        emitter.test_connection()


CLIENTS = [page, ready, trino, nessie, nifi, airflow, object_store, store_admin, datahub]


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("trusted"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of another authority."""
    return authority(tmp_path_factory.mktemp("stranger")).ca


@pytest.fixture
def url(trusted: Authority) -> Iterator[str]:
    with served(Servers, trusted.certificate) as found:
        yield found


@pytest.mark.parametrize("client", CLIENTS)
def test_who_trusts_the_authority_is_answered(
    client: Callable[[str, str | None], None], url: str, trusted: Authority
) -> None:
    client(url, str(trusted.ca))


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("trusts", ["the usual ones", "another one"])
def test_who_does_not_sends_nothing(
    client: Callable[[str, str | None], None], trusts: str, url: str, stranger: Path
) -> None:
    with pytest.raises(Exception, match=r"(?i)certificate.verify.failed|CertificateError"):
        client(url, str(stranger) if trusts == "another one" else None)
