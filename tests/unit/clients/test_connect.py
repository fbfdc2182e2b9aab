"""A ready client has the address of who provides it, the holder's own credentials, whom to trust, and its deadline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from data_platform.checks.base import Address
from data_platform.clients import connect
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import load_stack

STACK = load_stack(Path(__file__).resolve().parents[3])
CA = Path("/certificates.pem")
#: What each holder of the test has, so that one taken for another shows.
KNOWN = {
    "minio": {"access_key": "root", "secret_key": "root-secret"},
    "postgresql": {"username": "postgres", "password": "admin-secret"},
    "airflow": {"username": "admin", "password": "airflow-secret"},
    "pipelines": {
        "s3_access_key": "pipelines", "s3_secret_key": "key-secret", "datahub_token": "token-secret",
        "nessie_access_key": "pipelines", "nessie_secret_key": "other-secret",
        "database_user": "pipelines", "database_password": "p@ss/word",
    },
}  # fmt: skip


class Place:
    """A platform whose addresses say whose they are."""

    stack = STACK

    def __init__(self, scheme: str = "http") -> None:
        self.scheme = scheme
        self.authorities: Path | None = CA

    def address(self, component: str, endpoint: str) -> Address:
        name = self.stack.resolve(component)
        return Address(f"{name}.test", 1, f"{self.scheme}://{name}.{endpoint}.test:1")

    def credentials(self, holder: str) -> dict[str, str]:
        return KNOWN[self.stack.capabilities.get(holder, holder)]


class Client(NamedTuple):
    """How a client was made."""

    given: tuple[Any, ...]
    named: dict[str, Any]


def made(*given: Any, **named: Any) -> Client:
    return Client(given, named)


#: What is replaced, how it is asked for, and what it must be given.
CASES: dict[str, tuple[str, Callable[[Any], Any], tuple[Any, ...]]] = {
    "http": ("http.client", lambda p: connect.http(p, 2, "datahub"), ("datahub.http.test:1", 2)),
    "airflow": (
        "airflow.Airflow", lambda p: connect.airflow(p, 2), ("airflow.api.test:1", "admin", "airflow-secret", 2)
    ),
    "airflow, with another password": (
        "airflow.Airflow", lambda p: connect.airflow(p, 2, "wrong"), ("airflow.api.test:1", "admin", "wrong", 2)
    ),
    "trino": (
        "trino.Trino", lambda p: connect.trino(p, 2, "lakehouse"), ("trino.http.test:1", 2, "lakehouse", None)
    ),
    "nessie": ("nessie.Nessie", lambda p: connect.nessie(p, 2), ("nessie.http.test:1", 2)),
    "nifi": ("nifi.NiFi", lambda p: connect.nifi(p, 2), ("nifi.http.test:1", 2)),
    "datahub": (
        "datahub.DataHub",
        lambda p: connect.datahub(p, "pipelines", 2),
        ("datahub.http.test:1", "token-secret", 2),
    ),
    "s3": (
        "s3.client", lambda p: connect.s3(p, "pipelines", 2), ("minio.http.test:1", "pipelines", "key-secret", 2)
    ),
    "s3, of another store": (
        "s3.client",
        lambda p: connect.s3(p, "pipelines", 2, "nessie"),
        ("nessie.http.test:1", "pipelines", "other-secret", 2),
    ),
    "s3, as nobody": ("s3.client", lambda p: connect.s3_as_nobody(p, 2), ("minio.http.test:1", "", "", 2)),
    "s3, as root": ("s3.client", lambda p: connect.s3_as_root(p, 2), ("minio.http.test:1", "root", "root-secret", 2)),
    "s3 admin": ("s3_admin.client", lambda p: connect.s3_admin(p, 2), ("minio.http.test:1", "root", "root-secret", 2)),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("scheme", "trust"), [("http", {}), ("https", {"ca": str(CA)})])
def test_a_client_is_ready(monkeypatch: pytest.MonkeyPatch, case: str, scheme: str, trust: dict[str, str]) -> None:
    replaced, ask, (where, *rest) = CASES[case]
    monkeypatch.setattr(f"data_platform.clients.{replaced}", made)
    assert ask(Place(scheme)) == Client((f"{scheme}://{where}", *rest), trust)


def test_the_usual_authorities_are_trusted_where_the_platform_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data_platform.clients.nessie.Nessie", made)
    place = Place("https")
    place.authorities = None
    assert connect.nessie(place, 2).named == {}  # type: ignore[attr-defined]


def test_a_client_of_another_component_is_asked_for_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data_platform.clients.trino.Trino", made)
    found: Any = connect.trino(Place(), 2, provider="nessie", endpoint="management")
    assert found.given[0] == "http://nessie.management.test:1"


def test_a_holder_without_a_user_of_a_store_is_told_what_to_claim() -> None:
    with pytest.raises(PlatformError, match="pipelines has claimed no user of the object store minio") as caught:
        connect.s3(Place(), "pipelines", 2, "minio")
    assert "{kind: s3_user, of: minio" in caught.value.remedy


def test_a_holder_without_a_token_is_told_what_to_claim() -> None:
    with pytest.raises(PlatformError, match="pages has claimed no token of datahub") as caught:
        connect.datahub(Place(), "pages", 2)
    assert "{kind: token, of: datahub}" in caught.value.remedy


@pytest.mark.parametrize(
    ("ask", "login"),
    [
        (lambda p: connect.postgres(p, "pipelines", "checks"), ("pipelines", "p@ss/word", "checks")),
        (connect.postgres_as_admin, ("postgres", "admin-secret", "postgres")),
        (lambda p: connect.postgres_as_admin(p, "platform", "wrong"), ("postgres", "wrong", "platform")),
        (lambda p: connect.look_into(p, "pipelines", "checks", "postgresql"), ("pipelines", "p@ss/word", "checks")),
    ],
)
def test_a_database_is_opened_as_whoever_asks(
    monkeypatch: pytest.MonkeyPatch, ask: Callable[[Any], Any], login: tuple[str, ...]
) -> None:
    for name in ("connect", "look_into"):
        monkeypatch.setattr(f"data_platform.clients.postgres.{name}", made)
    assert ask(Place()) == Client(("postgresql.test", 1, *login), {})


def test_a_deadline_of_statements_is_given_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data_platform.clients.postgres.connect", made)
    found: Any = connect.postgres(Place(), "pipelines", "checks", seconds=3)
    assert found.named == {"seconds": 3}


def test_the_uri_of_a_database_is_quoted() -> None:
    own = connect.postgres_uri(Place(), "psycopg", "checks", "pipelines")
    assert own == "postgresql+psycopg://pipelines:p%40ss%2Fword@postgresql.test:1/checks"
    admin = connect.postgres_uri(Place(), "psycopg2", "airflow")
    assert admin == "postgresql+psycopg2://postgres:admin-secret@postgresql.test:1/airflow"
