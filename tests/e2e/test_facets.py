"""A component that scrapes everything runs, and finds what the others say that they serve. In a platform of its own."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from data_platform.clients.metrics import ACCEPT
from tests import throwaway
from tests.running import UP_SECONDS, Running, end

pytestmark = [pytest.mark.timeout(3600), pytest.mark.deep]

#: Brought up beside it. What else it was told of does not run here.
SCRAPED = ("nessie", "trino")


@pytest.fixture(scope="module")
def scraping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A platform of a checkout with one component more."""
    folder = tmp_path_factory.mktemp("scraping")
    running = Running(folder / "a state", root=throwaway.checkout(folder, "scraper"))
    running.bootstrap("up", "--only", ",".join(("scraper", *SCRAPED)), seconds=UP_SECONDS)
    yield running
    end(running)


def test_its_checks_passed_and_those_of_the_metrics(scraping: Running) -> None:
    found = {c["name"]: c for c in scraping.status()["components"]}
    for name in ("scraper", *SCRAPED):
        assert found[name]["state"] == "running", found[name]
        assert len(found[name]["checks"]) == found[name]["checks_declared"]
        told = {check["name"]: check for check in found[name]["checks"]}
        assert told["serves-its-metrics"]["status"] == "passed", told
        assert " among them" in told["serves-its-metrics"]["evidence"]


def test_it_scrapes_what_runs_and_says_what_does_not(scraping: Running) -> None:
    (scraper,) = [c for c in scraping.status()["components"] if c["name"] == "scraper"]
    answer = httpx.get(
        f"{scraper['endpoints']['http']}/metrics", headers={"Accept": ACCEPT}, timeout=60, trust_env=False
    )
    assert answer.status_code == httpx.codes.OK, answer.text
    lines = [line.split(" ") for line in answer.text.splitlines() if not line.startswith("#")]
    values = {name: int(value) for name, value in lines}
    for name in SCRAPED:
        assert values[f'scraper_up{{component="{name}"}}'] == 1, answer.text
        assert values[f'scraper_samples{{component="{name}"}}'] > 30, answer.text
    # It was told of NiFi as well, which was not brought up.
    assert values['scraper_up{component="nifi"}'] == 0
