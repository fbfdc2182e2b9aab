"""Airflow's connections are derived; nobody types them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from data_platform.checks.base import Address
from data_platform.hooks import connections
from data_platform.hooks.connections import PlatformConnections, connection_ids, describe
from data_platform.stack.holders import holders
from data_platform.stack.load import load_stack
from data_platform.stack.stack import Stack

if TYPE_CHECKING:
    from tests.conftest import Tiny


class Place:
    """A target with fixed addresses and credentials."""

    def __init__(self, stack: Stack, authorities: Path | None = None) -> None:
        self.stack = stack
        self.authorities = authorities

    def address(self, component: str, endpoint: str) -> Address:
        spec = self.stack.components[component].component.endpoints[endpoint]
        return Address("127.0.0.1", spec.port, f"{spec.scheme}://127.0.0.1:{spec.port}")

    def credentials(self, holder: str) -> Mapping[str, str]:
        # Of anybody else nothing is asked: not of the component, not of the store's root.
        assert holder == "pipelines"
        return {"s3_access_key": "pipelines", "s3_secret_key": "s", "reader_token": "t"}


@pytest.fixture
def place(tiny: Tiny) -> Any:
    return Place(load_stack(tiny.root))


def test_ids_are_components_and_the_capabilities_they_stand_for(place: Any, tiny: Tiny) -> None:
    assert connection_ids(place.stack) == {
        "minio": "minio",
        "s3": "minio",
        "reader": "reader",
    }
    assert connection_ids(load_stack(tiny.root, "weeds"))["s3"] == "weeds"


def test_a_database_connection_has_login_and_schema(tiny: Tiny) -> None:
    entry = {"type": "postgres", "endpoint": "sql", "login": "s3_access_key", "password": "s3_secret_key"}
    tiny.edit(tiny.component("postgresql"), lambda c: c.update(connection={**entry, "schema": "sales"}))
    place: Any = Place(load_stack(tiny.root))
    assert describe(place, "postgresql") == {
        "conn_type": "postgres",
        "host": "127.0.0.1",
        "port": 21000,
        "login": "pipelines",
        "password": "s",
        "schema": "sales",
    }


def test_an_object_store_is_an_endpoint_address(place: Any) -> None:
    assert describe(place, "minio") == {
        "conn_type": "aws",
        "login": "pipelines",
        "password": "s",
        "extra": {"endpoint_url": "http://127.0.0.1:21010"},
    }


def test_a_hook_that_wants_the_whole_address_in_host_gets_it(place: Any) -> None:
    assert describe(place, "reader") == {
        "conn_type": "http",
        "host": "http://127.0.0.1:21030",
        "password": "t",
        "extra": {"timeout": 5},
    }


def test_a_component_without_a_connection_has_none(place: Any) -> None:
    with pytest.raises(KeyError, match="portal"):
        describe(place, "portal")


def test_the_definition_is_not_changed_by_describing_it(place: Any) -> None:
    describe(place, "minio")
    assert place.stack.components["minio"].component.connection.extra == {}


def test_the_connections_of_the_platform_hold_what_pipelines_hold_and_nothing_else(root: Path) -> None:
    stack = load_stack(root)
    known = {name: {key: f"{name}.{key}" for key in each.generated} for name, each in holders(stack).items()}

    class Real(Place):
        def credentials(self, holder: str) -> Mapping[str, str]:
            return {**holders(stack)[holder].fixed, **known[holder]}

    place: Any = Real(stack)
    names = set(connection_ids(stack).values())
    assert {"minio", "datahub", "trino", "airflow"} <= names
    text = json.dumps([describe(place, name) for name in sorted(names)])
    given = {value for secrets in known.values() for value in secrets.values() if value in text}
    assert given == {"pipelines.s3_secret_key", "pipelines.datahub_token"}


def test_the_backend_gives_json_that_airflow_reads(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk import Connection

    monkeypatch.setattr(connections, "current", lambda: place)
    backend = PlatformConnections()
    text = backend.get_conn_value("s3")
    assert text is not None
    read = Connection.from_json(text, conn_id="s3")
    assert (read.conn_type, read.login, read.password) == ("aws", "pipelines", "s")
    assert json.loads(text)["extra"]["endpoint_url"] == "http://127.0.0.1:21010"


def test_the_backend_leaves_other_names_to_airflow(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "current", lambda: place)
    backend = PlatformConnections()
    assert backend.get_conn_value("alerts") is None
    assert backend.get_conn_value("portal") is None
    assert backend.get_variable("anything") is None


@pytest.mark.parametrize(
    ("said", "more", "trust"),
    [
        ({"type": "http"}, {"schema": "https", "extra": {}}, "verify"),
        ({"type": "trino", "tls": {"protocol": "https"}}, {"extra": {"protocol": "https"}}, "verify"),
        ({"type": "datahub_rest", "trust": "ca_certificate_path"}, {"extra": {}}, "ca_certificate_path"),
    ],
)
def test_a_server_of_tls_is_spoken_to_by_it_and_known_by_the_platforms_certificates(
    tiny: Tiny, said: dict[str, Any], more: dict[str, Any], trust: str
) -> None:
    def change(component: dict[str, Any]) -> None:
        component["endpoints"]["http"]["scheme"] = "https"
        component["connection"] = {**said, "endpoint": "http"}

    tiny.edit(tiny.component("portal"), change)
    stack = load_stack(tiny.root)
    usual: Any = Place(stack)
    found = describe(usual, "portal")
    expected = {"conn_type": said["type"], "host": "127.0.0.1", "port": 21040, **more}
    assert found == {key: value for key, value in expected.items() if value}
    own: Any = Place(stack, Path("/etc/ca.pem"))
    assert describe(own, "portal")["extra"] == {**more["extra"], trust: "/etc/ca.pem"}
    # Who speaks no TLS is told nothing of it.
    assert "verify" not in describe(own, "reader")["extra"]


def test_what_hooks_want_of_tls_is_said_by_the_components(root: Path) -> None:
    components = load_stack(root).components
    said = {name: c.component.connection for name, c in components.items() if c.component.connection}
    assert {name for name, found in said.items() if found.type == "trino"} == {"trino"}
    # Airflow's hook of Trino speaks HTTP unless it is told; DataHub's has a field of its own for whom to trust.
    assert said["trino"].tls == {"protocol": "https"}
    assert said["datahub"].trust == "ca_certificate_path"
