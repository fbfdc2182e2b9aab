"""Trino: statements over its HTTP protocol, by its own client."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import requests  # noqa: TID251 - Trino's own client speaks through a session of it
import trino
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_exponential

from data_platform.clients.cleanup import removed_after

#: Answers of a server that has started but does not know itself as a worker yet; they end by themselves.
_NOT_YET = frozenset({"SERVER_STARTING_UP", "NO_NODES_AVAILABLE"})
#: What a query of a table that nobody has made yet is answered with.
_NOT_THERE = frozenset({"TABLE_NOT_FOUND", "SCHEMA_NOT_FOUND"})
_USER = "data-platform"
#: Deadline of one request; a statement is many of them. Trino answers each within a second, also when it has nothing to
#: say yet. Its client asks three times, and once more to end the statement: a server that is silent is an error then.
_REQUEST_SECONDS = 20.0
#: Raised when nobody answers, or the server went away in the middle of a statement; asking again may help.
UNREACHABLE = (trino.exceptions.TrinoConnectionError, trino.exceptions.HttpError, requests.RequestException)


def identifier(name: str) -> str:
    """A name as it is written in a statement, whatever is in it; case is kept."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def literal(text: str) -> str:
    """A text as it is written in a statement."""
    escaped = text.replace("'", "''")
    return f"'{escaped}'"


class Trino:
    """A session with one Trino. Use it as a context manager.

    `rows` and `value` raise trino.exceptions.TrinoQueryError with Trino's own words, and
    trino.exceptions.TrinoConnectionError when nobody answers.
    """

    def __init__(
        self,
        url: str,
        seconds: float,
        catalog: str | None = None,
        settings: Mapping[str, str] | None = None,
        user: str = _USER,
        *,
        ca: str | None = None,
    ) -> None:
        """Prepare a session; nothing is sent yet.

        Args:
            url: Trino's address without path.
            seconds: deadline of one statement, kept by the server.
            catalog: where names without a catalog are looked up.
            settings: of this session, such as lakehouse.expire_snapshots_min_retention.
            user: in whose name; the platform's queries have a share of their own (resource-groups.json).
            ca: file with certificates of the authorities that are trusted; None for those that requests comes with.
        """
        parts = urlsplit(url)
        self._seconds = seconds
        self._http = requests.Session()
        # The servers are on this machine or in this cluster: no proxy of the environment.
        self._http.trust_env = False
        self._http.verify = ca or True
        self._connection = trino.dbapi.connect(  # type: ignore[no-untyped-call]
            host=parts.hostname,
            port=parts.port,
            user=user,
            source=_USER,
            catalog=catalog,
            http_scheme=parts.scheme,
            http_session=self._http,
            request_timeout=min(seconds, _REQUEST_SECONDS),
            session_properties={"query_max_run_time": f"{max(1, round(seconds))}s", **(settings or {})},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
        self._http.close()

    def rows(self, sql: str) -> list[list[Any]]:
        """Run a statement to its end and return its rows; again while a server that just started asks for patience."""
        again = Retrying(
            stop=stop_after_delay(self._seconds),
            wait=wait_exponential(multiplier=0.1, max=1),
            retry=retry_if_exception(_is_not_yet),
            reraise=True,
        )
        return again(self._rows, sql)

    def rows_if_there(self, sql: str) -> list[list[Any]]:
        """As `rows`; no rows where the table or its schema is not there yet."""
        try:
            return self.rows(sql)
        except trino.exceptions.TrinoQueryError as error:
            if error.error_name in _NOT_THERE:
                return []
            raise

    def value(self, sql: str) -> Any:
        """First value of the first row; None when there is no row."""
        rows = self.rows(sql)
        return rows[0][0] if rows else None

    def catalogs(self) -> set[str]:
        """Names of all catalogs."""
        return {str(row[0]) for row in self.rows("show catalogs")}

    def _rows(self, sql: str) -> list[list[Any]]:
        cursor = self._connection.cursor()
        # After its last row there is nothing to end on the server.
        with removed_after(cursor.close, "a statement of Trino"):
            cursor.execute(sql)
            return [list(row) for row in cursor.fetchall()]


def _is_not_yet(error: BaseException) -> bool:
    return isinstance(error, trino.exceptions.TrinoQueryError) and error.error_name in _NOT_YET
