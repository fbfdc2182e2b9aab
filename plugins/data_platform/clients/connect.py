"""Ready clients: the address of who provides it, the acting holder's credentials, whom to trust, a deadline.

The only place where an address and a password come together. A client is of the component that stands for a capability,
unless another `provider` is named: a component or capability. Client libraries are loaded by the function that needs
them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, TypedDict
from urllib.parse import quote

from data_platform.stack import capabilities
from data_platform.stack.claim import Place
from data_platform.stack.errors import PlatformError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    import httpx
    import psycopg
    from kazoo.client import KazooClient
    from minio import Minio, MinioAdmin

    from data_platform.clients.airflow import Airflow
    from data_platform.clients.datahub import DataHub
    from data_platform.clients.nessie import Nessie
    from data_platform.clients.nifi import NiFi
    from data_platform.clients.postgres import Contents
    from data_platform.clients.trino import Trino
    from data_platform.stack.stack import Stack

    Database = psycopg.Connection[tuple[object, ...]]

#: Endpoints by which servers are reached.
HTTP, SQL, API = "http", "sql", "api"
#: Names of what a holder has of a claim of its own.
DATABASE_USER, DATABASE_PASSWORD = "database_user", "database_password"
#: Names of what a provider itself has: a server's administrator, an object store's root.
ADMIN, ADMIN_PASSWORD = "username", "password"
ROOT_KEY, ROOT_SECRET = "access_key", "secret_key"
#: The database that every server of PostgreSQL has.
MAINTENANCE = "postgres"

_SECONDS = 10.0
_TASK_SECONDS = 30.0
_TOKEN = "token"  # noqa: S105 - a kind of claims


class Known(Place, Protocol):
    """A place that says too who takes part and holds what."""

    stack: Stack


class _Trust(TypedDict, total=False):
    ca: str


class _Deadline(TypedDict, total=False):
    seconds: float


class _Server(NamedTuple):
    url: str
    trust: _Trust


def _server(place: Place, component: str, endpoint: str) -> _Server:
    url = place.address(component, endpoint).url
    # Asked for only where there is something to trust.
    authorities = place.authorities if url.startswith("https:") else None
    return _Server(url, {"ca": str(authorities)} if authorities else {})


def http(place: Place, seconds: float, component: str, endpoint: str = HTTP) -> httpx.Client:
    """Pages of an endpoint, as anybody sees them; paths are below its address."""
    from data_platform.clients import http as module

    server = _server(place, component, endpoint)
    return module.client(server.url, seconds, **server.trust)


def airflow(
    place: Place, seconds: float = _TASK_SECONDS, password: str = "", provider: str = capabilities.ORCHESTRATOR
) -> Airflow:
    """Airflow's API, as its administrator; with another password than the generated one where one is given."""
    from data_platform.clients import airflow as module

    server, own = _server(place, provider, API), place.credentials(provider)
    return module.Airflow(server.url, own[ADMIN], password or own[ADMIN_PASSWORD], seconds, **server.trust)


def trino(
    place: Place,
    seconds: float,
    catalog: str | None = None,
    settings: Mapping[str, str] | None = None,
    *,
    provider: str = capabilities.QUERY_ENGINE,
    endpoint: str = HTTP,
) -> Trino:
    """A session of Trino; for the arguments see its client."""
    from data_platform.clients import trino as module

    server = _server(place, provider, endpoint)
    return module.Trino(server.url, seconds, catalog, settings, **server.trust)


def nessie(place: Place, seconds: float, provider: str = capabilities.TABLE_CATALOG) -> Nessie:
    """A session of Nessie."""
    from data_platform.clients import nessie as module

    server = _server(place, provider, HTTP)
    return module.Nessie(server.url, seconds, **server.trust)


def nifi(place: Place, seconds: float, provider: str = capabilities.FLOWS, endpoint: str = HTTP) -> NiFi:
    """A session of NiFi."""
    from data_platform.clients import nifi as module

    server = _server(place, provider, endpoint)
    return module.NiFi(server.url, seconds, **server.trust)


def datahub(
    place: Known,
    holder: str,
    seconds: float,
    provider: str = capabilities.LINEAGE_CATALOG,
    endpoint: str = HTTP,
) -> DataHub:
    """A session of the catalog of lineage, with the token of a holder.

    Raises:
        PlatformError: the holder has claimed no token of it.
    """
    from data_platform.clients import datahub as module

    server = _server(place, provider, endpoint)
    return module.DataHub(server.url, _token(place, holder, provider), seconds, **server.trust)


def _token(place: Known, holder: str, provider: str) -> str:
    # Holders know all kinds of claims, and some of these are made by clients from here.
    from data_platform.stack.holders import holder as holder_of

    component = place.stack.resolve(provider)
    for claim in holder_of(place.stack, holder).claims:
        if claim.kind == _TOKEN and place.stack.resolve(claim.provider) == component:
            (key,) = claim.generated
            return place.credentials(holder)[key]
    raise PlatformError(
        f"{holder} has claimed no token of {component}",
        f"add {{kind: {_TOKEN}, of: {component}}} to its claims, and run: python3 -m bootstrap up",
    )


def s3(place: Place, holder: str, seconds: float = _SECONDS, provider: str = capabilities.OBJECT_STORE) -> Minio:
    """An object store with the key of a holder; his claim says what he may do.

    Args:
        place: where.
        holder: who acts.
        seconds: for each request.
        provider: the store, by the word by which the holder's claim names it.

    Raises:
        PlatformError: the holder has claimed no user of it.
    """
    from data_platform.clients import s3 as module

    server, own = _server(place, provider, HTTP), place.credentials(holder)
    try:
        access_key, secret_key = (own[key] for key in s3_keys(provider))
    except KeyError:
        raise PlatformError(
            f"{holder} has claimed no user of the object store {provider}",
            f"add {{kind: s3_user, of: {provider}, buckets: …}} to its claims, and run: python3 -m bootstrap up",
        ) from None
    return module.client(server.url, access_key, secret_key, seconds, **server.trust)


def s3_keys(provider: str) -> tuple[str, str]:
    """What a holder has of his user of an object store: names of the access key and of the secret key."""
    stem = provider.replace("-", "_")
    return f"{stem}_access_key", f"{stem}_secret_key"


def s3_as_nobody(place: Place, seconds: float = _SECONDS, provider: str = capabilities.OBJECT_STORE) -> Minio:
    """The object store without a key."""
    from data_platform.clients import s3 as module

    server = _server(place, provider, HTTP)
    return module.client(server.url, "", "", seconds, **server.trust)


def s3_as_root(place: Place, seconds: float = _SECONDS, provider: str = capabilities.OBJECT_STORE) -> Minio:
    """The object store with its own key, which may do everything."""
    from data_platform.clients import s3 as module

    server, own = _server(place, provider, HTTP), place.credentials(provider)
    return module.client(server.url, own[ROOT_KEY], own[ROOT_SECRET], seconds, **server.trust)


def s3_admin(place: Place, seconds: float = _SECONDS, provider: str = capabilities.OBJECT_STORE) -> MinioAdmin:
    """Users and policies of an object store that is administered as MinIO is."""
    from data_platform.clients import s3_admin as module

    server, own = _server(place, provider, HTTP), place.credentials(provider)
    return module.client(server.url, own[ROOT_KEY], own[ROOT_SECRET], seconds, **server.trust)


def postgres(
    place: Place,
    holder: str,
    database: str,
    provider: str = capabilities.DATABASE_SERVER,
    seconds: float | None = None,
) -> Database:
    """A database, as the role of a holder; `seconds` is the deadline of a statement, where it is not the usual one.

    Raises:
        psycopg.OperationalError: nobody listens there, the login is refused, or there is no such database.
    """
    from data_platform.clients import postgres as module

    server, own = place.address(provider, SQL), place.credentials(holder)
    given: _Deadline = {} if seconds is None else {"seconds": seconds}
    return module.connect(server.host, server.port, own[DATABASE_USER], own[DATABASE_PASSWORD], database, **given)


def postgres_as_admin(
    place: Place, database: str = MAINTENANCE, password: str = "", provider: str = capabilities.DATABASE_SERVER
) -> Database:
    """A database as the server's administrator; with another password than the generated one where one is given.

    Raises:
        psycopg.OperationalError: nobody listens there, the login is refused, or there is no such database.
    """
    from data_platform.clients import postgres as module

    server, own = place.address(provider, SQL), place.credentials(provider)
    return module.connect(server.host, server.port, own[ADMIN], password or own[ADMIN_PASSWORD], database)


def postgres_answers(place: Place, provider: str = capabilities.DATABASE_SERVER) -> bool:
    """Whether the server takes connections, whoever may log in."""
    from data_platform.clients import postgres as module

    server = place.address(provider, SQL)
    return module.answers(server.host, server.port)


def look_into(place: Place, holder: str, database: str, provider: str) -> Contents | None:
    """What a database holds; None where the role of the holder may not log in to it."""
    from data_platform.clients import postgres as module

    server, own = place.address(provider, SQL), place.credentials(holder)
    return module.look_into(server.host, server.port, own[DATABASE_USER], own[DATABASE_PASSWORD], database)


def postgres_uri(
    place: Place, driver: str, database: str, holder: str = "", provider: str = capabilities.DATABASE_SERVER
) -> str:
    """A database for SQLAlchemy. It holds a password: it belongs into memory and environments.

    Args:
        place: where.
        driver: of SQLAlchemy, such as psycopg.
        database: its name.
        holder: as whose role; as the administrator when empty.
        provider: the server.
    """
    server, own = place.address(provider, SQL), place.credentials(holder or provider)
    names = (DATABASE_USER, DATABASE_PASSWORD) if holder else (ADMIN, ADMIN_PASSWORD)
    user, password = (quote(own[name], safe="") for name in names)
    return f"postgresql+{driver}://{user}:{password}@{server.host}:{server.port}/{quote(database, safe='')}"


def zookeeper(place: Place, seconds: float, component: str, endpoint: str) -> AbstractContextManager[KazooClient]:
    """A session with whichever member answers."""
    from data_platform.clients import zookeeper as module

    server = place.address(component, endpoint)
    return module.session(server.host, server.port, seconds)
