"""The `local` target over the small stack, with a supervisor and servers that are only pretended."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from data_platform.stack.claim import CONFIGURATION, Claim, Claimed, Place
from data_platform.stack.kinds import KINDS
from data_platform.stack.load import load_stack
from data_platform.stack.plan import Seen, Step, plan
from data_platform.targets.local import ports, target
from data_platform.targets.local.state import State
from data_platform.targets.local.target import LocalTarget

if TYPE_CHECKING:
    from tests.conftest import Tiny


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
    """What servers were asked to make for those who claimed it.

    Attributes:
        made: what is there.
        revoked: names of what was removed.
        up: whether they answer.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[Seen] = []
        self.revoked: list[str] = []
        self.up = True
        for kind in KINDS.values():
            if set(kind.ways) != {CONFIGURATION}:
                monkeypatch.setattr(kind, "observe", self.observe)
                monkeypatch.setattr(kind, "make", self.make)
            if kind.remove.__func__ is not Claim.remove.__func__:  # type: ignore[attr-defined]
                monkeypatch.setattr(kind, "remove", lambda _place, _provider, name: self.revoked.append(name))

    def observe(self, _place: Place, _provider: str, claimed: Sequence[Claimed]) -> list[Seen]:
        names = [each.resource for each in claimed]
        if not self.up:
            return [Seen(kind="claim", name=name, healthy=False, note="it does not answer") for name in names]
        return [seen for seen in self.made if seen.name in names]

    def make(self, _place: Place, _provider: str, claimed: Claimed) -> None:
        self.made = [seen for seen in self.made if seen.name != claimed.resource]
        self.made.append(Seen(kind="claim", name=claimed.resource, digest=claimed.digest))


def steps(place: LocalTarget, component: str = "reader") -> list[Step]:
    return plan(place.wanted(component), place.observe(component))


def short(found: list[Step]) -> list[str]:
    return [str(step).partition(":")[0] for step in found]


def deploy(place: LocalTarget, component: str = "reader") -> None:
    """A component after all that it depends on: they make what it has claimed."""
    for name in place.stack.only((component,)):
        found = steps(place, name)
        place.fetch(name, found)
        place.apply(name, [step for step in found if step.kind != "artifact"])
        place.wait(name)


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
