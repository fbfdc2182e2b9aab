"""Airflow's REST API (v2), as a user of it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from datetime import datetime
from tempfile import TemporaryDirectory
from typing import Any, Self
from urllib.parse import quote

import httpx

from data_platform.clients import http
from data_platform.clients.commands import run
from data_platform.stack.errors import PlatformError

#: States in which a DAG run or task has come to its end.
RUN_ENDS = frozenset({"success", "failed"})
TASK_ENDS = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
#: In the place of a DAG's id: all of them.
EVERY_DAG = "~"
#: Entries of a list that are asked for at a time: what the server gives at most by default (maximum_page_limit).
_PAGE = 100
#: Its own database, and its own command (of Python's `-m`) that encrypts rows with another key.
METADATA = "airflow"
ROTATE_KEY = ("-m", "airflow", "rotate-fernet-key")
#: Tables that grow with each run, and what they take along. Not `dag`, which holds who is paused, and not `trigger`:
#: that of an asset's watcher lives as long as its DAG.
_PAST = (
    *(
        "asset_event",
        "callback",
        "connection_test_request",
        "dag_run",
        "dag_version",
        "deadline",
        "import_error",
        "job",
    ),
    *("log", "partitioned_asset_key_log", "revoked_token", "task_instance", "task_instance_history"),
    *("task_reschedule", "xcom"),
)
#: Rows that are removed in one transaction.
_BATCH = "5000"
_REMOVED = re.compile(r"^Checking table (\w+)$.*?^Found (\d+) rows", re.MULTILINE | re.DOTALL)


class Airflow:
    """A logged-in client; a context manager that closes its connections.

    Args:
        url: address of the API server.
        username: login.
        password: generated at first start.
        seconds: deadline of one request.
        ca: see `http.client`.
    """

    def __init__(self, url: str, username: str, password: str, seconds: float = 30.0, ca: str | None = None) -> None:
        self._http = http.client(url, seconds, ca=ca)
        self._login = {"username": username, "password": password}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def _request(self, method: str, path: str, **arguments: Any) -> Any:
        if "Authorization" not in self._http.headers:
            self.log_in()
        answer = self._http.request(method, path, **arguments)
        if answer.status_code == httpx.codes.UNAUTHORIZED:  # the token has expired
            self.log_in()
            answer = self._http.request(method, path, **arguments)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def log_in(self) -> None:
        """Get a token for the requests that follow; each of them does so where there is none.

        Raises:
            httpx.HTTPStatusError: 401 when the password is wrong.
        """
        answer = self._http.post("/auth/token", json=self._login)
        answer.raise_for_status()
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def health(self) -> dict[str, str]:
        """Status of each part: metadatabase, scheduler, triggerer, dag_processor."""
        found = self._request("GET", "/api/v2/monitor/health")
        return {part: str(value["status"]) for part, value in found.items() if value}

    def _list(
        self, path: str, of: str, query: Mapping[str, Any] | None = None, most: int | None = None
    ) -> list[dict[str, Any]]:
        """All entries of a list, page by page: the server may give fewer at a time than it is asked for.

        Args:
            path: of the list.
            of: key of its entries.
            query: what is asked for.
            most: so many entries are enough.
        """
        found: list[dict[str, Any]] = []
        while True:
            limit = _PAGE if most is None else min(_PAGE, most - len(found))
            page = self._request("GET", path, params={**(query or {}), "limit": limit, "offset": len(found)})
            found += page[of]
            if len(found) >= min(page["total_entries"], most or page["total_entries"]) or not page[of]:
                return found

    def dags(self) -> dict[str, dict[str, Any]]:
        """All active DAGs by id: whether they are paused, their tags, their next times."""
        found = self._list("/api/v2/dags", "dags", {"order_by": "dag_id"})
        return {str(dag["dag_id"]): dag for dag in found}

    def dag_ids(self) -> list[str]:
        """Ids of all active DAGs."""
        return list(self.dags())

    def import_errors(self) -> list[str]:
        """Files that could not be parsed, with the reason."""
        found = self._list("/api/v2/importErrors", "import_errors")
        return [f"{error['filename']}: {error['stack_trace'][-500:]}" for error in found]

    def has_dag(self, dag_id: str) -> bool:
        """Whether the DAG has been parsed."""
        answer = self._http.get(f"/api/v2/dags/{dag_id}") if "Authorization" in self._http.headers else None
        if answer is None or answer.status_code == httpx.codes.UNAUTHORIZED:
            self.log_in()
            answer = self._http.get(f"/api/v2/dags/{dag_id}")
        return answer.status_code == httpx.codes.OK

    def active_runs(self, dag_id: str = EVERY_DAG) -> list[dict[str, Any]]:
        """Runs that are queued or running, newest first; of all DAGs where none is named."""
        query = {"state": ["queued", "running"], "order_by": "-run_after"}
        return self._list(f"/api/v2/dags/{dag_id}/dagRuns", "dag_runs", query)

    def runs(self, dag_id: str, most: int | None = None) -> list[dict[str, Any]]:
        """Runs of a DAG, newest first: all of them, or so many at most."""
        return self._list(f"/api/v2/dags/{dag_id}/dagRuns", "dag_runs", {"order_by": "-run_after"}, most)

    def last_ended(self, dag_id: str, *states: str) -> dict[str, Any] | None:
        """The run that ended last, of those with one of these outcomes (`RUN_ENDS` when none is named)."""
        query = {"state": sorted(states or RUN_ENDS), "order_by": "-end_date", "limit": 1}
        found = self._request("GET", f"/api/v2/dags/{dag_id}/dagRuns", params=query)["dag_runs"]
        return dict(found[0]) if found else None

    def xcoms(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """What the tasks of a run handed to each other, with the values."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        listed = self._list(f"{path}/~/xcomEntries", "xcom_entries")
        places = [(f"{path}/{e['task_id']}/xcomEntries/{quote(e['key'], safe='')}", e["map_index"]) for e in listed]
        return [self._request("GET", place, params={"map_index": index}) for place, index in places]

    def links(self, dag_id: str, run_id: str, task_id: str) -> dict[str, str]:
        """Extra links of a task, by name."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/links"
        return dict(self._request("GET", path)["extra_links"])

    def get_status(self, path: str) -> int:
        """HTTP status of a path."""
        self.log_in()
        return self._http.get(path).status_code

    def get_text(self, path: str) -> str:
        """Text of a path."""
        self.log_in()
        answer = self._http.get(path)
        answer.raise_for_status()
        return answer.text

    def trigger(self, dag_id: str, conf: dict[str, Any]) -> str:
        """Start a run and return its id."""
        body = {"logical_date": None, "conf": conf}
        return str(self._request("POST", f"/api/v2/dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def unpause(self, dag_id: str) -> None:
        """Let the DAG run."""
        self._request("PATCH", f"/api/v2/dags/{dag_id}", json={"is_paused": False})

    def run_state(self, dag_id: str, run_id: str) -> str:
        """State of a run: queued, running, success, failed."""
        return str(self._request("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Task instances of a run."""
        return self._list(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances", "task_instances")

    def log(self, dag_id: str, run_id: str, task_id: str, try_number: int) -> list[str]:
        """Lines of a task's log."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}"
        found = self._request("GET", path, headers={"Accept": "application/json"})
        return [_line(entry) for entry in found["content"]]


def clean_database(uri: str, before: datetime, seconds: float) -> dict[str, int]:
    """Remove what its database keeps of the past, by Airflow's own command. The last scheduled run of each DAG stays.

    Args:
        uri: of the database, for SQLAlchemy; it holds a password.
        before: what is older is removed; with a time zone.
        seconds: deadline.

    Returns:
        How many rows of each table were removed. Rows that go with these (`on delete cascade`) are not counted.

    Raises:
        PlatformError: a table could not be cleaned; what was removed before stays removed.
    """
    words = ["db", "clean", "--clean-before-timestamp", before.isoformat(), "--skip-archive", "--yes"]
    words += ["--batch-size", _BATCH, "--error-on-cleanup-failure", "--tables", ",".join(_PAST)]
    remedy = "read the lines above; run it again: it goes on where it stopped"
    with TemporaryDirectory() as home:
        said = run(
            [sys.executable, "-m", "airflow", *words],
            doing="removing the past from Airflow's database",
            remedy=remedy,
            seconds=seconds,
            environment={
                "PATH": os.environ.get("PATH", os.defpath),
                "AIRFLOW_HOME": home,
                # Otherwise lines of its log get into the middle of what it prints.
                "PYTHONUNBUFFERED": "1",
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": uri,
            },
        )
    found = {table: int(rows) for table, rows in _REMOVED.findall(said)}
    if missing := [table for table in _PAST if table not in found]:
        raise PlatformError(f"airflow db clean said nothing of {', '.join(missing)}:\n{said[-2000:]}", remedy)
    return found


def _line(entry: Any) -> str:
    """One entry of a log as text: the event, and the error that it tells of."""
    if not isinstance(entry, dict):
        return str(entry)
    errors = [f"{error['exc_type']}: {error['exc_value']}" for error in entry.get("error_detail") or ()]
    return "\n".join([str(entry.get("event", entry)), *errors])
