"""The supervisor of a state folder is found without its help, and what others could have made is not trusted."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootstrap import supervision
from bootstrap.up import down
from data_platform.clients.supervisor import Supervisor, key_of
from data_platform.stack.errors import PlatformError
from data_platform.targets.local.launch import start_of
from data_platform.targets.local.mark import claim
from data_platform.targets.local.state import State, write_private


@pytest.fixture
def state(tmp_path: Path) -> State:
    found = State(tmp_path / "state")
    found.run.mkdir(parents=True)
    return found


@pytest.fixture
def daemon(state: State) -> Iterator[int]:
    """A process with the arguments of this folder's supervisor, and its pid file."""
    words = [
        sys.executable,
        "-c",
        "import time; print('up', flush=True); time.sleep(600)",
        str(state.run / "supervisord.conf"),
    ]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:  # noqa: TID251 - what is tested ends it
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        (state.run / "supervisord.pid").write_text(f"{process.pid}\n")
        yield process.pid
        process.kill()


def test_a_supervisor_is_known_by_its_arguments_and_ended_without_a_socket(state: State, daemon: int) -> None:
    assert supervision._daemon(state) == daemon
    assert not state.socket.exists()
    supervision.stop(state)
    assert supervision._daemon(state) == 0


def test_a_number_that_belongs_to_somebody_else_by_now_is_no_supervisor(state: State) -> None:
    for text in (str(os.getpid()), "4194305", "none"):
        (state.run / "supervisord.pid").write_text(text)
        assert supervision._daemon(state) == 0


def test_a_socket_folder_that_others_can_enter_is_refused(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    supervision._refuse_others_folder(closed)
    (tmp_path / "link").symlink_to(closed)
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    for other in ("link", "open"):
        with pytest.raises(PlatformError, match=f"{other} is not a folder that only you"):
            supervision._refuse_others_folder(tmp_path / other)


def marked(state: State) -> None:
    """As `up` leaves it."""
    (state.run / "supervisord.conf").write_text(f"[supervisord]\npidfile={state.run}/supervisord.pid\n")
    claim(state)


def words_of(state: State, **more: object) -> argparse.Namespace:
    return argparse.Namespace(**{"state": state.folder, "purge": False, "target": None, "adopt": False, **more})


@pytest.mark.enable_socket
def test_a_supervisor_answers_to_who_can_read_its_password_alone(state: State) -> None:
    supervision.ensure(state)
    try:
        key = key_of(state.socket)
        assert key.stat().st_mode & 0o777 == 0o600
        assert Supervisor(state.socket).is_up()
        pid, password = Supervisor(state.socket).pid(), key.read_text()
        supervision.ensure(state)
        assert (Supervisor(state.socket).pid(), key.read_text()) == (pid, password)
        for wrong in (lambda: key.write_text("wrong"), key.unlink):
            wrong()
            assert not Supervisor(state.socket).is_up()
            with pytest.raises(PlatformError, match="the supervisor refuses getPID: Unauthorized"):
                Supervisor(state.socket).pid()
    finally:
        supervision.stop(state)


def test_what_runs_is_stopped_though_its_settings_are_damaged(state: State, daemon: int) -> None:
    marked(state)
    state.settings_file.write_text("{")
    assert supervision._daemon(state) == daemon
    assert down(words_of(state, purge=True)) == 0
    assert not state.folder.exists()


def test_nothing_is_stopped_that_runs_elsewhere_than_was_said(state: State, daemon: int) -> None:
    state.settings_file.write_text('{"profile": "default"}')
    with pytest.raises(PlatformError, match="is of the target local, not kubernetes"):
        down(words_of(state, target="kubernetes"))
    assert supervision._daemon(state) == daemon
    assert down(words_of(state, target="local")) == 0
    assert supervision._daemon(state) == 0


def test_a_copy_stops_and_removes_nothing(state: State, daemon: int) -> None:
    marked(state)
    for copy in (State(state.folder.with_name("copy")), State(state.folder.with_name("linked"))):
        how = os.link if copy.folder.name == "linked" else shutil.copy2
        shutil.copytree(state.folder, copy.folder, copy_function=how)
        for more in ({}, {"purge": True}, {"purge": True, "adopt": True}, {"adopt": True}):
            with pytest.raises(PlatformError, match=f"was made as {state.folder}"):
                down(words_of(copy, **more))
        assert (copy.run / "supervisord.pid").exists()
    assert supervision._daemon(state) == daemon


def test_records_of_a_copy_are_nobodys_even_without_its_mark(state: State, tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as server:  # noqa: TID251 - it must live on
        try:
            copy = State(tmp_path / "copy")
            for folder, where in ((state, state), (copy, state)):
                record = where.run / "started" / "nessie.server.json"
                launch = {"record": str(record), "stop_signal": "KILL", "stop_seconds": 1}
                started = {"pid": server.pid, "start": start_of(server.pid), "record": str(record)}
                write_private(folder.run / "launch" / record.name, json.dumps(launch))
                write_private(folder.run / "started" / record.name, json.dumps(started))
            supervision.stop(copy)
            assert server.poll() is None
            supervision.stop(state)
            assert server.wait(timeout=60) == -signal.SIGKILL
        finally:
            server.kill()


def test_a_purge_asks_for_a_mark_and_nothing_is_stopped_before(state: State, daemon: int) -> None:
    state.settings_file.write_text('{"target": "local", "profile": "default"}')
    with pytest.raises(PlatformError, match="bears no mark") as caught:
        down(words_of(state, purge=True))
    assert "--adopt" in caught.value.remedy
    assert supervision._daemon(state) == daemon
    assert down(words_of(state, purge=True, adopt=True)) == 0
    assert not state.folder.exists()


def test_on_a_cluster_nothing_is_removed_without_a_mark(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any platform's namespaces would do."""
    monkeypatch.setattr("bootstrap.on_cluster.open_target", lambda *_: pytest.fail("it was opened"))
    settings = {"target": "kubernetes", "profile": "default", "context": "lab"}
    state.settings_file.write_text(json.dumps(settings))
    for purge in (False, True):
        with pytest.raises(PlatformError, match="bears no mark") as caught:
            down(words_of(state, purge=purge))
        assert "run `up`" in caught.value.remedy


def test_a_purge_says_what_it_leaves(state: State, capsys: pytest.CaptureFixture[str]) -> None:
    marked(state)
    (state.folder / "letter.txt").write_text("mine")
    state.landing("fx_rates").mkdir(parents=True)
    (state.landing("fx_rates") / "waits.csv").write_text("mine")
    (state.landing("fx_rates") / os.fsdecode(b"\xe9.csv")).write_text("mine")
    assert down(words_of(state, purge=True)) == 0
    shown = capsys.readouterr().out
    assert f"  {state.landing('fx_rates')}/\\xe9.csv\n" in shown
    for path in (state.folder / "letter.txt", state.landing("fx_rates") / "waits.csv"):
        assert f"  {path}\n" in shown
        assert path.read_text() == "mine"
    assert not state.mark_file.exists()
    # What is left is no platform any more.
    with pytest.raises(PlatformError, match=r"there is no platform in .* it holds landing, letter\.txt"):
        down(words_of(state, purge=True))


@pytest.mark.parametrize("content", [{"settings.json": "{}"}, {"settings.json": "{", "run/x": ""}, {"a.txt": ""}])
def test_a_folder_that_no_platform_made_is_not_removed(state: State, content: dict[str, str]) -> None:
    state.run.rmdir()
    for name, text in content.items():
        (state.folder / name).parent.mkdir(exist_ok=True)
        (state.folder / name).write_text(text)
    for more in ({}, {"purge": True}, {"purge": True, "adopt": True}):
        with pytest.raises(PlatformError, match="there is no platform in"):
            down(words_of(state, **more))
    assert {str(p.relative_to(state.folder)) for p in state.folder.rglob("*") if p.is_file()} == set(content)


def test_a_supervisor_that_answers_and_is_not_ours_is_left_alone(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the path is too long for a socket in it, a folder that was moved away may still answer."""
    state.socket.touch()
    asked: list[str] = []

    class Answering:
        def __init__(self, _: Path) -> None:
            pass

        def is_up(self) -> bool:
            return True

        def pid(self) -> int:
            return os.getpid()

        def shutdown(self) -> None:
            asked.append("shutdown")

    monkeypatch.setattr(supervision, "Supervisor", Answering)
    with pytest.raises(PlatformError, match=f"pid {os.getpid()}\\) is not of {state.folder}"):
        supervision.ensure(state, lambda _: asked.append("start"))
    assert asked == []
