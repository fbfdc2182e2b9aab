"""The check `flow_file`, against a NiFi that keeps its groups in a list."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

import pytest

from data_platform.checks.base import Address, CheckFailed, Deadline, ToolResult
from data_platform.checks.flow_file import SCRATCH, Params, check
from data_platform.clients import nifi as client
from data_platform.clients.nifi import FlowFile, Group, NiFiError


class Place:
    """A platform with one address."""

    def address(self, component: str, endpoint: str) -> Address:
        assert (component, endpoint) == ("nifi", "http")
        return Address("127.0.0.1", 1, "http://127.0.0.1:1")

    def credentials(self, component: str) -> dict[str, str]:
        raise AssertionError(component)

    def run_tool(self, component: str, tool: str, arguments: object, seconds: float) -> ToolResult:
        raise AssertionError((component, tool, arguments, seconds))


class FakeNiFi:
    """What the check uses of the client. `flow_files` is how many of them one run makes."""

    def __init__(self) -> None:
        self.there: list[Group] = []
        self.text = ""
        self.flow_files = 1
        self.looks_until_queued = 0
        self.fails_at = ""
        self.ran: list[tuple[str, str]] = []
        self.states: dict[str, str] = {}

    def __call__(self, url: str, seconds: float) -> Self:
        assert url == "http://127.0.0.1:1"
        assert seconds > 0
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def nodes(self) -> dict[str, str]:
        return self.states

    def groups(self) -> list[Group]:
        return list(self.there)

    def create_group(self, name: str) -> Group:
        self.there.append(Group(f"id of {name}", name))
        return self.there[-1]

    def delete_group(self, group: str) -> None:
        (found,) = [g for g in self.there if g.id == group]
        self.there.remove(found)

    def create_processor(self, group: str, kind: str, properties: dict[str, str] | None = None, **_: str) -> str:
        if self.fails_at == "create_processor":
            raise NiFiError("no such processor")
        assert group == self.there[-1].id
        self.text += (properties or {}).get("generate-ff-custom-text", "")
        return kind.rpartition(".")[2]

    def connect(self, group: str, source: str, relationship: str, destination: str) -> str:
        assert group == self.there[-1].id
        return f"{source} {relationship} {destination}"

    def run(self, processor: str, state: str) -> None:
        self.ran.append((processor, state))

    def queued(self, connection: str) -> list[FlowFile]:
        assert connection == "GenerateFlowFile success ReplaceText"
        self.looks_until_queued -= 1
        nodes = list(self.states) or [None]
        made = [FlowFile(str(n), nodes[n % len(nodes)]) for n in range(self.flow_files)]
        return [] if self.looks_until_queued >= 0 else made

    def content(self, connection: str, flow_file: FlowFile) -> bytes:
        assert connection == "GenerateFlowFile success ReplaceText"
        assert flow_file.id in map(str, range(self.flow_files))
        return self.text.encode()


@pytest.fixture
def nifi(monkeypatch: pytest.MonkeyPatch) -> FakeNiFi:
    fake = FakeNiFi()
    monkeypatch.setattr(client, "NiFi", fake)
    return fake


def run() -> str:
    return check(Params.model_validate({"component": "nifi"}), Place(), Deadline(1))


def test_one_flow_file_with_the_token_passes_and_leaves_nothing(nifi: FakeNiFi) -> None:
    nifi.looks_until_queued = 2
    evidence = run()
    assert evidence == f"one flow file with {nifi.text[:8]}… made, queued and read back, group removed"
    assert nifi.ran == [("GenerateFlowFile", "RUN_ONCE")]
    assert nifi.there == []


def test_other_content_fails(nifi: FakeNiFi) -> None:
    nifi.text = "somebody else's "
    with pytest.raises(CheckFailed, match="somebody else's"):
        run()
    assert nifi.there == []


def test_two_flow_files_fail(nifi: FakeNiFi) -> None:
    nifi.flow_files = 2
    with pytest.raises(CheckFailed, match="wanted one flow file"):
        run()


def test_every_node_of_a_cluster_makes_one(nifi: FakeNiFi) -> None:
    nifi.states = {"nifi-0": "CONNECTED", "nifi-1": "CONNECTED"}
    nifi.flow_files = 2
    assert "… made on each of 2 nodes, queued" in run()


def test_a_cluster_in_which_one_node_makes_none_fails(nifi: FakeNiFi) -> None:
    nifi.states = {"nifi-0": "CONNECTED", "nifi-1": "CONNECTED"}
    with pytest.raises(CheckFailed, match="stays empty on 1 of 2"):
        check(Params.model_validate({"component": "nifi"}), Place(), Deadline(0.2))
    assert nifi.there == []


def test_a_node_that_is_away_fails_and_is_named(nifi: FakeNiFi) -> None:
    nifi.states = {"nifi-0": "CONNECTED", "nifi-1": "DISCONNECTED"}
    with pytest.raises(CheckFailed, match="nifi-1 is DISCONNECTED"):
        run()
    assert nifi.there == []


def test_a_queue_that_stays_empty_fails_at_the_deadline(nifi: FakeNiFi) -> None:
    nifi.looks_until_queued = 1_000_000
    with pytest.raises(CheckFailed, match="stays empty"):
        check(Params.model_validate({"component": "nifi"}), Place(), Deadline(0.2))
    assert nifi.there == []


def test_the_group_is_removed_when_something_else_goes_wrong(nifi: FakeNiFi) -> None:
    nifi.fails_at = "create_processor"
    with pytest.raises(NiFiError, match="no such processor"):
        run()
    assert nifi.there == []


def test_only_old_groups_of_this_check_are_removed(nifi: FakeNiFi) -> None:
    now = int(time.time())
    left = Group("1", f"{SCRATCH}{now - 3600}-aa")
    kept = [
        Group("2", f"{SCRATCH}{now - 5}-bb"),
        Group("3", "fx_rates"),
        Group("4", f"{SCRATCH}by-hand"),
        Group("5", "1-of-mine"),
    ]
    nifi.there = [left, *kept]
    assert run().endswith("removed 1 group(s) of earlier runs")
    assert nifi.there == kept
