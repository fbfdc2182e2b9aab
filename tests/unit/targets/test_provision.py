"""What a server that does not answer holds is not said to be missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from data_platform.clients import postgres, s3
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import load_stack
from data_platform.stack.plan import plan
from data_platform.targets import provision
from data_platform.targets.local import ports
from data_platform.targets.local.state import State
from data_platform.targets.local.target import LocalTarget

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Tiny


@pytest.fixture
def place(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalTarget:
    monkeypatch.setenv("DATA_PLATFORM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(ports, "is_free", lambda port: port > 0)
    return LocalTarget(load_stack(tiny.root), State(tmp_path / "state"))


def reasons(place: LocalTarget, component: str) -> list[str]:
    return [str(step) for step in plan(provision.wanted(place, component), provision.observe(place, component))]


def test_a_database_is_missing_only_where_its_server_answers(
    place: LocalTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "look_into", lambda *_: None)
    monkeypatch.setattr(postgres, "answers", lambda *_: True)
    assert reasons(place, "reader") == ["create database reader: it is not there"]
    monkeypatch.setattr(postgres, "answers", lambda *_: False)
    assert reasons(place, "reader") == ["create database reader: PostgreSQL does not answer"]


@pytest.fixture
def furnished(tiny: Tiny, place: LocalTarget) -> LocalTarget:
    """A platform whose reader wants more than a database of its name."""
    entry = {"name": "reader", "schemas": ["sales", "stock"], "extensions": ["vector"]}
    tiny.edit(tiny.component("reader"), lambda c: c.update(databases=["plain", entry]))
    return LocalTarget(load_stack(tiny.root), place.state)


@pytest.mark.parametrize(
    ("schemas", "extensions", "steps"),
    [
        ({"sales", "stock", "public"}, {"vector", "plpgsql"}, []),
        ({"stock"}, {"vector"}, ["update database reader: it lacks schema sales"]),
        ({"sales", "stock"}, set(), ["update database reader: it lacks extension vector"]),
        (set(), set(), ["update database reader: it lacks schema sales, schema stock, extension vector"]),
    ],
)
def test_a_database_that_lacks_what_it_is_to_hold_is_updated(
    furnished: LocalTarget,
    monkeypatch: pytest.MonkeyPatch,
    schemas: set[str],
    extensions: set[str],
    steps: list[str],
) -> None:
    held = postgres.Contents(frozenset(schemas), frozenset(extensions))
    monkeypatch.setattr(postgres, "answers", lambda *_: True)
    monkeypatch.setattr(postgres, "look_into", lambda *_: held)
    assert reasons(furnished, "reader") == steps


def test_a_bucket_is_missing_only_where_its_server_answers(place: LocalTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "read_bucket", lambda *_: None)
    assert reasons(place, "minio") == [f"create bucket {name}: it is not there" for name in ("raw", "results")]

    def refuse(*_: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(s3, "read_bucket", refuse)
    assert reasons(place, "minio") == [
        f"create bucket {name}: the object store does not answer" for name in ("raw", "results")
    ]


def test_a_refused_administrator_is_one_error_with_its_remedy(
    place: LocalTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise psycopg.OperationalError("password authentication failed")

    monkeypatch.setattr(postgres, "connect", refuse)
    with pytest.raises(PlatformError, match=r"database reader of reader cannot be made: password") as caught:
        provision.create_database(place, "reader", "reader")
    assert "credentials.json" in caught.value.remedy
