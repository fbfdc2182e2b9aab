"""A component sees itself and what it depends on, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from data_platform.stack.bindings import bindings, credential_names, prefix
from data_platform.stack.load import Stack, load_stack
from data_platform.stack.model import Component, Loaded, Local, StackFile

if TYPE_CHECKING:
    from tests.conftest import Tiny


class Place(NamedTuple):
    host: str
    port: int
    url: str


def place_of(component: str, endpoint: str) -> Place:
    return Place(f"{component}-{endpoint}.host", 1234, f"http://{component}-{endpoint}.host:1234")


def credentials_of(stack: Stack, name: str) -> dict[str, str]:
    """Values that say whose they are."""
    fixed, generated = credential_names(stack, name)
    return {**fixed, **{key: f"secret-{name}-{key}" for key in generated}}


def seen_by(stack: Stack, name: str) -> dict[str, str]:
    return bindings(stack, name, place_of, lambda target: credentials_of(stack, target))


def test_names_are_flat_and_upper_case(tiny: Tiny) -> None:
    found = seen_by(load_stack(tiny.root), "reader")
    assert found == {
        "READER_HTTP_HOST": "reader-http.host",
        "READER_HTTP_PORT": "1234",
        "READER_HTTP_URL": "http://reader-http.host:1234",
        "READER_TOKEN": "secret-reader-token",
        "READER_DATABASE_USER": "reader",
        "READER_DATABASE_PASSWORD": "secret-reader-database_password",
        "POSTGRESQL_SQL_HOST": "postgresql-sql.host",
        "POSTGRESQL_SQL_PORT": "1234",
        "POSTGRESQL_SQL_URL": "http://postgresql-sql.host:1234",
        "POSTGRESQL_USERNAME": "postgres",
        "POSTGRESQL_PASSWORD": "secret-postgresql-password",
        "S3_HTTP_HOST": "minio-http.host",
        "S3_HTTP_PORT": "1234",
        "S3_HTTP_URL": "http://minio-http.host:1234",
        "S3_ACCESS_KEY": "platform",
        "S3_SECRET_KEY": "secret-minio-secret_key",
    }


def test_a_capability_keeps_its_name_whoever_provides_it(tiny: Tiny) -> None:
    names = {profile: set(seen_by(load_stack(tiny.root, profile), "reader")) for profile in ("default", "weeds")}
    assert names["default"] == names["weeds"]
    assert seen_by(load_stack(tiny.root, "weeds"), "reader")["S3_HTTP_HOST"] == "weeds-http.host"


def test_a_provider_sees_itself_by_both_names(tiny: Tiny) -> None:
    found = seen_by(load_stack(tiny.root), "minio")
    assert found["MINIO_SECRET_KEY"] == found["S3_SECRET_KEY"]


def test_a_dependency_of_a_dependency_is_not_seen(tiny: Tiny) -> None:
    found = seen_by(load_stack(tiny.root), "portal")
    assert {name.partition("_")[0] for name in found} == {"PORTAL", "READER"}


def test_dashes_become_underscores() -> None:
    assert prefix("spark-operator") == "SPARK_OPERATOR"


@st.composite
def stacks(draw: st.DrawFn) -> Stack:
    """A stack of components that each have an endpoint, secrets, and some a database."""
    names = draw(st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=6, unique=True))
    loaded: dict[str, Loaded] = {}
    for index, letter in enumerate(("postgresql", *names)):
        known = list(loaded)
        needs = draw(st.lists(st.sampled_from(known), unique=True)) if known else []
        has_database = index > 0 and "postgresql" in needs
        component = Component.model_validate(
            {
                "name": letter,
                "namespace": "core",
                "version": "1",
                "summary": "one of several",
                "depends_on": needs,
                "endpoints": {"http": {"port": 2000 + index}},
                "secrets": ["token"],
                "databases": [letter] if has_database else [],
                "resources": {"cpu": 1, "memory_mib": 1},
                "checks": [{"name": "is-there", "kind": "http"}],
                "backup": {"kind": "none", "reason": "a test"},
            }
        )
        loaded[letter] = Loaded(component=component, definition=Local.model_validate({}), folder=Path())
    file = StackFile(name="any", namespaces={"core": "x"}, capabilities={}, profiles={}, buckets={})
    return Stack(Path(), file, "default", "local", loaded, {}, {})


@given(stacks())
def test_nothing_is_seen_of_a_component_that_is_not_depended_on(stack: Stack) -> None:
    for name in stack.components:
        visible = {name, *stack.dependencies(name)}
        owners = {found.partition("_")[0].lower() for found in seen_by(stack, name)}
        assert owners == visible


@given(stacks())
def test_a_database_password_is_seen_by_its_owner_alone(stack: Stack) -> None:
    for owner in stack.components:
        password = f"secret-{owner}-database_password"
        seeing = {name for name in stack.components if password in seen_by(stack, name).values()}
        assert seeing == ({owner} if stack.components[owner].component.databases else set())


@given(stacks())
def test_no_secret_of_a_stranger_is_among_the_values(stack: Stack) -> None:
    for name in stack.components:
        strangers = set(stack.components) - {name, *stack.dependencies(name)}
        values = " ".join(seen_by(stack, name).values())
        assert [other for other in strangers if f"secret-{other}-" in values] == []
