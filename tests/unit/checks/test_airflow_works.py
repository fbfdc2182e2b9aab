"""The check `airflow_works`, against an Airflow that is one function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from data_platform.checks.airflow_works import Params, check
from data_platform.checks.base import Address, CheckFailed, Deadline
from data_platform.clients import http

DAGS = ("stack_deploy", "stack_drift")
LOGIN = {"username": "admin", "password": "generated"}


class FakeAirflow:
    """Answers as the API server does, with a token for the one login that it knows."""

    def __init__(self) -> None:
        self.health: dict[str, Any] = {
            part: {"status": "healthy"} for part in ("metadatabase", "scheduler", "triggerer", "dag_processor")
        }
        self.dags = [*DAGS, "pipelines_fx_rates"]
        self.errors: list[dict[str, str]] = []
        self.login = dict(LOGIN)
        #: What a wrong password gets.
        self.refusal = httpx.Response(401)
        #: How often the DAG processor has been asked for, and what happens before an answer.
        self.looks = 0
        self.first_dags: list[str] | None = None

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == "/auth/token":
            known = httpx.Request("POST", request.url, json=self.login).content == request.content
            return httpx.Response(201, json={"access_token": "t"}) if known else self.refusal
        if path == "/api/v2/monitor/health":
            return httpx.Response(200, json=self.health)
        if request.headers.get("Authorization") != "Bearer t":
            return httpx.Response(401)
        if path == "/api/v2/importErrors":
            return httpx.Response(200, json=_page(request, "import_errors", self.errors))
        assert path == "/api/v2/dags"
        self.looks += 1
        found = self.dags if self.first_dags is None or self.looks > 1 else self.first_dags
        return httpx.Response(200, json=_page(request, "dags", [{"dag_id": name} for name in found]))


def _page(request: httpx.Request, of: str, entries: list[dict[str, str]]) -> dict[str, Any]:
    begin = int(request.url.params["offset"])
    return {of: entries[begin : begin + int(request.url.params["limit"])], "total_entries": len(entries)}


class Place:
    """A platform with an Airflow."""

    def address(self, component: str, endpoint: str) -> Address:
        assert (component, endpoint) == ("orchestrator", "api")
        return Address("airflow.test", 1, "http://airflow.test:1")

    def credentials(self, holder: str) -> Mapping[str, str]:
        assert holder == "orchestrator"
        return LOGIN


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeAirflow:
    """An Airflow that is right."""
    fake = FakeAirflow()
    transport = httpx.MockTransport(fake.answer)
    monkeypatch.setattr(http, "client", lambda url, _, **__: httpx.Client(base_url=url, transport=transport))
    return fake


def run(*dags: str, seconds: float = 0.2) -> str:
    place: Any = Place()
    return check(Params(dags=dags or DAGS), place, Deadline(seconds))


def test_an_airflow_that_is_right_passes(server: FakeAirflow) -> None:
    assert run() == "a wrong password gets no token, 4 parts healthy, 3 DAGs, no import errors"
    assert server.looks == 1


@pytest.mark.parametrize("part", ["metadatabase", "scheduler", "triggerer", "dag_processor"])
@pytest.mark.parametrize(
    "state", [{"status": "unhealthy"}, {"status": None}, None], ids=["unhealthy", "silent", "absent"]
)
def test_a_part_that_is_not_healthy_is_named(server: FakeAirflow, part: str, state: Any) -> None:
    server.health[part] = state
    with pytest.raises(CheckFailed, match=rf"^not healthy: {part} \(of "):
        run()


def test_all_parts_that_are_not_healthy_are_named_at_once(server: FakeAirflow) -> None:
    server.health = {"metadatabase": {"status": "healthy"}}
    with pytest.raises(CheckFailed, match=r"^not healthy: scheduler, triggerer, dag_processor "):
        run()


def test_a_file_that_cannot_be_parsed_is_named_with_the_end_of_its_error(server: FakeAirflow) -> None:
    server.errors = [{"filename": "dags/broken.py", "stack_trace": "first line\n" + "x" * 600 + "\nNameError: stak"}]
    with pytest.raises(CheckFailed, match=r"DAG files with errors: .*dags/broken\.py: x.*NameError: stak") as caught:
        run()
    assert "first line" not in str(caught.value)


def test_a_dag_that_is_missing_is_named(server: FakeAirflow) -> None:
    server.dags.remove("stack_drift")
    with pytest.raises(CheckFailed, match=r"^missing DAGs: stack_drift, stack_health$"):
        run("stack_health", *DAGS)


def test_dags_that_are_parsed_a_moment_later_are_waited_for(server: FakeAirflow) -> None:
    server.first_dags = []
    assert run(seconds=20).startswith("a wrong password gets no token, 4 parts healthy, 3 DAGs")
    assert server.looks == 2


def test_an_airflow_that_does_not_take_the_generated_password_fails(server: FakeAirflow) -> None:
    server.login["password"] = "another"
    with pytest.raises(httpx.HTTPStatusError, match="401"):
        run()
    assert server.looks == 0


def test_an_airflow_that_takes_any_password_fails(server: FakeAirflow) -> None:
    server.refusal = httpx.Response(201, json={"access_token": "t"})
    with pytest.raises(CheckFailed, match=r"^a wrong password gets a token$"):
        run()


def test_an_error_is_no_refusal(server: FakeAirflow) -> None:
    server.refusal = httpx.Response(500)
    with pytest.raises(CheckFailed, match=r"^no answer about the password: .*500"):
        run()
    assert server.looks == 0


def test_an_airflow_that_is_away_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("Connection refused")

    transport = httpx.MockTransport(refuse)
    monkeypatch.setattr(http, "client", lambda url, _, **__: httpx.Client(base_url=url, transport=transport))
    with pytest.raises(httpx.ConnectError, match="refused"):
        run()


def test_a_check_that_names_no_dag_is_refused() -> None:
    with pytest.raises(ValueError, match="dags"):
        Params(dags=())
