"""A component that scrapes everything takes part on `local` without a line anywhere but in its own folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from data_platform.lifecycle import definition
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
    """This checkout's stack with the component, on a supervisor that is only pretended."""
    del servers, free_ports
    monkeypatch.setattr(LocalTarget, "wait", lambda *_: None)
    monkeypatch.setattr("data_platform.targets.local.target.own", lambda _: None)
    made = LocalTarget(load_stack(throwaway.checkout(tmp_path, "scraper")), supervisor.state)
    made.ensure_credentials()
    return made


def scraped(place: LocalTarget) -> dict[str, dict[str, Any]]:
    """What the component's file lists, by component."""
    found: list[dict[str, Any]] = json.loads(place._files(place.stack.components["scraper"])["scraped.json"])
    return {each["component"]: each for each in found}


def test_it_is_told_of_everything_that_has_metrics(place: LocalTarget) -> None:
    having = {name for name, item in place.stack.components.items() if "metrics" in item.component.facets}
    assert {"nessie", "nifi", "trino", "scraper"} <= having
    found = scraped(place)
    # Its own template leaves itself out.
    assert found.keys() == having - {"scraper"}
    assert found["nessie"]["url"] == place.address("nessie", "management").url + "/q/metrics"
    assert found["trino"]["user"] == "metrics"


def test_it_is_planned_started_and_then_nothing_is_to_do(place: LocalTarget) -> None:
    assert place.stack.only(("scraper",)) == ("scraper",)
    assert short(steps(place, "scraper")) == ["write file scraped.json", "start process server"]
    deploy(place, "scraper")
    assert steps(place, "scraper") == []


def test_it_begins_anew_when_what_it_scrapes_changes(place: LocalTarget, monkeypatch: pytest.MonkeyPatch) -> None:
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
