"""Brings the schema of the database `platform` to the one of this code, by the migrations in migrations/versions/."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from data_platform.records import database

if TYPE_CHECKING:
    from alembic.config import Config

    from data_platform.targets.base import Target

#: Deadline of a statement: who waits for another migration, waits for all of it.
_SECONDS = 300.0
_MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(target: Target) -> list[str]:
    """Carry out the migrations that are missing, all or none of them; returns what was changed, in words.

    Safe to repeat, and to call from several places at once: PostgreSQL lets one of them in after the other.

    Raises:
        psycopg.OperationalError: PostgreSQL does not answer, the login is refused, or there is no such database yet.
        PlatformError: the schema is newer than this code.
    """
    with database.connect(target) as connection:
        found = database.revision(connection)
    database.refuse_newer(found)
    if found == database.REVISION:
        return []
    _upgrade(target)
    return [f"schema of the database {database.NAME}: {found or 'none'} → {database.REVISION}"]


def config() -> Config:
    """Alembic's configuration: there is no file of it."""
    from alembic.config import Config

    found = Config()
    found.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    found.set_main_option("path_separator", "os")
    return found


def _upgrade(target: Target) -> None:
    # These take a third of a second to import, and there is seldom anything to do.
    from alembic import command
    from sqlalchemy import create_engine, text
    from sqlalchemy.pool import NullPool

    def connection_of_one() -> database.Connection:
        found = database.connect(target, _SECONDS)
        found.autocommit = False
        return found

    engine = create_engine("postgresql+psycopg://", creator=connection_of_one, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("select pg_advisory_xact_lock(hashtext('schema_version'))"))
        found = config()
        found.attributes["connection"] = connection
        command.upgrade(found, database.REVISION)
