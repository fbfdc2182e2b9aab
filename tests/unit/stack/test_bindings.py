"""A component sees itself, the addresses of whom it calls and what was made for it; no secret of anybody else."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import yaml
from hypothesis import given
from hypothesis import strategies as st

from data_platform.stack.bindings import Bindings, Places, bindings, listed, prefix
from data_platform.stack.definition import Local
from data_platform.stack.holders import NEXT, claimed, holder, holders
from data_platform.stack.load import load_stack
from data_platform.stack.model import Component, Identity, Loaded, StackFile
from data_platform.stack.stack import Stack

if TYPE_CHECKING:
    from tests.conftest import Tiny


class Place(NamedTuple):
    host: str
    port: int
    url: str


def place_of(component: str, endpoint: str) -> Place:
    return Place(f"{component}-{endpoint}.host", 1234, f"http://{component}-{endpoint}.host:1234")


PLACES = Places(place_of, lambda component, endpoint: f"https://{component}.{endpoint}.example")


def credentials_of(stack: Stack, name: str) -> dict[str, str]:
    """Values that say whose they are."""
    of = holder(stack, name)
    return {**of.fixed, **{key: f"secret-{of.name}-{key}" for key in of.generated}}


def seen_by(stack: Stack, name: str) -> Bindings:
    return bindings(stack, name, PLACES, lambda of: credentials_of(stack, of))


def test_names_are_flat_and_upper_case_and_secrets_are_apart(tiny: Tiny) -> None:
    found = seen_by(load_stack(tiny.root), "reader")
    assert found.open == {
        "READER_HTTP_HOST": "reader-http.host",
        "READER_HTTP_PORT": "1234",
        "READER_HTTP_URL": "http://reader-http.host:1234",
        "READER_HTTP_PUBLIC_URL": "https://reader.http.example",
        "READER_DATABASE_USER": "reader",
        "POSTGRESQL_SQL_HOST": "postgresql-sql.host",
        "POSTGRESQL_SQL_PORT": "1234",
        "POSTGRESQL_SQL_URL": "http://postgresql-sql.host:1234",
        "S3_HTTP_HOST": "minio-http.host",
        "S3_HTTP_PORT": "1234",
        "S3_HTTP_URL": "http://minio-http.host:1234",
        "S3_ACCESS_KEY": "reader",
    }
    assert found.secret == {
        "READER_TOKEN": "secret-reader-token",
        "READER_DATABASE_PASSWORD": "secret-reader-database_password",
        "S3_SECRET_KEY": "secret-reader-s3_secret_key",
    }
    assert found.all == {**found.open, **found.secret}


def test_what_was_made_for_a_component_is_named_after_who_made_it(tiny: Tiny) -> None:
    found = seen_by(load_stack(tiny.root), "portal")
    assert found.secret == {"READER_TOKEN": "secret-portal-reader_token"}


def test_a_dependency_tells_where_it_is_and_nothing_of_its_own_keys(tiny: Tiny) -> None:
    stack = load_stack(tiny.root)
    tiny.edit(tiny.component("reader"), lambda c: (c["claims"].pop(), c.update(calls=["s3"])))
    plain = seen_by(load_stack(tiny.root), "reader")
    assert plain.open["S3_HTTP_HOST"] == "minio-http.host"
    for known in (plain, seen_by(stack, "reader")):
        values = " ".join(known.all.values())
        assert "secret-minio" not in values
        assert "secret-postgresql" not in values
        assert not {"POSTGRESQL_USERNAME", "POSTGRESQL_PASSWORD", "MINIO_SECRET_KEY"} & known.all.keys()
    assert not {"S3_ACCESS_KEY", "S3_SECRET_KEY"} & plain.all.keys()


def test_a_capability_keeps_its_name_whoever_provides_it(tiny: Tiny) -> None:
    names = {profile: set(seen_by(load_stack(tiny.root, profile), "reader").all) for profile in ("default", "weeds")}
    assert names["default"] == names["weeds"]
    assert seen_by(load_stack(tiny.root, "weeds"), "reader").open["S3_HTTP_HOST"] == "weeds-http.host"


def test_a_provider_has_addresses_by_both_names_and_its_key_by_its_own(tiny: Tiny) -> None:
    found = seen_by(load_stack(tiny.root), "minio")
    assert found.open["MINIO_HTTP_URL"] == found.open["S3_HTTP_URL"]
    assert found.open["MINIO_ACCESS_KEY"] == "platform"
    assert found.secret == {"MINIO_SECRET_KEY": "secret-minio-secret_key"}
    assert "S3_ACCESS_KEY" not in found.all


def test_whom_others_call_is_not_seen(tiny: Tiny) -> None:
    found = seen_by(load_stack(tiny.root), "portal").all
    assert {name.partition("_")[0] for name in found} == {"PORTAL", "READER"}


def test_who_comes_before_is_not_seen_and_whom_one_calls_is_wherever_it_comes(tiny: Tiny) -> None:
    tiny.edit(tiny.component("portal"), lambda c: c.update(after=["postgresql"]))
    # The reader calls who comes after it.
    tiny.edit(tiny.component("reader"), lambda c: c.update(calls=["portal"]))
    stack = load_stack(tiny.root)
    assert stack.dependencies("portal") == ("postgresql", "reader")
    assert {name.partition("_")[0] for name in seen_by(stack, "portal").all} == {"PORTAL", "READER"}
    assert seen_by(stack, "reader").open["PORTAL_HTTP_URL"] == "http://portal-http.host:1234"


def test_only_pages_of_ones_own_have_an_address_for_people(tiny: Tiny) -> None:
    stack = load_stack(tiny.root)
    seen = {name: seen_by(stack, name).open for name in stack.components}
    assert {name: [key for key in open_ if key.endswith("_PUBLIC_URL")] for name, open_ in seen.items()} == {
        "minio": [],
        "postgresql": [],
        "reader": ["READER_HTTP_PUBLIC_URL"],
        "portal": ["PORTAL_HTTP_PUBLIC_URL"],
    }


def test_a_server_of_tls_keeps_its_scheme(tiny: Tiny) -> None:
    stack = load_stack(tiny.root)

    def address(component: str, endpoint: str) -> Place:
        scheme = stack.components[component].component.endpoints[endpoint].scheme
        return Place("host", 1, f"{scheme}://host:1")

    places = Places(address, lambda *_: "")
    tiny.edit(tiny.component("reader"), lambda c: c["endpoints"]["http"].update(scheme="https"))
    stack = load_stack(tiny.root)
    found = bindings(stack, "portal", places, lambda of: credentials_of(stack, of)).open
    assert found["READER_HTTP_URL"] == "https://host:1"
    assert found["PORTAL_HTTP_URL"] == "http://host:1"


def test_a_value_that_is_to_take_a_secrets_place_is_seen_beside_it(tiny: Tiny) -> None:
    stack = load_stack(tiny.root)

    def staged(of: str) -> dict[str, str]:
        return credentials_of(stack, of) | {f"token{NEXT}": "the next one", "stray": "of nobody"}

    found = bindings(stack, "reader", PLACES, staged)
    assert found.secret["READER_TOKEN"] == "secret-reader-token"
    assert found.secret["READER_TOKEN_NEXT"] == "the next one"
    assert "the next one" not in found.open.values()
    assert "of nobody" not in found.all.values()


def test_more_values_are_added_to_those_that_are_no_secret() -> None:
    found = Bindings({"A": "1"}, {"B": "2"}).with_open({"C": "3"})
    assert found == ({"A": "1", "C": "3"}, {"B": "2"})


def test_dashes_become_underscores() -> None:
    assert prefix("spark-operator") == "SPARK_OPERATOR"


def no_page(component: str, endpoint: str) -> str:
    raise AssertionError((component, endpoint))


def given_by(stack: Stack, name: str) -> dict[str, object]:
    return listed(stack, name, Places(place_of, no_page), lambda of: credentials_of(stack, of))


def test_a_store_that_is_configured_lists_its_users_with_their_keys_and_buckets(tiny: Tiny) -> None:
    stack = load_stack(tiny.root, "weeds")
    tiny.edit(tiny.component("reader"), lambda c: c["claims"].pop())
    users = [
        ("reader", {"raw": "read", "results": "write"}),
        ("pipelines", {"raw": "add"}),
        ("checks", {"raw": "write", "results": "read"}),
    ]
    entries = [
        {"name": name, "access_key": name, "secret_key": f"secret-{name}-s3_secret_key", "buckets": buckets}
        for name, buckets in users
    ]
    assert given_by(stack, "weeds") == {"S3_USERS": entries}
    assert given_by(load_stack(tiny.root, "weeds"), "weeds") == {"S3_USERS": entries[1:]}


def test_a_server_of_tokens_is_told_their_digests_alone(tiny: Tiny) -> None:
    found = given_by(load_stack(tiny.root), "reader")
    tokens = {name: f"secret-{name}-reader_token" for name in ("portal", "pipelines")}
    assert found == {
        "TOKENS": [
            {"name": name, "sha256": hashlib.sha256(token.encode()).hexdigest()} for name, token in tokens.items()
        ]
    }
    assert [token for token in tokens.values() if token in str(found)] == []


def test_a_server_that_is_asked_by_its_own_api_is_configured_for_nobody(tiny: Tiny) -> None:
    stack = load_stack(tiny.root)
    assert [given_by(stack, name) for name in ("minio", "postgresql", "portal")] == [{}, {}, {}]


def test_who_scrapes_is_told_of_all_metrics_and_nobody_else_is(tiny: Tiny) -> None:
    metrics = {"endpoint": "http", "path": "/all", "user": "me", "names": ["up"]}
    tiny.edit(tiny.component("reader"), lambda c: c.update(metrics=metrics))
    tiny.edit(tiny.component("minio"), lambda c: c.update(metrics=metrics))
    tiny.edit(tiny.component("portal"), lambda c: c.update(scrapes=True))
    stack = load_stack(tiny.root)
    (store, reader) = given_by(stack, "portal")["SCRAPES"]  # type: ignore[misc]
    assert reader == {
        "component": "reader",
        "url": "http://reader-http.host:1234/all",
        "scheme": "http",
        "host": "reader-http.host",
        "port": 1234,
        "path": "/all",
        "user": "me",
    }
    assert store == {
        **reader,
        "component": "minio",
        "host": "minio-http.host",
        "url": "http://minio-http.host:1234/all",
    }
    assert given_by(stack, "postgresql") == {}


def test_who_scrapes_where_nothing_has_metrics_is_told_so(tiny: Tiny) -> None:
    tiny.edit(tiny.component("portal"), lambda c: c.update(scrapes=True))
    assert given_by(load_stack(tiny.root), "portal") == {"SCRAPES": []}


@st.composite
def stacks(draw: st.DrawFn) -> Stack:
    """A stack of components that each have an endpoint and secrets, some a database, claims, or an identity."""
    names = draw(st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=6, unique=True))
    loaded: dict[str, Loaded] = {}

    def claims_of(candidates: list[str]) -> list[dict[str, object]]:
        chosen = draw(st.lists(st.sampled_from(candidates), unique=True)) if candidates else []
        tokens: list[dict[str, object]] = [{"kind": "token", "of": name} for name in chosen if name != "store"]
        users: list[dict[str, object]] = [{"kind": "s3_user", "buckets": {"raw": "read"}}] if "store" in chosen else []
        return tokens + users

    def database(name: str) -> list[dict[str, object]]:
        return draw(st.sampled_from([[], [{"kind": "database", "name": name}]]))

    for index, name in enumerate(("postgresql", "store", *names)):
        known = list(loaded)
        needs = draw(st.lists(st.sampled_from(known), unique=True)) if known else []
        component = Component.model_validate(
            {
                "name": name,
                "namespace": "core",
                "version": "1",
                "summary": "one of several",
                "provides": ["s3"] if name == "store" else [],
                "after": needs if draw(st.booleans()) else [],
                "calls": needs,
                "endpoints": {"http": {"port": 2000 + index}},
                "credentials": {"username": name},
                "secrets": ["token"],
                "claims": claims_of(needs) + (database(name) if "postgresql" in needs else []),
                "serves": {"s3_user": "configuration", "token": "configuration"},
                "resources": {"cpu": 1, "memory_mib": 1},
                "checks": [{"name": "is-there", "kind": "http"}],
                "backup": {"kind": "none", "reason": "a test"},
            }
        )
        loaded[name] = Loaded(component=component, definition=Local.model_validate({}), folder=Path())
    identities = {
        name: Identity.model_validate(
            {
                "summary": "acts for itself",
                "component": draw(st.sampled_from(["gone", *loaded])),
                "claims": claims_of(list(loaded)) + database(name),
            }
        )
        for name in ("checks", "pipelines")
    }
    file = StackFile(name="any", namespaces={"core": "x"}, capabilities={}, profiles={}, identities=identities)
    return Stack(Path(), file, "default", "local", loaded, {"s3": "store"}, {})


@given(stacks())
def test_no_secret_of_another_holder_is_among_what_a_component_sees(stack: Stack) -> None:
    everybody = holders(stack)
    assert len(everybody) >= 4
    for name in stack.components:
        found = seen_by(stack, name)
        values = " ".join(found.all.values())
        assert [other for other in everybody if other != name and f"secret-{other}-" in values] == []
        # Everything of its own, once.
        assert sorted(found.secret.values()) == sorted(f"secret-{name}-{key}" for key in everybody[name].generated)
        assert not found.open.keys() & found.secret.keys()


@given(stacks())
def test_no_secret_is_among_what_every_process_is_told(stack: Stack) -> None:
    for name in stack.components:
        values = " ".join(seen_by(stack, name).open.values())
        assert "secret-" not in values


@given(stacks())
def test_only_own_facts_addresses_of_the_called_and_makers_of_claims_give_names(stack: Stack) -> None:
    for name in stack.components:
        visible = {name, *stack.callees(name)}
        aliases = {prefix(alias) for alias in visible} | ({"S3"} if "store" in visible else set())
        assert {found.partition("_")[0] for found in seen_by(stack, name).all} <= aliases


@given(stacks())
def test_a_server_is_told_of_those_alone_who_have_claimed_something_of_it(stack: Stack) -> None:
    for name in stack.components:
        told = given_by(stack, name)
        listed = {entry["name"] for entries in told.values() for entry in entries}  # type: ignore[attr-defined]
        claiming = {each.holder for each in claimed(stack, name) if each.claim.listed_as}
        assert listed == claiming


def test_names_of_a_kind_are_told_to_those_alone_who_show_it(tiny: Tiny) -> None:
    labs = [{"kind": "branch", "name": name} for name in ("lab_1", "lab_2")]
    catalog = yaml.safe_load(tiny.component("portal").read_text(encoding="utf-8"))
    catalog |= {"name": "nessie", "claims": [], "serves": {"branch": "nessie"}}
    catalog["endpoints"]["http"]["port"] = 21050
    folder = tiny.folder("portal").parent / "nessie"
    folder.mkdir()
    (folder / "component.yaml").write_text(yaml.safe_dump(catalog), encoding="utf-8")
    (folder / "local.yaml").write_text("{}\n", encoding="utf-8")
    # Whose they are and who shows them are two things.
    tiny.edit(tiny.component("portal"), lambda c: c["claims"].extend(labs))
    tiny.edit(tiny.component("reader"), lambda c: c.update(shows=["branch"]))
    stack = load_stack(tiny.root)
    told = {name: seen_by(stack, name).open.get("BRANCHES") for name in stack.components}
    # Others would begin anew for nothing when a dataset is added.
    assert told.pop("reader") == "audit_lab_1 audit_lab_2"
    assert set(told.values()) == {None}
