"""The check `zookeeper_node`, against a ZooKeeper of one dictionary."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from kazoo.exceptions import NoNodeError

from data_platform.checks.base import Address, CheckFailed, Deadline, ToolResult
from data_platform.checks.zookeeper_node import Params, check
from data_platform.clients import zookeeper


class Place:
    """A platform with one address."""

    def address(self, component: str, endpoint: str) -> Address:
        assert (component, endpoint) == ("zookeeper", "client")
        return Address("zookeeper.example", 2181, "tcp://zookeeper.example:2181")

    def credentials(self, component: str) -> dict[str, str]:
        raise AssertionError(component)

    def run_tool(self, component: str, tool: str, arguments: object, seconds: float) -> ToolResult:
        raise AssertionError((component, tool, arguments, seconds))


class FakeZooKeeper:
    """Nodes by path with content and session; `broken` names what it does wrong."""

    def __init__(self) -> None:
        self.there: dict[str, tuple[bytes, int]] = {}
        self.sessions = 0
        self.broken = ""

    @contextmanager
    def session(self, host: str, port: int, seconds: float) -> Iterator[FakeSession]:
        assert (host, port) == ("zookeeper.example", 2181)
        assert seconds > 0
        self.sessions += 1
        number = self.sessions
        yield FakeSession(self, number)
        if self.broken != "keeps":
            self.there = {path: node for path, node in self.there.items() if node[1] != number}


class FakeSession:
    """A session; what it has not synced it does not see."""

    def __init__(self, server: FakeZooKeeper, number: int) -> None:
        self.server, self.client_id = server, (number, b"")
        self.seen: dict[str, tuple[bytes, int]] = {}

    def create(self, path: str, value: bytes, *, ephemeral: bool) -> None:
        assert ephemeral
        self.server.there[path] = (b"other" if self.server.broken == "content" else value, self.client_id[0])

    def sync(self, path: str) -> None:
        assert path.startswith("/check-")
        self.seen = {} if self.server.broken == "behind" else dict(self.server.there)

    def get(self, path: str) -> tuple[bytes, SimpleNamespace]:
        if path not in self.seen:
            raise NoNodeError
        content, owner = self.seen[path]
        return content, SimpleNamespace(ephemeralOwner=owner, czxid=7)

    def exists(self, path: str) -> bool:
        return path in self.seen


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeZooKeeper:
    fake = FakeZooKeeper()
    monkeypatch.setattr(zookeeper, "session", fake.session)
    return fake


def run() -> str:
    return check(Params.model_validate({"component": "zookeeper"}), Place(), Deadline(5))


def test_a_node_that_comes_and_goes_with_its_session_passes(server: FakeZooKeeper) -> None:
    assert run().endswith("read by another session, gone with its own; ZooKeeper is at 0x7")
    assert server.sessions == 2
    assert server.there == {}


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("behind", "another session does not see it"),
        ("content", "not as it was made: b'other', of session 0x2"),
        ("keeps", "still there after the end of its session"),
    ],
)
def test_what_one_could_not_elect_by_fails(server: FakeZooKeeper, broken: str, message: str) -> None:
    server.broken = broken
    with pytest.raises(CheckFailed, match=message):
        run()
