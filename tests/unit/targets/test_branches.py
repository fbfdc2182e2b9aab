"""Branches of the table catalog are made where they are missing, and never touched where they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from data_platform.clients import nessie
from data_platform.stack.load import load_stack
from data_platform.stack.plan import plan
from data_platform.targets import branches, provision
from data_platform.targets.local import ports
from data_platform.targets.local.state import State
from data_platform.targets.local.target import LocalTarget


class Catalog:
    """A Nessie with some branches; `log` holds what was changed."""

    def __init__(self, *there: str) -> None:
        self.there = dict.fromkeys(("main", *there), "aa")
        self.log: list[str] = []

    def __call__(self, *_: object) -> Self:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def branches(self) -> dict[str, str]:
        return self.there

    def head(self, name: str) -> str | None:
        return self.there.get(name)

    def create_branch(self, name: str, source: str) -> str:
        self.log.append(f"{name} of {source}")
        return self.there.setdefault(name, "aa")


@pytest.fixture
def place(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalTarget:
    monkeypatch.setattr(ports, "is_free", lambda port: port > 0)
    return LocalTarget(load_stack(root), State(tmp_path / "state"))


def steps(place: LocalTarget, catalog: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(nessie, "Nessie", catalog)
    return [str(step) for step in plan(branches.wanted(place.stack, "nessie"), branches.observe(place, "nessie"))]


def test_missing_ones_are_made_and_others_are_left_where_they_are(
    place: LocalTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = Catalog("audit_fx_rates", "audit_of_a_dataset_that_is_gone", *place.stack.branches[2:])
    assert steps(place, catalog, monkeypatch) == ["create branch audit_currencies: it is not there"]
    branches.create(place, "audit_currencies")
    branches.create(place, "audit_fx_rates")
    assert catalog.log == ["audit_currencies of main"]
    assert steps(place, catalog, monkeypatch) == []


@pytest.mark.parametrize("error", [httpx.ConnectError("refused"), nessie.NessieUnavailableError("503")])
def test_what_a_catalog_that_does_not_answer_has_is_not_said_to_be_missing(
    place: LocalTarget, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    catalog = Catalog()

    def refuse() -> None:
        raise error

    monkeypatch.setattr(catalog, "branches", refuse)
    found = steps(place, catalog, monkeypatch)
    assert len(found) == len(place.stack.branches)
    assert set(found) == {f"create branch {name}: Nessie does not answer" for name in place.stack.branches}


def test_they_belong_to_the_table_catalog_alone(place: LocalTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nessie, "Nessie", Catalog())
    of = {name: [r for r in provision.wanted(place, name) if r.kind == "branch"] for name in place.stack.components}
    assert {name for name, found in of.items() if found} == {"nessie"}
    assert [r.name for r in of["nessie"]] == list(place.stack.branches)
    assert branches.observe(place, "trino") == []
