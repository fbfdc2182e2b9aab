"""What runs publish, as an analyst meets it: in a browser session of Airflow."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import httpx
import pytest

from data_platform.clients.trino import Trino
from tests.running import Running

pytestmark = pytest.mark.timeout(1800)
PARITY = 655.957


@pytest.fixture(scope="module")
def browser(platform: Running) -> Iterator[httpx.Client]:
    """A client with Airflow's login."""
    login, url = platform.target.credentials("airflow"), platform.target.address("airflow", "api").url
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        answer = client.post("/auth/token", json={"username": login["username"], "password": login["password"]})
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield client


@pytest.fixture(scope="module")
def page(platform: Running, browser: httpx.Client) -> str:
    """The analysts' page, drawn anew."""
    done = platform.target.run_tool("analysis", "draw", ["--dataset", "fx_rates", "--catalog", "lakehouse"], 300)
    assert done.returncode == 0, done.output
    key = json.loads(done.output.strip().splitlines()[-1].removeprefix("RESULT "))["page"]
    answer = browser.get(f"/data-platform/reports/{key}")
    assert answer.status_code == 200
    assert "sandbox" in answer.headers["content-security-policy"]
    return answer.text


def test_the_analysts_page_shows_the_rates_of_the_marts(platform: Running, page: str) -> None:
    with Trino(platform.target.address("trino", "http").url, 60, "lakehouse") as trino:
        rate = trino.value("select rate from raw.fx_rates where currency = 'USD' order by rate_date desc limit 1")
    assert f"{PARITY / float(rate):.2f}".replace(".", ",") in page
    assert page.count("<svg") >= 12
    assert "Dollar américain" in page


def test_the_analysts_page_is_one_file_without_scripts(page: str) -> None:
    assert "<script" not in page
    assert re.findall(r"(?:src|href)=\"https?:", page) == []


def test_the_same_data_gives_the_same_page(platform: Running, page: str, browser: httpx.Client) -> None:
    platform.target.run_tool("analysis", "draw", ["--dataset", "fx_rates", "--catalog", "lakehouse"], 300)
    assert browser.get("/data-platform/reports/fx_rates/index.html").text == page


def test_reports_and_the_page_data_need_a_login(platform: Running, page: str) -> None:
    assert page
    url = platform.target.address("airflow", "api").url
    for path in ("/data-platform/data", "/data-platform/reports/fx_rates/index.html"):
        assert httpx.get(url + path, trust_env=False, timeout=60).status_code == 401


def test_the_page_data_shows_the_dataset_and_links_that_work(page: str, browser: httpx.Client) -> None:
    assert page
    shown = browser.get("/data-platform/data").text
    assert "<strong>fx_rates</strong>" in shown
    assert "could not be read" not in shown
    links = re.findall(r'href="(reports/[^"]+)"', shown)
    assert len(links) >= 2
    for link in links:
        assert browser.get(f"/data-platform/{link}").status_code == 200, link


def test_no_other_bucket_can_be_read(browser: httpx.Client) -> None:
    for path in ("%2e%2e/raw/_manifests/fx_rates/published.json", "fx_rates/%2e%2e/%2e%2e/raw/kept/object"):
        assert browser.get(f"/data-platform/reports/{path}").status_code == 404
