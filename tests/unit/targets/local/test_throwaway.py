"""Components that the engine was not written for take part on `local` by what folders of components say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from data_platform.checks.run import arguments
from data_platform.lifecycle import definition
from data_platform.stack.holders import claimed
from data_platform.stack.load import load_stack
from data_platform.targets.local.target import LocalTarget
from tests import throwaway
from tests.unit.targets.local.conftest import deploy, short, steps

if TYPE_CHECKING:
    from tests.unit.targets.local.conftest import PretendedSupervisor


@pytest.fixture
def place(
    tmp_path: Path,
    supervisor: PretendedSupervisor,
    servers: object,
    free_ports: None,
    monkeypatch: pytest.MonkeyPatch,
) -> LocalTarget:
    """This checkout's stack with the components, on a supervisor that is only pretended."""
    del servers, free_ports
    monkeypatch.setattr(LocalTarget, "wait", lambda *_: None)
    monkeypatch.setattr("data_platform.targets.local.target.own", lambda _: None)
    made = LocalTarget(load_stack(throwaway.checkout(tmp_path, *throwaway.ALL)), supervisor.state)
    made.ensure_credentials()
    return made


def scraped(place: LocalTarget) -> dict[str, dict[str, Any]]:
    """What the component's file lists, by component."""
    found: list[dict[str, Any]] = json.loads(place._files(place.stack.components["scraper"])["scraped.json"])
    return {each["component"]: each for each in found}


def test_the_scraper_is_told_of_everything_that_has_metrics(place: LocalTarget) -> None:
    having = {name for name, item in place.stack.components.items() if "metrics" in item.component.facets}
    assert {"nessie", "nifi", "trino", "scraper", "identity-provider"} <= having
    found = scraped(place)
    # Its own template leaves itself out.
    assert found.keys() == having - {"scraper"}
    assert found["nessie"]["url"] == place.address("nessie", "management").url + "/q/metrics"
    assert found["trino"]["user"] == "metrics"


def test_the_scraper_is_planned_started_and_then_nothing_is_to_do(place: LocalTarget) -> None:
    assert place.stack.only(("scraper",)) == ("scraper",)
    assert short(steps(place, "scraper")) == ["write file scraped.json", "start process server"]
    deploy(place, "scraper")
    assert steps(place, "scraper") == []


def test_the_scraper_begins_anew_when_what_it_scrapes_changes(
    place: LocalTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(place, "scraper")
    trino = place.stack.components["trino"]
    other = trino.component.facets["metrics"].model_copy(update={"path": "/elsewhere"})
    changed = trino.model_copy(update={"component": trino.component.model_copy(update={"metrics": other})})
    before = definition(place, "nessie"), definition(place, "trino")
    monkeypatch.setitem(place.stack.components, "trino", changed)
    assert short(steps(place, "scraper")) == ["write file scraped.json", "restart process server"]
    # Trino itself is the same; what proves it is not.
    assert definition(place, "nessie") == before[0]
    assert definition(place, "trino") != before[1]


def test_what_airflow_calls_may_come_after_it(place: LocalTarget) -> None:
    stack, provider = place.stack, throwaway.IDENTITY_PROVIDER
    assert provider in stack.callees("airflow")
    assert provider not in stack.dependencies("airflow")
    assert stack.only((provider,)) == ("postgresql", "airflow", provider)
    # Airflow knows the address, and its secret is there, before the provider is.
    assert place._bindings("airflow").open["IDENTITY_PROVIDER_HTTP_URL"] == place.address(provider, "http").url
    secret = place.credentials("airflow")["identity_provider_token"]
    assert place._files(stack.components["airflow"])["secrets/identity-provider-token"].decode().strip() == secret


def test_the_identity_provider_is_planned_with_its_clients_and_no_secret_of_theirs(place: LocalTarget) -> None:
    provider = throwaway.IDENTITY_PROVIDER
    assert short(steps(place, provider)) == ["write file clients.json", "start process server"]
    told = place._files(place.stack.components[provider])["clients.json"].decode()
    assert [client["name"] for client in json.loads(told)] == ["airflow"]
    assert place.credentials("airflow")["identity_provider_token"] not in told


def test_the_store_of_backups_makes_what_is_claimed_of_it_and_nothing_else(place: LocalTarget) -> None:
    store, saver = throwaway.BACKUP_STORE, throwaway.SAVER
    assert [str(step).partition(":")[0] for step in steps(place, store) if step.kind != "artifact"] == [
        "start process server",
        f"make bucket {throwaway.SAVED}",
        "make s3_user checks",
        f"make s3_user {saver}",
    ]
    assert {step.name for step in steps(place, "minio") if step.kind == "claim"} >= {"bucket raw", "s3_user checks"}
    assert f"s3_user {saver}" not in {step.name for step in steps(place, "minio")}
    # Who has a user in both stores has a key in each.
    mine = place.credentials("checks")
    assert mine["s3_secret_key"] != mine["backup_store_secret_key"]
    assert place.credentials(saver).keys() == {"backup_store_access_key", "backup_store_secret_key"}


def test_the_first_store_is_the_same_beside_another_one(place: LocalTarget) -> None:
    here = load_stack(throwaway.ROOT)
    assert place.stack.capabilities == here.capabilities
    assert place.stack.components["minio"].component == here.components["minio"].component
    assert [each.resource for each in claimed(place.stack, "minio")] == [
        each.resource for each in claimed(here, "minio")
    ]


@pytest.mark.parametrize("name", throwaway.ALL)
def test_every_check_of_it_is_of_a_kind_that_takes_what_it_says(place: LocalTarget, name: str) -> None:
    specs = place.stack.components[name].component.all_checks
    assert [arguments(name, spec) for spec in specs]
