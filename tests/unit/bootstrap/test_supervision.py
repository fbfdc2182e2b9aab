"""The supervisor of a state folder is found without its help, and what others could have made is not trusted."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootstrap import supervision
from bootstrap.up import down
from data_platform.stack.errors import PlatformError
from data_platform.targets.local.state import State


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
        "import time; print('up', flush=True); time.sleep(60)",
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


def test_what_runs_is_stopped_though_its_settings_are_damaged(state: State, daemon: int) -> None:
    state.settings_file.write_text("{")
    assert supervision._daemon(state) == daemon
    assert down(argparse.Namespace(state=state.folder, purge=True, target=None)) == 0
    assert not state.folder.exists()


def test_nothing_is_stopped_that_runs_elsewhere_than_was_said(state: State, daemon: int) -> None:
    state.settings_file.write_text('{"profile": "default"}')
    with pytest.raises(PlatformError, match="is of the target local, not kubernetes"):
        down(argparse.Namespace(state=state.folder, purge=True, target="kubernetes"))
    assert supervision._daemon(state) == daemon
    assert down(argparse.Namespace(state=state.folder, purge=True, target="local")) == 0
