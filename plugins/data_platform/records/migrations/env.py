"""Alembic runs this file for each command; the connection and its transaction are the caller's (`schema.migrate`)."""

from __future__ import annotations

from alembic import context

from data_platform.records.database import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
with context.begin_transaction():
    context.run_migrations()
