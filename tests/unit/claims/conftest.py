"""A kind of claims over the small stack: what its module says, as steps of a plan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from data_platform.stack.holders import claimed
from data_platform.stack.kinds import KINDS
from data_platform.stack.load import load_stack
from data_platform.stack.plan import Resource, Step, plan
from data_platform.targets import claims
from data_platform.targets.local import ports
from data_platform.targets.local.state import State
from data_platform.targets.local.target import LocalTarget

if TYPE_CHECKING:
    from tests.conftest import Tiny


@pytest.fixture
def free_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every port is free: the room has no sockets to try them."""
    monkeypatch.setattr(ports, "is_free", lambda port: port > 0)


@pytest.fixture
def place(tiny: Tiny, tmp_path: Path, free_ports: None) -> LocalTarget:
    """The target of the small stack, with credentials."""
    del free_ports
    made = LocalTarget(load_stack(tiny.root), State(tmp_path / "state"))
    made.ensure_credentials()
    return made


def again(place: LocalTarget) -> LocalTarget:
    """The same platform after a change of its files, with credentials for those who are new."""
    made = LocalTarget(load_stack(place.stack.root), place.state)
    made.ensure_credentials()
    return made


def steps(place: LocalTarget, provider: str, kind: str) -> list[Step]:
    """What is to be done about one kind of claims of a provider."""
    mine = claimed(place.stack, provider, kind)
    wanted = [Resource(kind="claim", name=each.resource, digest=each.digest) for each in mine]
    return plan(wanted, KINDS[kind].observe(place, provider, mine))


def said(place: LocalTarget, provider: str, kind: str) -> list[str]:
    """The same as sentences."""
    return [str(step) for step in steps(place, provider, kind)]


def carry_out(place: LocalTarget, provider: str, kind: str) -> None:
    """Do it."""
    for step in steps(place, provider, kind):
        claims.carry_out(place, provider, step)
