"""One component is brought to its definition under the lease, and waited for in any case."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from bootstrap.install import install
from bootstrap.lease import CommandLease
from bootstrap.progress import Progress
from data_platform import lifecycle
from data_platform.records import schema
from data_platform.stack.load import load_stack
from data_platform.stack.plan import Resource

if TYPE_CHECKING:
    from tests.conftest import Tiny

CHANGED = [Resource(kind="file", name="a", digest="1")]


def test_what_was_proven_is_waited_for_all_the_same(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """A supervisor that was killed starts servers again that nothing has to be changed of."""
    waited: list[str] = []
    target: Any = SimpleNamespace(stack=load_stack(tiny.root), wait=waited.append)
    monkeypatch.setattr(lifecycle, "observe", lambda *_: lifecycle.Observation([], [], proven=True))
    install(target, "postgresql", Progress(), FakeLease(target, waited))
    assert waited == ["postgresql"]


class FakeLease(CommandLease):
    """Notes when it is taken."""

    def __init__(self, target: Any, done: list[str]) -> None:
        super().__init__(target, "up", Progress())
        self.done = done

    def take(self) -> None:
        self.done.append("take the lease")


@pytest.mark.parametrize("name", ["postgresql", "portal"])
def test_what_is_changed_is_changed_under_the_lease_and_the_owner_of_the_records_brings_their_schema(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    done: list[str] = []
    tiny.edit(tiny.component("portal"), lambda c: c.update(provides=["orchestrator"]))
    tiny.edit(tiny.stack_file, lambda c: c["capabilities"].update(orchestrator="portal"))
    target: Any = SimpleNamespace(
        stack=load_stack(tiny.root),
        fetch=lambda *_: done.append("fetch"),
        apply=lambda *_: done.append("apply"),
        wait=lambda _: done.append("wait"),
    )
    monkeypatch.setattr(lifecycle, "observe", lambda *_: lifecycle.Observation(CHANGED, [], proven=False))
    monkeypatch.setattr(lifecycle, "verify", lambda *_, keep: done.append(f"verify, {keep=}") or [])
    monkeypatch.setattr(schema, "migrate", lambda _: done.append("migrate") or ["schema: none → 1"])
    install(target, name, Progress(), FakeLease(target, done))
    migrated = ["migrate"] if name == "portal" else []
    assert done == ["take the lease", "fetch", "apply", *migrated, "wait", f"verify, keep={name == 'portal'}"]
