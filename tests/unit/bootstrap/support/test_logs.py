"""The ends of all logs of a state folder, and of no other folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bootstrap.support import logs
from bootstrap.support.archive import Entry
from data_platform.stack.errors import PlatformError
from data_platform.targets.local.mark import claim
from data_platform.targets.local.state import State


@pytest.fixture
def state(tmp_path: Path) -> State:
    found = State(tmp_path / "state")
    claim(found)
    found.logs.mkdir()
    return found


def put(path: Path, text: str, at: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (at, at))


def test_logs_of_servers_tasks_and_a_test_cluster_are_taken_and_nothing_else(state: State, tmp_path: Path) -> None:
    put(state.logs / "trino.server.log", "now\n")
    put(state.logs / "trino.server.log.1", "before\n")
    put(state.logs / "airflow" / "dag_id=x" / "attempt=1.log", "a task\n")
    put(state.cluster / "logs" / "kubelet.log", "a node\n")
    put(state.data("minio") / "a.log", "data\n")
    put(state.landing("fx_rates") / "rates.log", "data\n")
    put(tmp_path / "elsewhere.log", "of somebody\n")
    (state.logs / "link.log").symlink_to(tmp_path / "elsewhere.log")
    assert {entry.name: entry.content for entry in logs.on_machine(state)} == {
        "logs/trino.server.log": "now\n",
        "logs/trino.server.log.1": "before\n",
        "logs/airflow/dag_id=x/attempt=1.log": "a task\n",
        "logs/test-cluster/kubelet.log": "a node\n",
    }


def test_of_tasks_the_newest_are_taken_and_of_long_logs_the_end(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "NEWEST", 2)
    monkeypatch.setattr(logs, "SERVERS", 10)
    put(state.logs / "trino.server.log", "the beginning\nthe end\n")
    for number in range(4):
        put(state.logs / "airflow" / f"{number}.log", f"{number}\n", at=number)
    assert [(entry.name, entry.content, entry.left_out) for entry in logs.on_machine(state)] == [
        ("logs/trino.server.log", "the end\n", 14),
        ("logs/airflow/3.log", "3\n", 0),
        ("logs/airflow/2.log", "2\n", 0),
        ("logs/older.txt", "airflow/1.log\nairflow/0.log", 0),
    ]


def _until_it_raises(state: State) -> list[Entry]:
    found: list[Entry] = []
    try:
        # What it has given before it raises is kept.
        found.extend(logs.on_machine(state))
    except PlatformError:
        return found
    pytest.fail("it did not raise")


def test_a_folder_that_is_no_platform_is_not_looked_into(tmp_path: Path) -> None:
    put(tmp_path / "logs" / "a.log", "of somebody\n")
    with pytest.raises(PlatformError, match="is no state folder of a platform"):
        list(logs.on_machine(State(tmp_path)))
    with pytest.raises(PlatformError, match="there is no platform in"):
        list(logs.on_machine(State(tmp_path / "none")))


def test_a_log_that_may_not_be_read_is_named_and_the_others_are_taken(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(state.logs / "a.log", "a\n")
    put(state.logs / "b.log", "b\n")
    whole = logs.tail

    def closed(path: Path, size: int) -> object:
        if path.name == "a.log":
            raise PermissionError(13, "Permission denied")
        return whole(path, size)

    monkeypatch.setattr(logs, "tail", closed)
    assert [entry.name for entry in _until_it_raises(state)] == ["logs/b.log"]
    with pytest.raises(PlatformError, match=r"a\.log: Permission denied"):
        list(logs.on_machine(state))
