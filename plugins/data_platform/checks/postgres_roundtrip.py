"""A row is written to PostgreSQL and read back."""

from __future__ import annotations

import uuid

from data_platform.checks.base import CheckFailed, Deadline, Params, Platform
from data_platform.clients import connect
from data_platform.clients.cleanup import removed_after
from data_platform.stack.holders import CHECKS


def check(params: Params, platform: Platform, deadline: Deadline) -> str:
    """Write a row to a new table, read it back, and drop the table."""
    del params
    from psycopg import sql

    token = uuid.uuid4().hex
    table = sql.Identifier(f"check_{token}")
    with connect.postgres(platform, CHECKS, CHECKS, seconds=deadline.remaining) as connection:
        connection.execute(sql.SQL("create table {} (token text)").format(table))
        with removed_after(
            lambda: connection.execute(sql.SQL("drop table {}").format(table)),
            f"the table check_{token}",
            required=True,
        ):
            connection.execute(sql.SQL("insert into {} values (%s)").format(table), (token,))
            row = connection.execute(sql.SQL("select token, version() from {}").format(table)).fetchone()
    if row is None or row[0] != token:
        raise CheckFailed(f"wrote {token}, read {row}")
    return f"wrote and read {token[:8]} on {str(row[1]).partition(' on ')[0]}"
