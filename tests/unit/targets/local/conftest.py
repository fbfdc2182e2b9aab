"""The `local` target over the small stack, with a supervisor and servers that are only pretended."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from data_platform.stack.load import load_stack
from data_platform.stack.plan import Resource, Seen, Step, plan
from data_platform.targets import grants, provision
from data_platform.targets.local import ports, target
from data_platform.targets.local.state import State
from data_platform.targets.local.target import LocalTarget

if TYPE_CHECKING:
    from tests.conftest import Tiny


Wanted = Callable[[LocalTarget, str], Sequence[Resource]]


class PretendedSupervisor:
    """Does on `start` what supervisor and launch.py do together: note what was started, and with which digest."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.programs: dict[str, str] = {}
        self.started: list[str] = []

    def is_up(self) -> bool:
        return True

    def states(self) -> dict[str, str]:
        return dict(self.programs)

    def start(self, program: str) -> None:
        section = (self.state.run / "programs" / f"{program}.conf").read_text(encoding="utf-8")
        (command,) = (line.removeprefix("command=") for line in section.splitlines() if line.startswith("command="))
        launch = json.loads(Path(shlex.split(command.replace("%%", "%"))[-1]).read_text(encoding="utf-8"))
        record = {"pid": 1, "start": "then", "digest": launch["digest"]}
        Path(launch["record"]).write_text(json.dumps(record), encoding="utf-8")
        self.programs[program] = "RUNNING"
        self.started.append(program)

    def forget(self, program: str) -> None:
        self.programs.pop(program, None)


class Servers:
    """Databases, buckets and grants that were asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[Seen] = []
        self.revoked: list[str] = []
        monkeypatch.setattr(provision, "observe", self._observe(provision.wanted))
        monkeypatch.setattr(provision, "create_database", self._create("database", provision.wanted))
        monkeypatch.setattr(provision, "create_bucket", self._create("bucket", provision.wanted))
        monkeypatch.setattr(grants, "observe", self._observe(grants.wanted))
        monkeypatch.setattr(grants, "make", self._create("grant", grants.wanted))
        monkeypatch.setattr(grants, "revoke", lambda _place, _component, name: self.revoked.append(name))

    def _observe(self, wanted: Wanted) -> object:
        def observe(place: LocalTarget, component: str) -> list[Seen]:
            mine = {(r.kind, r.name) for r in wanted(place, component)}
            return [seen for seen in self.made if (seen.kind, seen.name) in mine]

        return observe

    def _create(self, kind: str, wanted: Wanted) -> object:
        def create(place: LocalTarget, component: str, name: str) -> None:
            self.made += [
                Seen(kind=r.kind, name=name, digest=r.digest)
                for r in wanted(place, component)
                if (r.kind, r.name) == (kind, name)
            ]

        return create


def steps(place: LocalTarget, component: str = "reader") -> list[Step]:
    return plan(place.wanted(component), place.observe(component))


def short(found: list[Step]) -> list[str]:
    return [f"{step.verb} {step.kind} {step.name}" for step in found]


def deploy(place: LocalTarget, component: str = "reader") -> None:
    found = steps(place, component)
    place.fetch(component, found)
    place.apply(component, [step for step in found if step.kind != "artifact"])
    place.wait(component)


def again(place: LocalTarget) -> LocalTarget:
    """The same platform, read anew, as the next command or task does."""
    return LocalTarget(load_stack(place.stack.root), place.state)


@pytest.fixture
def free_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every port is free: the room has no sockets to try them."""
    monkeypatch.setattr(ports, "is_free", lambda port: port > 0)


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Servers:
    """No database, no object store, nobody who was let in."""
    return Servers(monkeypatch)


@pytest.fixture
def supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PretendedSupervisor:
    """A supervisor that answers at once."""
    state = State(tmp_path / "state")
    pretended = PretendedSupervisor(state)
    monkeypatch.setattr(target, "Supervisor", lambda _: pretended)
    state.socket.parent.mkdir(parents=True)
    state.socket.touch()
    return pretended


@pytest.fixture
def place(tiny: Tiny, supervisor: PretendedSupervisor, servers: Servers, free_ports: None) -> LocalTarget:
    """The target of the small stack."""
    del servers, free_ports
    return LocalTarget(load_stack(tiny.root), supervisor.state)
