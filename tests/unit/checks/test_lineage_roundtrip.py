"""The check `lineage_roundtrip`, against a catalog that keeps what it is told in dictionaries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from data_platform.checks.base import Address, CheckFailed, Deadline, ToolResult
from data_platform.checks.lineage_roundtrip import Params, check, event
from data_platform.clients import datahub as client
from data_platform.clients.datahub import Lineage, dataset_urn, field_urn
from data_platform.stack.load import load_stack

URL = "http://127.0.0.1:1"


class Place:
    """A platform with one address."""

    stack = load_stack(Path(__file__).parents[3])

    def address(self, component: str, endpoint: str) -> Address:
        assert (component, endpoint) == ("lineage-catalog", "http")
        return Address("127.0.0.1", 1, URL)

    def credentials(self, holder: str) -> dict[str, str]:
        assert holder == "checks"
        return {"datahub_token": "secret"}

    def run_tool(self, component: str, tool: str, arguments: object, seconds: float) -> ToolResult:
        raise AssertionError((component, tool, arguments, seconds))


class Catalog:
    """What the check uses of the client, with one fault at a time."""

    def __init__(self) -> None:
        self.fault = ""
        self.there: dict[str, bool] = {}  # urn: removed
        self.upstreams: set[str] = set()
        self.columns: set[tuple[str, str]] = set()

    def __call__(self, url: str, token: str, seconds: float) -> Self:
        assert (url, token) == (URL, "secret")
        assert seconds > 0
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def emit_dataset(self, urn: str, description: str, upstreams: Sequence[str] = ()) -> None:
        assert description
        self.there[urn] = False
        self.upstreams |= set(upstreams)

    def post_openlineage(self, body: Mapping[str, Any]) -> None:
        (read,), (written,) = body["inputs"], body["outputs"]
        if self.fault == "last writer wins":
            self.upstreams.clear()
        if self.fault == "unreachable":
            raise OSError("connection refused")
        source, target = (self._named(d) for d in (read, written))
        self.upstreams.add(source)
        self.there |= {source: False, target: False}
        for column, origin in written["facets"]["columnLineage"]["fields"].items():
            (field,) = origin["inputFields"]
            assert (field["namespace"], field["name"]) == (read["namespace"], read["name"])
            if self.fault != "forgets paths":
                self.columns.add((field_urn(source, field["field"]), field_urn(target, column)))

    def _named(self, dataset: Mapping[str, Any]) -> str:
        facets = dataset["facets"]
        (symlink,) = facets["symlinks"]["identifiers"]
        return dataset_urn("iceberg", f"{facets['catalog']['name']}.{symlink['name']}")

    def lineage(self, urn: str) -> Lineage:
        assert urn in self.there
        return Lineage(frozenset(self.upstreams), frozenset(self.columns))

    def exists(self, urn: str) -> bool:
        return urn in self.there

    def is_removed(self, urn: str) -> bool:
        return self.fault != "forgets removal" and self.there[urn]

    def remove(self, urn: str) -> None:
        self.there[urn] = True

    def delete(self, urn: str) -> None:
        if self.fault != "keeps what is deleted":
            self.there.pop(urn, None)

    def status_of_write(self, urn: str, token: str | None) -> int:
        assert token != "secret"
        if self.fault == "open" or (self.fault == "any token will do" and token):
            self.there[urn] = False
            return 200
        if self.fault == "stores before it refuses":
            self.there[urn] = False
        return 500 if self.fault == "broken" else 401


@pytest.fixture
def catalog(monkeypatch: pytest.MonkeyPatch) -> Catalog:
    made = Catalog()
    monkeypatch.setattr(client, "DataHub", made)
    return made


def test_it_passes_and_leaves_nothing(catalog: Catalog) -> None:
    evidence = check(Params(expect="stored"), Place(), Deadline(5))
    assert "rates (emitter) and orders (OpenLineage)" in evidence
    assert catalog.upstreams
    assert catalog.there == {}


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("last writer wins", r"but comes from \S*orders,PROD\)$"),
        ("forgets paths", "column lineage"),
        ("forgets removal", "not marked as removed"),
        ("keeps what is deleted", "still there"),
    ],
)
def test_each_fault_of_the_catalog_is_seen(catalog: Catalog, fault: str, message: str) -> None:
    catalog.fault = fault
    with pytest.raises(CheckFailed, match=message):
        check(Params(expect="stored"), Place(), Deadline(5))
    assert bool(catalog.there) == (fault == "keeps what is deleted")


def test_what_was_made_is_deleted_when_it_breaks_off(catalog: Catalog) -> None:
    catalog.fault = "unreachable"
    with pytest.raises(OSError, match="connection refused"):
        check(Params(expect="stored"), Place(), Deadline(5))
    assert catalog.upstreams
    assert catalog.there == {}


def test_a_closed_catalog_is_told_by_its_answers(catalog: Catalog) -> None:
    evidence = check(Params(expect="refused"), Place(), Deadline(5))
    assert evidence == "401 without a token, 401 with a wrong token"
    assert catalog.there == {}


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("open", "200 without a token, 200 with a wrong token"),
        ("any token will do", "401 without a token, 200 with a wrong token"),
        ("stores before it refuses", "stored: True"),
        ("broken", "500 without a token"),
    ],
)
def test_an_open_catalog_is_seen(catalog: Catalog, fault: str, message: str) -> None:
    catalog.fault = fault
    with pytest.raises(CheckFailed, match=message):
        check(Params(expect="refused"), Place(), Deadline(5))
    assert catalog.there == {}


def test_the_event_names_tables_by_paths_that_are_never_the_same() -> None:
    one, two = event("x"), event("x")
    assert one["inputs"][0]["name"] != two["inputs"][0]["name"]
    assert one["outputs"][0]["facets"]["symlinks"]["identifiers"][0]["name"] == "x.daily"
