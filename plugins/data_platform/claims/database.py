"""A PostgreSQL database, owned by a role of its holder's name."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, cast

from pydantic import Field, StringConstraints

from data_platform.clients import connect
from data_platform.stack.claim import Claim, Claimed, Place, digest_of, resource_name
from data_platform.stack.errors import PlatformError
from data_platform.stack.plan import Seen
from data_platform.stack.terms import Key

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from data_platform.clients import postgres

#: Names of the credentials of a holder's role; one role for all its databases.
USER, PASSWORD = connect.DATABASE_USER, connect.DATABASE_PASSWORD
#: A PostgreSQL extension; its name may have a hyphen (uuid-ossp).
Extension = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]


class Database(Claim):
    """A PostgreSQL database. What it names is made where it is missing, and never dropped."""

    kind: Literal["database"]
    name: Key
    schemas: tuple[Key, ...] = Field((), description="Schemas besides `public`, owned by the holder's role.")
    extensions: tuple[Extension, ...] = Field(
        (), description="Extensions that the server has, made by its administrator, in this order."
    )

    ways: ClassVar = ("sql",)
    keeps: ClassVar = True
    of_holder: ClassVar = True
    kept: ClassVar = {"sql": "a SCRAM verifier"}

    @property
    def provider(self) -> str:
        """See `Claim`."""
        return "postgresql"

    def made(self, holder: str) -> str:
        """See `Claim`."""
        del holder
        return self.name

    def definition(self, holder: str) -> object:
        """See `Claim`."""
        return _contents(holder, self.schemas, self.extensions)

    def fixed(self, holder: str) -> dict[str, str]:
        """See `Claim`."""
        return {USER: holder.replace("-", "_")}

    @property
    def generated(self) -> tuple[str, ...]:
        """See `Claim`."""
        return (PASSWORD,)

    @classmethod
    def observe(cls, place: Place, provider: str, claimed: Sequence[Claimed]) -> list[Seen]:
        """See `Claim`: databases, as their holders' own roles see them."""
        if not connect.postgres_answers(place, provider):
            note = "PostgreSQL does not answer"
            return [Seen(kind="claim", name=each.resource, healthy=False, note=note) for each in claimed]
        found = []
        for each in claimed:
            there = connect.look_into(place, each.holder, each.name, provider)
            if there is not None:
                found.append(_seen(each, there))
        return found

    @classmethod
    def make(cls, place: Place, provider: str, claimed: Claimed) -> None:
        """Make the holder's role and the database with what it is to hold, and set the role's password.

        Raises:
            PlatformError: PostgreSQL does not let its administrator in, or cannot make an extension.
        """
        import psycopg

        from data_platform.clients import postgres

        holder, spec = claimed.holder, cast(Database, claimed.claim)
        own, what = place.credentials(holder), f"database {spec.name} of {holder}"
        with administrator(place, provider, what, connect.MAINTENANCE) as connection:
            postgres.ensure_database(connection, spec.name, own[USER], own[PASSWORD], f"owned by {holder}")
        if not spec.schemas and not spec.extensions:
            return
        with administrator(place, provider, what, spec.name) as connection:
            for schema in spec.schemas:
                postgres.ensure_schema(connection, schema, own[USER])
            for extension in spec.extensions:
                try:
                    postgres.ensure_extension(connection, extension)
                except psycopg.Error as error:
                    raise PlatformError(
                        f"extension {extension} in {what} cannot be made: {error}",
                        f"take it out of the claims of {holder}, or give the server an artifact that has it"
                        f" (the folder of {provider}); pg_available_extensions lists what it has",
                    ) from None


@contextmanager
def administrator(
    place: Place, provider: str, what: str, database: str
) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A connection of PostgreSQL's superuser, for the moment of making something.

    Args:
        place: where.
        provider: the server.
        what: is to be made, for the message.
        database: to connect to.

    Raises:
        PlatformError: PostgreSQL does not let its administrator in.
    """
    import psycopg

    try:
        connection = connect.postgres_as_admin(place, database, provider=provider)
    except psycopg.OperationalError as error:
        raise PlatformError(
            f"{what} cannot be made: {error}",
            f"read: python3 -m bootstrap logs {provider}; if it is the password, restore credentials.json from a"
            " backup",
        ) from None
    with connection:
        yield connection


def _contents(owner: str, schemas: Sequence[str], extensions: Sequence[str]) -> object:
    return {"owner": owner, "schemas": schemas, "extensions": extensions}


def _seen(claimed: Claimed, there: postgres.Contents) -> Seen:
    spec = cast(Database, claimed.claim)
    schemas = [name for name in spec.schemas if name in there.schemas]
    extensions = [name for name in spec.extensions if name in there.extensions]
    missing = [f"schema {name}" for name in spec.schemas if name not in schemas]
    missing += [f"extension {name}" for name in spec.extensions if name not in extensions]
    return Seen(
        kind="claim",
        name=resource_name(spec.kind, spec.name),
        digest=digest_of(_contents(claimed.holder, schemas, extensions)),
        note=f"it lacks {', '.join(missing)}" if missing else "",
    )
