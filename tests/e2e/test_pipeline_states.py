"""`status`, the pages and `stack_health` say that a pipeline is paused, and the step that they offer works."""

from __future__ import annotations

import re
import shlex
from typing import Any

import httpx
import pytest

from data_platform.clients.airflow import Airflow
from tests.holding import rest
from tests.running import Running

pytestmark = [pytest.mark.timeout(1800), pytest.mark.deep]

DAG = "pipelines_currencies"
#: One with days to choose, which can be wrong.
FAILING = "pipelines_fx_rates"


def told(platform: Running, dag: str = DAG) -> dict[str, Any]:
    (found,) = [one for one in platform.status()["pipelines"] if one["dag"] == dag]
    return dict(found)


def run_to_rest(platform: Running, airflow: Airflow) -> None:
    """Run it until no run is left: a file that waited to be delivered begins another one by itself."""
    platform.bootstrap("run", DAG)
    rest(airflow, DAG)


def page(platform: Running, path: str) -> httpx.Response:
    login, url = platform.target.credentials("airflow"), platform.target.address("airflow", "api").url
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as browser:
        words = {"username": login["username"], "password": login["password"]}
        token = browser.post("/auth/token", json=words).json()["access_token"]
        return browser.get(f"/data-platform/{path}", headers={"Authorization": f"Bearer {token}"})


def test_a_paused_pipeline_is_told_everywhere_and_the_next_step_heals_it(platform: Running, airflow: Airflow) -> None:
    run_to_rest(platform, airflow)
    assert told(platform)["state"] == "on_time"
    airflow._request("PATCH", f"/api/v2/dags/{DAG}", json={"is_paused": True})
    try:
        run = airflow.trigger(DAG, {})
        found = told(platform)
        assert (found["state"], found["waits"], found["late"]) == ("paused", 1, False)
        (step,) = found["next"]
        for path in ("data", "health"):
            text = page(platform, path).text
            assert "a run waits since <time datetime=" in text, path
            assert f"<code>{step['command']}</code>" in text, path
        health = platform.bootstrap("run", "stack_health", check=False)
        assert health.returncode == 1
        assert "currencies (paused): a run waits since" in health.stdout
        platform.bootstrap(*shlex.split(step["command"].removeprefix("python3 -m bootstrap ")))
    finally:
        airflow.unpause(DAG)
    assert airflow.run_state(DAG, run) == "success"
    assert told(platform)["state"] == "on_time"
    platform.bootstrap("run", "stack_health")


def test_a_failed_run_is_told_with_its_task_and_the_address_of_its_log(platform: Running, airflow: Airflow) -> None:
    rest(airflow, FAILING)
    # Not by giving it up by hand: Airflow then skips what is left but for the teardown, and calls the run a success.
    platform.bootstrap("run", FAILING, "--conf", '{"from": "2001-03-31", "to": "2001-03-01"}', check=False)
    try:
        found = told(platform, FAILING)
        assert found["state"] == "failed"
        assert "its last run failed at discover" in found["says"]
        assert f"/dags/{FAILING}/runs/" in found["next"][0]["url"]
    finally:
        platform.bootstrap("run", FAILING)
        rest(airflow, FAILING)
    assert told(platform, FAILING)["state"] != "failed"


@pytest.mark.parametrize("path", ["", "health", "data"])
def test_pages_bring_one_script_by_its_digest_and_are_readable_without_it(platform: Running, path: str) -> None:
    answer = page(platform, path)
    assert answer.status_code == 200
    assert re.search(r"script-src 'sha256-[\w+/=]+';", answer.headers["Content-Security-Policy"])
    assert re.search(r"<time [^>]*>\d{4}-\d\d-\d\d \d\d:\d\d UTC \(", answer.text)
