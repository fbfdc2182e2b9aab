"""Branches of the table catalog are made where they are missing, and never touched where they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from data_platform.claims.branch import Branch
from data_platform.clients import nessie
from data_platform.stack.holders import claimed, names_of
from data_platform.stack.load import load_stack
from data_platform.stack.plan import Step
from data_platform.targets import claims
from data_platform.targets.local.state import State
from data_platform.targets.local.target import LocalTarget
from tests.unit.claims.conftest import carry_out, said

PROVIDER, KIND = "nessie", "branch"


class Catalog:
    """A Nessie with some branches; `log` holds what was changed."""

    def __init__(self, *there: str) -> None:
        self.there = dict.fromkeys(("main", *there), "aa")
        self.log: list[str] = []
        self.url = ""

    def __call__(self, url: str, *_: object) -> Self:
        self.url = url
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
def place(root: Path, tmp_path: Path, free_ports: None) -> LocalTarget:
    """This checkout's own: it has datasets, and branches to try things on."""
    del free_ports
    return LocalTarget(load_stack(root), State(tmp_path / "state"))


@pytest.fixture
def names(place: LocalTarget) -> list[str]:
    """Of all branches that are claimed."""
    found = names_of(place.stack, KIND)
    assert {"audit_fx_rates", "audit_currencies", "audit_lab_1"} <= set(found)
    return found


def use(catalog: Any, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    monkeypatch.setattr(nessie, "Nessie", catalog)
    return catalog  # type: ignore[no-any-return]


def test_missing_ones_are_made_and_others_are_left_where_they_are(
    place: LocalTarget, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = [name for name in names if name != "audit_currencies"]
    catalog = use(Catalog("audit_of_a_dataset_that_is_gone", *there), monkeypatch)
    assert said(place, PROVIDER, KIND) == ["make branch audit_currencies: it is not there"]
    carry_out(place, PROVIDER, KIND)
    assert catalog.url == place.address(PROVIDER, "http").url
    assert catalog.log == ["audit_currencies of main"]
    assert said(place, PROVIDER, KIND) == []
    # A run may have made it between the look and the step.
    claims.carry_out(place, PROVIDER, Step(verb="make", kind="claim", name="branch audit_fx_rates", reason="any"))
    assert catalog.log == ["audit_currencies of main"]


def test_a_branch_that_nobody_claims_any_more_stays(
    place: LocalTarget, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = use(Catalog("audit_of_a_dataset_that_is_gone", *names), monkeypatch)
    seen = Branch.observe(place, PROVIDER, claimed(place.stack, PROVIDER, KIND))
    assert {each.name for each in seen} == {f"branch {name}" for name in names}
    assert "audit_of_a_dataset_that_is_gone" in catalog.there


@pytest.mark.parametrize("error", [httpx.ConnectError("refused"), nessie.NessieUnavailableError("503")])
def test_what_a_catalog_that_does_not_answer_has_is_not_said_to_be_missing(
    place: LocalTarget, names: list[str], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    catalog = use(Catalog(), monkeypatch)

    def refuse() -> None:
        raise error

    monkeypatch.setattr(catalog, "branches", refuse)
    found = said(place, PROVIDER, KIND)
    assert sorted(found) == sorted(f"make branch {name}: Nessie does not answer" for name in names)


def test_they_are_made_by_the_table_catalog_alone(place: LocalTarget, names: list[str]) -> None:
    of = {name: [each.name for each in claimed(place.stack, name, KIND)] for name in place.stack.components}
    assert sorted(of.pop(PROVIDER)) == sorted(names)
    assert {name for name, found in of.items() if found} == set()
