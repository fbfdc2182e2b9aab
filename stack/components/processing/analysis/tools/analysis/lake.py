"""Trino, asked directly: what Great Expectations does not say, and what pages show."""

from __future__ import annotations

import os
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import trino

_USER = "analysis"
#: Of a statement, kept by the server; of one of its requests, each of which the client makes three times at most.
_SECONDS, _REQUEST_SECONDS = 120, 20


def sqlalchemy_url(catalog: str) -> str:
    """Address of a catalog for SQLAlchemy. It holds no secret: Trino takes a name, and this machine alone."""
    return f"trino://{_USER}@{os.environ['TRINO_HTTP_HOST']}:{os.environ['TRINO_HTTP_PORT']}/{catalog}"


class Lake:
    """A session with Trino in one catalog. Use it as a context manager."""

    def __init__(self, catalog: str) -> None:
        """Prepare a session; nothing is sent yet."""
        self._connection = trino.dbapi.connect(  # type: ignore[no-untyped-call]
            host=os.environ["TRINO_HTTP_HOST"],
            port=int(os.environ["TRINO_HTTP_PORT"]),
            user=_USER,
            source=_USER,
            catalog=catalog,
            request_timeout=_REQUEST_SECONDS,
            session_properties={"query_max_run_time": f"{_SECONDS}s"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def records(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[dict[str, Any]]:
        """Rows of a query, each by the names of its columns.

        Raises:
            trino.exceptions.TrinoQueryError: Trino refused it, in its own words.
        """
        cursor = self._connection.cursor()
        try:
            cursor.execute(sql, parameters or None)
            rows = cursor.fetchall()
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in rows]
        except BaseException:
            # What went wrong is told, not that the query could not be ended either.
            with suppress(Exception):
                cursor.close()
            raise

    def columns(self, table: str) -> list[str]:
        """Names of a table's columns, in their order; empty where there is no such table.

        Args:
            table: schema.table.
        """
        rows = self.records(
            "select column_name from information_schema.columns "
            "where table_schema = ? and table_name = ? order by ordinal_position",
            tuple(table.split(".")),
        )
        return [str(row["column_name"]) for row in rows]
