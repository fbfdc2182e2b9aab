"""In a copy of the checkout each call of the drill's goes by its own way, and leads to the server that was meant."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from data_platform.checks.run import arguments
from data_platform.stack.load import load_stack
from data_platform.targets.local import ports
from data_platform.targets.local.state import State
from data_platform.targets.local.target import LocalTarget
from tests import edges, throwaway
from tests.edges import DIRECT, EDGES, NETWORK, TASKS
from tests.operations import OPERATIONS
from tests.running import Running

OF_COMPONENTS = [edge for edge in EDGES if edge.caller != TASKS]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout with the ways in it."""
    made = throwaway.checkout(tmp_path_factory.mktemp("network"), NETWORK)
    edges.lead(made)
    return made


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> State:
    """Of a platform that is not there; every port is free, for the room has no sockets to try them."""
    monkeypatch.setattr(ports, "is_free", lambda port: port > 0)
    return State(tmp_path / "state")


@pytest.fixture
def place(root: Path, state: State) -> LocalTarget:
    """The copy's platform."""
    return LocalTarget(load_stack(root), state)


def told(place: LocalTarget, component: str) -> str:
    """All that a component is told by files, commands and environments, filled in."""
    item = place.stack.components[component]
    values = place._bindings(component)
    launches = [place._launch(item, name, values) for name in item.definition.processes]
    text = "\n".join(content.decode() for content in place._files(item).values())
    # Servers fill these in themselves.
    filled = re.sub(r"\$\{(?:ENV:)?(\w+)\}", lambda found: values.open.get(found[1], found[0]), text)
    return filled + json.dumps([launch["command"] for launch in launches])


def test_each_edge_has_an_operation_and_a_way(place: LocalTarget) -> None:
    assert len(EDGES) >= 12
    assert OPERATIONS.keys() == {edge.name for edge in EDGES}
    endpoints = place.stack.components[NETWORK].component.endpoints
    assert {name.replace("_", "-") for name in endpoints} - {edges.API} == {edge.name for edge in OF_COMPONENTS}
    assert {way["name"] for way in ways(place)} == {edge.name for edge in EDGES}


def ways(place: LocalTarget) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(place._files(place.stack.components[NETWORK])["proxies.json"])
    return found


def at(place: LocalTarget, component: str, endpoint: str) -> str:
    address = place.address(component, endpoint)
    return f"{address.host}:{address.port}"


def test_a_way_begins_where_its_caller_goes_and_ends_where_the_server_listens(place: LocalTarget) -> None:
    found = {way["name"]: (way["listen"], way["upstream"]) for way in ways(place)}
    for edge in EDGES:
        server = place.stack.resolve(edge.server)
        moved = DIRECT in place.stack.components[server].component.endpoints
        ends = at(place, server, DIRECT if moved else edge.endpoint)
        begins = (
            at(place, server, edge.endpoint)
            if edge.caller == TASKS
            else at(place, NETWORK, edge.name.replace("-", "_"))
        )
        assert found[edge.name] == (begins, ends), edge.name
        assert begins != ends


@pytest.mark.parametrize("edge", OF_COMPONENTS, ids=[edge.name for edge in OF_COMPONENTS])
def test_a_caller_knows_the_way_and_no_other_address_of_the_server(place: LocalTarget, edge: edges.Edge) -> None:
    text = told(place, edge.caller)
    assert str(place.address(NETWORK, edge.name.replace("-", "_")).port) in text
    server = place.stack.resolve(edge.server)
    for endpoint in {edge.endpoint, DIRECT} & place.stack.components[server].component.endpoints.keys():
        assert f":{place.address(server, endpoint).port}" not in text, endpoint
    assert NETWORK in place.stack.dependencies(edge.caller)


@pytest.mark.parametrize("server", ["minio", "nessie", "trino"])
def test_a_server_that_tasks_call_listens_elsewhere(place: LocalTarget, server: str) -> None:
    text = told(place, server)
    assert str(place.address(server, DIRECT).port) in text
    assert f"{place.address(server, 'http').port}" not in text


def test_the_ways_are_there_before_airflow_and_leave_the_rest_of_the_order_alone(root: Path) -> None:
    stack, here = load_stack(root), load_stack(throwaway.ROOT)
    order = list(stack.components)
    assert order.index(NETWORK) < order.index("airflow")
    assert stack.components[NETWORK].component.bootstrap
    assert stack.components.keys() - here.components.keys() == {NETWORK}


def test_every_check_of_the_ways_is_of_a_kind_that_takes_what_it_says(place: LocalTarget) -> None:
    specs = place.stack.components[NETWORK].component.all_checks
    assert [arguments(NETWORK, spec) for spec in specs]


def test_a_caller_whose_files_do_not_name_the_server_is_an_error(tmp_path: Path) -> None:
    """Its calls would go another way, and every fault would find it well."""
    root = throwaway.checkout(tmp_path, NETWORK)
    catalog = root / "stack/components/processing/trino/etc/catalog/postgresql.properties"
    catalog.write_text(catalog.read_text(encoding="utf-8").replace("POSTGRESQL_SQL_", "ELSEWHERE_"), encoding="utf-8")
    with pytest.raises(ValueError, match="expected a file that names POSTGRESQL_SQL_HOST"):
        edges.lead(root)


def test_the_target_of_a_platform_of_another_checkout_knows_what_that_one_says(root: Path, state: State) -> None:
    state.folder.mkdir()
    state.settings_file.write_text('{"target": "local", "profile": "default"}', encoding="utf-8")
    target = Running(state.folder, root=root).target
    assert target.address(NETWORK, edges.API).port
    assert target.stack.root == root
