"""Airflow's client, against a stand-in for its REST API that gives lists page by page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from data_platform.clients import http
from data_platform.clients.airflow import Airflow

RUNS = "/api/v2/dags/d/dagRuns"
INSTANCES = f"{RUNS}/r/taskInstances"
#: More than fit on a page, and not a number of whole pages.
MANY = 257
#: By path: the key of the entries, one entry, and what the client makes of a list.
LISTS: dict[str, tuple[str, Callable[[int], dict[str, Any]], Callable[[Airflow], list[Any]]]] = {
    "/api/v2/dags": ("dags", lambda i: {"dag_id": f"d{i}"}, lambda a: a.dag_ids()),
    "/api/v2/importErrors": (
        "import_errors",
        lambda i: {"filename": f"{i}.py", "stack_trace": "no"},
        lambda a: a.import_errors(),
    ),
    RUNS: ("dag_runs", lambda i: {"dag_run_id": f"r{i}"}, lambda a: a.runs("d")),
    f"{RUNS}?state": ("dag_runs", lambda i: {"dag_run_id": f"r{i}"}, lambda a: a.active_runs("d")),
    "/api/v2/dags/~/dagRuns": ("dag_runs", lambda i: {"dag_run_id": f"r{i}"}, lambda a: a.active_runs()),
    INSTANCES: ("task_instances", lambda i: {"task_id": f"t{i}"}, lambda a: a.tasks("d", "r")),
    f"{INSTANCES}/~/xcomEntries": (
        "xcom_entries",
        lambda i: {"task_id": "t", "key": f"k/{i}", "map_index": i % 2 - 1},
        lambda a: a.xcoms("d", "r"),
    ),
}


class Server:
    """Gives at most so many entries at a time, as `maximum_page_limit` says."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.entries: list[tuple[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path, query = request.url.path, request.url.params
        if path == "/auth/token":
            return httpx.Response(201, json={"access_token": "t"})
        if path not in LISTS:
            self.entries.append((path, query["map_index"]))
            return httpx.Response(200, json={"value": len(self.entries)})
        of, make, _ = LISTS[path]
        begin, asked = int(query.get("offset", 0)), int(query.get("limit", 50))
        page = [make(i) for i in range(begin, min(MANY, begin + min(asked, self.most)))]
        return httpx.Response(200, json={of: page, "total_entries": MANY})


@pytest.fixture(params=[100, 30])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Server:
    fake = Server(request.param)
    transport = httpx.MockTransport(fake)
    monkeypatch.setattr(http, "client", lambda url, *_, **__: httpx.Client(base_url=url, transport=transport))
    return fake


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("path", LISTS)
def test_a_list_is_read_to_its_end_whatever_the_server_gives_at_a_time(path: str) -> None:
    with Airflow("http://airflow.test", "admin", "p") as airflow:
        found = LISTS[path][2](airflow)
    assert len(found) == MANY
    assert len({str(entry) for entry in found}) == MANY


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("most", [1, 5, 130])
def test_no_more_runs_are_asked_for_than_are_wanted(most: int) -> None:
    with Airflow("http://airflow.test", "admin", "p") as airflow:
        assert [run["dag_run_id"] for run in airflow.runs("d", most=most)] == [f"r{i}" for i in range(most)]


def test_each_value_that_tasks_left_is_asked_for_by_its_key_and_its_mapped_task(server: Server) -> None:
    with Airflow("http://airflow.test", "admin", "p") as airflow:
        airflow.xcoms("d", "r")
    assert server.entries[:2] == [(f"{INSTANCES}/t/xcomEntries/k/{i}", str(i % 2 - 1)) for i in range(2)]
    assert len(server.entries) == MANY


def test_a_list_that_shrinks_while_it_is_read_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/auth/token":
            return httpx.Response(201, json={"access_token": "t"})
        first = request.url.params["offset"] == "0"
        return httpx.Response(200, json={"dags": [{"dag_id": "a"}] if first else [], "total_entries": 2})

    transport = httpx.MockTransport(answer)
    monkeypatch.setattr(http, "client", lambda url, *_, **__: httpx.Client(base_url=url, transport=transport))
    with Airflow("http://airflow.test", "admin", "p") as airflow:
        assert airflow.dag_ids() == ["a"]


@pytest.mark.parametrize(
    ("states", "asked", "there"),
    [((), ["failed", "success"], True), (("success",), ["success"], True), (("success",), ["success"], False)],
)
def test_of_the_runs_that_ended_the_server_is_asked_for_the_last_alone(
    monkeypatch: pytest.MonkeyPatch, states: tuple[str, ...], asked: list[str], there: bool
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/auth/token":
            return httpx.Response(201, json={"access_token": "t"})
        query = request.url.params
        assert (request.url.path, query.get_list("state")) == (RUNS, asked)
        assert (query["order_by"], query["limit"]) == ("-end_date", "1")
        return httpx.Response(200, json={"dag_runs": [{"dag_run_id": "r"}] * there, "total_entries": 7 * there})

    transport = httpx.MockTransport(answer)
    monkeypatch.setattr(http, "client", lambda url, *_, **__: httpx.Client(base_url=url, transport=transport))
    with Airflow("http://airflow.test", "admin", "p") as airflow:
        assert airflow.last_ended("d", *states) == ({"dag_run_id": "r"} if there else None)
