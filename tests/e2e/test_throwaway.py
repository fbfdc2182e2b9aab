"""Components that the engine was not written for run and work with the others, in a platform of another checkout."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from minio.error import S3Error

from data_platform.clients import connect, http, s3
from data_platform.clients.metrics import ACCEPT
from tests import throwaway
from tests.running import UP_SECONDS, Running, end

pytestmark = [pytest.mark.timeout(3600), pytest.mark.deep]

#: Brought up first; the rest of what has metrics comes later.
_FIRST = (*throwaway.ALL, "nessie", "trino")
_SECONDS = 30.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A platform of a checkout with these components besides."""
    folder = tmp_path_factory.mktemp("throwaway")
    made = Running(folder / "a state", root=throwaway.checkout(folder, *throwaway.ALL))
    made.bootstrap("up", "--only", ",".join(_FIRST), seconds=UP_SECONDS)
    yield made
    end(made)


def told(running: Running, name: str) -> dict[str, Any]:
    """What `status` says of a component."""
    (found,) = [each for each in running.status()["components"] if each["name"] == name]
    return dict(found)


def samples(running: Running, name: str) -> dict[str, float]:
    """The metrics of one of these components; each of their samples has a name and a value alone."""
    with http.client(told(running, name)["endpoints"]["http"], 2 * _SECONDS, {"Accept": ACCEPT}) as client:
        text = client.get("/metrics").raise_for_status().text
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


@pytest.mark.parametrize("name", _FIRST)
def test_it_runs_and_every_check_of_it_has_passed(running: Running, name: str) -> None:
    found = told(running, name)
    assert found["state"] == "running", found
    assert len(found["checks"]) == found["checks_declared"] >= 1
    assert {check["status"] for check in found["checks"]} == {"passed"}, found


@pytest.mark.parametrize("name", ["scraper", "identity-provider", "nessie", "trino"])
def test_its_metrics_were_looked_at(running: Running, name: str) -> None:
    checks = {check["name"]: check for check in told(running, name)["checks"]}
    assert " among them" in checks["serves-its-metrics"]["evidence"]


def test_airflow_signs_on_at_the_identity_provider_that_it_has_deployed(running: Running) -> None:
    given = 'identity_provider_tokens_total{client="airflow"}'
    before = samples(running, "identity-provider")[given]
    running.bootstrap("run", throwaway.SIGN_ON)
    assert samples(running, "identity-provider")[given] == before + 1


def test_the_identity_provider_gives_nobody_else_a_token(running: Running) -> None:
    url = running.target.address(throwaway.IDENTITY_PROVIDER, "http").url
    mine, asked = running.target.credentials("airflow"), {"grant_type": "client_credentials"}
    logins = {
        ("airflow", mine["identity_provider_token"]): httpx.codes.OK,
        ("airflow", mine["password"]): httpx.codes.UNAUTHORIZED,
        ("pipelines", mine["identity_provider_token"]): httpx.codes.UNAUTHORIZED,
    }
    with http.client(url, _SECONDS) as client:
        found = {login: client.post("/token", data=asked, auth=login).status_code for login in logins}
    assert found == logins


def test_what_is_saved_comes_back_by_the_key_of_a_claim(running: Running) -> None:
    place, content = running.target, b"what was saved"
    store = connect.s3(place, throwaway.SAVER, _SECONDS, throwaway.BACKUP_STORE)
    store.put_object(throwaway.SAVED, "of/somebody", io.BytesIO(content), len(content))
    with store.get_object(throwaway.SAVED, "of/somebody") as answer:
        assert answer.read() == content
    # It is in this store alone.
    assert not connect.s3_as_root(place, _SECONDS).bucket_exists(throwaway.SAVED)
    assert not connect.s3_as_root(place, _SECONDS, throwaway.BACKUP_STORE).bucket_exists("raw")


def test_a_key_of_one_store_opens_no_other(running: Running) -> None:
    place = running.target
    mine = place.credentials("checks")
    doors = {
        (throwaway.BACKUP_STORE, mine["s3_secret_key"]): throwaway.SAVED,
        ("s3", mine["backup_store_secret_key"]): "raw",
    }
    for (store, key), bucket in doors.items():
        client = s3.client(place.address(store, "http").url, "checks", key, _SECONDS)
        with pytest.raises(S3Error, match="SignatureDoesNotMatch"):
            next(iter(client.list_objects(bucket)))


def test_the_scraper_has_scraped_every_component_with_metrics(running: Running) -> None:
    """First what runs, and what does not is told as such; then all of them."""
    having = {name for name, item in running.target.stack.components.items() if "metrics" in item.component.facets}
    scraped = having - {"scraper"}
    later = scraped - set(_FIRST)
    assert later
    found = samples(running, "scraper")
    up = {name: found[f'scraper_up{{component="{name}"}}'] for name in scraped}
    assert up == {name: float(name in _FIRST) for name in scraped}
    running.bootstrap("up", "--only", ",".join(("scraper", *sorted(later))), seconds=UP_SECONDS)
    found = samples(running, "scraper")
    assert {name: found[f'scraper_up{{component="{name}"}}'] for name in scraped} == dict.fromkeys(scraped, 1.0)
    assert [name for name in scraped if found[f'scraper_samples{{component="{name}"}}'] < 1] == []
