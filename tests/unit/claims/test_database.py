"""Databases are made by their server, with what they are to hold, and owned by a role of their holder's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest

from data_platform.claims.database import Database
from data_platform.clients import postgres
from data_platform.stack.errors import PlatformError
from data_platform.targets.local.target import LocalTarget
from tests.unit.claims import conftest
from tests.unit.claims.conftest import again

if TYPE_CHECKING:
    from tests.conftest import Tiny

PROVIDER, KIND = "postgresql", "database"
NOTHING = postgres.Contents(frozenset(), frozenset())
Login = tuple[str, str, str]


def said(place: LocalTarget) -> list[str]:
    return conftest.said(place, PROVIDER, KIND)


def carry_out(place: LocalTarget) -> None:
    conftest.carry_out(place, PROVIDER, KIND)


class Server:
    """A PostgreSQL with some databases.

    Attributes:
        up: whether it answers.
        there: what each database holds.
        logins: user, password and database of each role that looked.
        made: what was made, in its order.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.up, self.there = True, dict[str, postgres.Contents]()
        self.logins: list[Login] = []
        self.administrator: list[Login] = []
        self.made: list[tuple[str, ...]] = []
        self._database = ""
        monkeypatch.setattr(postgres, "answers", lambda *_: self.up)
        monkeypatch.setattr(postgres, "look_into", self._look_into)
        monkeypatch.setattr(postgres, "connect", self._connect)
        monkeypatch.setattr(postgres, "ensure_database", self._ensure_database)
        monkeypatch.setattr(postgres, "ensure_schema", lambda _, name, role: self._add("schema", name, role))
        monkeypatch.setattr(postgres, "ensure_extension", lambda _, name: self._add("extension", name))

    def _look_into(self, _host: str, _port: int, *login: str) -> postgres.Contents | None:
        user, password, database = login
        self.logins.append((user, password, database))
        return self.there.get(database)

    @contextmanager
    def _connect(self, _host: str, _port: int, *login: str) -> Iterator[None]:
        user, password, database = login
        self.administrator.append((user, password, database))
        self._database = database
        yield None

    def _ensure_database(self, _: object, *words: str) -> None:
        self.made.append(("database", *words))
        self.there.setdefault(words[0], NOTHING)

    def _add(self, *words: str) -> None:
        self.made.append((*words, f"in {self._database}"))
        schemas, extensions = self.there[self._database]
        kind, name = words[:2]
        added = frozenset({name})
        self.there[self._database] = (
            postgres.Contents(schemas | added, extensions)
            if kind == "schema"
            else postgres.Contents(schemas, extensions | added)
        )


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    return Server(monkeypatch)


def test_databases_of_components_and_identities_are_made_by_the_server_for_their_holders(
    place: LocalTarget, server: Server
) -> None:
    assert said(place) == ["make database reader: it is not there", "make database checks: it is not there"]
    carry_out(place)
    assert server.made == [
        ("database", name, name, place.credentials(name)["database_password"], f"owned by {name}")
        for name in ("reader", "checks")
    ]
    assert said(place) == []


def test_each_holder_looks_as_itself_and_the_administrator_makes(place: LocalTarget, server: Server) -> None:
    said(place)
    own = {name: place.credentials(name)["database_password"] for name in ("reader", "checks")}
    assert server.logins == [(name, own[name], name) for name in ("reader", "checks")]
    assert server.administrator == []
    carry_out(place)
    assert server.administrator == [("postgres", place.credentials(PROVIDER)["password"], "postgres")] * 2


@pytest.fixture
def furnished(tiny: Tiny, place: LocalTarget) -> LocalTarget:
    """A platform whose reader wants more than a database of its name."""
    more = {"schemas": ["sales", "stock"], "extensions": ["vector"]}
    tiny.edit(tiny.component("reader"), lambda c: c["claims"][0].update(more))
    return again(place)


def test_a_database_is_made_with_what_it_is_to_hold(furnished: LocalTarget, server: Server) -> None:
    server.there["checks"] = NOTHING
    carry_out(furnished)
    assert [words[:2] for words in server.made] == [
        ("database", "reader"),
        ("schema", "sales"),
        ("schema", "stock"),
        ("extension", "vector"),
    ]
    assert server.made[1:] == [
        ("schema", "sales", "reader", "in reader"),
        ("schema", "stock", "reader", "in reader"),
        ("extension", "vector", "in reader"),
    ]
    assert said(furnished) == []


@pytest.mark.parametrize(
    ("schemas", "extensions", "steps"),
    [
        ({"sales", "stock", "public"}, {"vector", "plpgsql"}, []),
        ({"stock"}, {"vector"}, ["change database reader: it lacks schema sales"]),
        ({"sales", "stock"}, set(), ["change database reader: it lacks extension vector"]),
        (set(), set(), ["change database reader: it lacks schema sales, schema stock, extension vector"]),
    ],
)
def test_a_database_that_lacks_what_it_is_to_hold_is_changed(
    furnished: LocalTarget, server: Server, schemas: set[str], extensions: set[str], steps: list[str]
) -> None:
    server.there |= {"checks": NOTHING, "reader": postgres.Contents(frozenset(schemas), frozenset(extensions))}
    assert said(furnished) == steps


def test_a_database_of_an_identity_that_lacks_something_is_changed(
    tiny: Tiny, place: LocalTarget, server: Server
) -> None:
    tiny.edit(tiny.stack_file, lambda c: c["identities"]["checks"]["claims"][0].update(schemas=["scratch"]))
    server.there |= {"reader": NOTHING, "checks": NOTHING}
    assert said(again(place)) == ["change database checks: it lacks schema scratch"]


def test_a_database_is_missing_only_where_its_server_answers(place: LocalTarget, server: Server) -> None:
    server.up = False
    assert said(place) == [f"make database {name}: PostgreSQL does not answer" for name in ("reader", "checks")]
    assert server.logins == []


def test_a_database_that_nobody_claims_any_more_stays(tiny: Tiny, place: LocalTarget, server: Server) -> None:
    carry_out(place)
    tiny.edit(tiny.stack_file, lambda c: c["identities"].pop("checks"))
    assert said(again(place)) == []
    assert set(server.there) == {"reader", "checks"}


def refused(error: psycopg.Error) -> Callable[..., object]:
    def refuse(*_: object) -> None:
        raise error

    return refuse


def test_a_refused_administrator_is_one_error_with_its_remedy(
    place: LocalTarget, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "connect", refused(psycopg.OperationalError("password authentication failed")))
    with pytest.raises(PlatformError, match=r"database reader of reader cannot be made: password") as caught:
        carry_out(place)
    assert "credentials.json" in caught.value.remedy
    assert server.made == []


def test_an_extension_that_cannot_be_made_is_one_error_that_names_the_claim(
    furnished: LocalTarget, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = psycopg.errors.FeatureNotSupported('extension "vector" is not available')
    monkeypatch.setattr(postgres, "ensure_extension", refused(missing))
    with pytest.raises(PlatformError, match=r"extension vector in database reader of reader cannot be made") as caught:
        carry_out(furnished)
    assert "is not available" in caught.value.problem
    assert "the claims of reader" in caught.value.remedy
    assert server.made[-1] == ("schema", "stock", "reader", "in reader")


def test_a_role_has_the_name_of_its_holder_without_hyphens() -> None:
    claim = Database(kind="database", name="reports")
    assert claim.fixed("night-shift") == {"database_user": "night_shift"}
    assert claim.generated == ("database_password",)
    assert claim.made("night-shift") == "reports"


def test_who_owns_it_and_what_it_holds_define_a_database() -> None:
    plain = Database(kind="database", name="reports")
    rich = Database(kind="database", name="reports", schemas=("sales",), extensions=("uuid-ossp",))
    assert plain.definition("reader") != plain.definition("checks")
    assert rich.definition("reader") == {"owner": "reader", "schemas": ("sales",), "extensions": ("uuid-ossp",)}


@pytest.mark.parametrize("given", [{"schema": ["b"]}, {"extensions": ['x"; drop']}, {"schemas": ["Sales"]}])
def test_what_cannot_be_a_name_in_sql_is_refused(given: dict[str, list[str]]) -> None:
    with pytest.raises(ValueError, match=next(iter(given))):
        Database.model_validate({"kind": "database", "name": "reports", **given})
