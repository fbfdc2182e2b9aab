"""Databases, buckets, branches: the same on every target, by the servers' own protocols. See also `grants`."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg

from data_platform.clients import postgres
from data_platform.stack.errors import PlatformError
from data_platform.stack.holders import DATABASE_PASSWORD, DATABASE_USER, holder
from data_platform.stack.plan import Kind, Resource, Seen
from data_platform.targets import branches

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from data_platform.stack.model import Database
    from data_platform.targets.base import Target

#: Endpoint, user and password names that a provider of databases must have.
SQL, _USER, _PASSWORD = "sql", "username", "password"


def digest_of(value: object) -> str:
    """Of anything that JSON can say."""
    return json.dumps(value, sort_keys=True)


def _database_digest(owner: str, schemas: Sequence[str], extensions: Sequence[str]) -> str:
    return digest_of({"owner": owner, "schemas": schemas, "extensions": extensions})


def wanted(target: Target, component: str) -> list[Resource]:
    """Databases that the component owns, the buckets if it stands for the object store, the branches if it has them."""
    stack = target.stack
    found = databases(component, stack.components[component].component.databases, "database")
    if stack.capabilities.get("s3") == component:
        found += [
            Resource(kind="bucket", name=name, digest=digest_of(spec.model_dump()))
            for name, spec in stack.file.buckets.items()
        ]
    return [*found, *branches.wanted(stack, component)]


def databases(owner: str, specs: Sequence[Database], kind: Kind) -> list[Resource]:
    """Databases of a holder as resources."""
    return [
        Resource(kind=kind, name=spec.name, digest=_database_digest(owner, spec.schemas, spec.extensions))
        for spec in specs
    ]


def observe(target: Target, component: str) -> list[Seen]:
    """Databases that the component's role can log in to, with what they hold of what is declared, buckets, and
    branches.

    What a server that does not answer holds is shown as not healthy, with that reason: the steps that follow make what
    is missing and leave the rest alone.
    """
    specs = target.stack.components[component].component.databases
    return [
        *observe_databases(target, component, specs, "database"),
        *_observe_buckets(target, component),
        *branches.observe(target, component),
    ]


def observe_databases(target: Target, owner: str, specs: Sequence[Database], kind: Kind) -> list[Seen]:
    """Databases of a holder, as his own role sees them."""
    if not specs:
        return []
    server, own = target.address("postgresql", SQL), target.credentials(owner)
    if not postgres.answers(server.host, server.port):
        return [Seen(kind=kind, name=s.name, healthy=False, note="PostgreSQL does not answer") for s in specs]
    login = server.host, server.port, own[DATABASE_USER], own[DATABASE_PASSWORD]
    found = ((spec, postgres.look_into(*login, spec.name)) for spec in specs)
    return [_seen_database(owner, spec, contents, kind) for spec, contents in found if contents is not None]


def _seen_database(owner: str, spec: Database, there: postgres.Contents, kind: Kind) -> Seen:
    schemas = [name for name in spec.schemas if name in there.schemas]
    extensions = [name for name in spec.extensions if name in there.extensions]
    missing = [f"schema {name}" for name in spec.schemas if name not in schemas]
    missing += [f"extension {name}" for name in spec.extensions if name not in extensions]
    return Seen(
        kind=kind,
        name=spec.name,
        digest=_database_digest(owner, schemas, extensions),
        note=f"it lacks {', '.join(missing)}" if missing else "",
    )


def _observe_buckets(target: Target, component: str) -> list[Seen]:
    if target.stack.capabilities.get("s3") != component:
        return []
    import urllib3
    from minio.error import MinioException

    from data_platform.clients import s3

    own = target.credentials(component)
    store = s3.client(target.address(component, "http").url, own["access_key"], own["secret_key"], seconds=3)
    try:
        buckets = {name: s3.read_bucket(store, name) for name in target.stack.file.buckets}
    except (MinioException, urllib3.exceptions.HTTPError, OSError):
        names = target.stack.file.buckets
        return [Seen(kind="bucket", name=n, healthy=False, note="the object store does not answer") for n in names]
    return [Seen(kind="bucket", name=n, digest=digest_of(b.model_dump())) for n, b in buckets.items() if b is not None]


def create_database(target: Target, owner: str, database: str) -> None:
    """Make a holder's role and one of its databases with what it is to hold, and set the role's password.

    Raises:
        PlatformError: PostgreSQL does not let its administrator in, or cannot make an extension.
    """
    own = target.credentials(owner)
    (spec,) = (spec for spec in holder(target.stack, owner).databases if spec.name == database)
    with administrator(target, f"database {database} of {owner}", "postgres") as connection:
        postgres.ensure_database(connection, database, own[DATABASE_USER], own[DATABASE_PASSWORD], f"owned by {owner}")
    if not spec.schemas and not spec.extensions:
        return
    with administrator(target, f"database {database} of {owner}", database) as connection:
        for schema in spec.schemas:
            postgres.ensure_schema(connection, schema, own[DATABASE_USER])
        for extension in spec.extensions:
            try:
                postgres.ensure_extension(connection, extension)
            except psycopg.Error as error:
                raise PlatformError(
                    f"extension {extension} in database {database} of {owner} cannot be made: {error}",
                    f"take it out of `databases` of {owner}, or give the server an artifact that"
                    " has it (stack/components/storage/postgresql); pg_available_extensions lists what it has",
                ) from None


@contextmanager
def administrator(target: Target, what: str, database: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A connection of PostgreSQL's superuser, for the moment of provisioning.

    Args:
        target: where.
        what: is to be made, for the message.
        database: to connect to.

    Raises:
        PlatformError: PostgreSQL does not let its administrator in.
    """
    server, admin = target.address("postgresql", SQL), target.credentials("postgresql")
    try:
        connection = postgres.connect(server.host, server.port, admin[_USER], admin[_PASSWORD], database)
    except psycopg.OperationalError as error:
        raise PlatformError(
            f"{what} cannot be made: {error}",
            "read: python3 -m bootstrap logs postgresql; if it is the password, restore credentials.json from a backup",
        ) from None
    with connection:
        yield connection


def create_bucket(target: Target, component: str, bucket: str) -> None:
    """Make one of the platform's buckets and set versioning and lifecycle."""
    from data_platform.clients import s3

    own = target.credentials(component)
    store = s3.client(target.address(component, "http").url, own["access_key"], own["secret_key"])
    s3.ensure_bucket(store, bucket, target.stack.file.buckets[bucket])
