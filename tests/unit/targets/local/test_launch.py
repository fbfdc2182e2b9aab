"""A process becomes what its launch file says, after it has ended what an earlier incarnation left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tenacity import retry, stop_after_delay, wait_fixed

from data_platform.targets.local import launch
from data_platform.targets.local.launch import end_earlier, start_of

#: A server with a child; both name themselves in a file. A stubborn one ignores TERM, and so does its child.
_FAMILY = """
import os, signal, subprocess, sys, time
if sys.argv[2] == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
with open(sys.argv[1] + ".part", "w") as stream:
    stream.write(f"{os.getpid()} {child.pid}")
os.rename(sys.argv[1] + ".part", sys.argv[1])
time.sleep(600)
"""


class Family:
    """A process group: a server and its child."""

    def __init__(self, folder: Path, manner: str = "gentle") -> None:
        self.file = folder / "family"
        # It lives on while the test looks at it: the supervisor's part is played here.
        command = [sys.executable, "-c", _FAMILY, str(self.file), manner]
        self.process = subprocess.Popen(command, start_new_session=True)  # noqa: TID251
        self.parent, self.child = self._names()

    @retry(stop=stop_after_delay(60), wait=wait_fixed(0.02), reraise=True)
    def _names(self) -> tuple[int, int]:
        parent, child = self.file.read_text().split()
        return int(parent), int(child)

    @property
    def record(self) -> dict[str, Any]:
        return {"pid": self.parent, "start": start_of(self.parent), "digest": "a1"}

    def reap(self) -> None:
        """As its supervisor would: the parent is no zombie then."""
        self.process.wait(timeout=60)

    def kill(self) -> None:
        try:
            os.killpg(self.parent, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.process.wait(timeout=60)


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    made = Family(tmp_path)
    yield made
    made.kill()


def is_there(pid: int) -> bool:
    return start_of(pid) != ""


@retry(stop=stop_after_delay(60), wait=wait_fixed(0.02), reraise=True)
def assert_gone(pid: int) -> None:
    assert not is_there(pid)


def test_a_process_is_known_by_its_start() -> None:
    mine = start_of(os.getpid())
    assert mine.count("/") == 1
    assert start_of(os.getpid()) == mine
    assert start_of(1) != mine


def test_a_number_without_a_process_has_no_start() -> None:
    assert start_of(2**22 + 1) == ""


def test_a_process_that_has_ended_but_was_not_reaped_counts_as_gone(family: Family) -> None:
    os.kill(family.parent, signal.SIGKILL)
    assert_gone(family.parent)
    assert Path(f"/proc/{family.parent}").exists()


def test_an_earlier_server_and_its_child_are_ended(family: Family) -> None:
    assert end_earlier(family.record, signal.SIGTERM, 10)
    assert_gone(family.parent)
    assert_gone(family.child)


def test_a_child_that_outlived_its_killed_server_is_ended(family: Family) -> None:
    record = family.record
    os.kill(family.parent, signal.SIGKILL)
    family.reap()
    assert is_there(family.child)
    assert end_earlier(record, signal.SIGTERM, 10)
    assert_gone(family.child)


def test_a_server_that_ignores_its_stop_signal_is_killed_after_its_time(tmp_path: Path) -> None:
    family = Family(tmp_path, "stubborn")
    try:
        started = time.monotonic()
        assert end_earlier(family.record, signal.SIGTERM, 0.3)
        assert time.monotonic() - started >= 0.3
        assert_gone(family.parent)
        assert_gone(family.child)
    finally:
        family.kill()


def test_a_process_that_has_got_the_number_since_is_left_alone(family: Family) -> None:
    stranger = {**family.record, "start": "another-boot/12345"}
    assert not end_earlier(stranger, signal.SIGKILL, 1)
    assert is_there(family.parent)
    assert is_there(family.child)


def test_a_record_of_a_process_that_is_gone_is_no_work(family: Family) -> None:
    record = family.record
    family.kill()
    assert_gone(family.child)
    assert not end_earlier(record, signal.SIGTERM, 1)


def test_children_of_another_start_of_the_machine_are_strangers(family: Family) -> None:
    record = family.record
    os.kill(family.parent, signal.SIGKILL)
    family.reap()
    assert not end_earlier({**record, "start": "another-boot/12345"}, signal.SIGKILL, 1)
    assert is_there(family.child)


def test_a_group_that_has_got_the_number_since_is_left_alone(family: Family) -> None:
    """Its own leader has ended: what tells it from ours is its session."""
    record = {**family.record, "session": os.getsid(0)}
    assert os.getsid(family.child) != record["session"]
    os.kill(family.parent, signal.SIGKILL)
    family.reap()
    assert not end_earlier(record, signal.SIGKILL, 1)
    assert is_there(family.child)
    assert end_earlier({**record, "session": os.getsid(family.child)}, signal.SIGKILL, 10)
    assert_gone(family.child)


def test_a_process_does_not_end_itself() -> None:
    assert not end_earlier({"pid": os.getpid(), "start": start_of(os.getpid())}, signal.SIGKILL, 1)


def launch_file(tmp_path: Path, **changes: Any) -> Path:
    data = tmp_path / "data"
    data.mkdir(exist_ok=True)
    program = "import json, os; print(json.dumps([dict(os.environ), os.getcwd(), os.getpid(), os.umask(0)]))"
    content = {
        "command": [sys.executable, "-I", "-c", program],
        "environment": {"TOKEN": "secret-value", "PATH": os.environ["PATH"]},
        "directory": str(data),
        "digest": "a1",
        "record": str(tmp_path / "started.json"),
        "stop_signal": "TERM",
        "stop_seconds": 10,
        **changes,
    }
    path = tmp_path / "launch.json"
    path.write_text(json.dumps(content))
    return path


def start(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", str(Path(launch.__file__)), str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "FROM_THE_CALLER": "x"},
    )


def test_it_becomes_the_program_with_exactly_its_environment_and_folder(tmp_path: Path) -> None:
    done = start(launch_file(tmp_path))
    assert done.returncode == 0, done.stderr
    environment, folder, pid, umask = json.loads(done.stdout)
    assert environment.pop("LC_CTYPE", "C.UTF-8") == "C.UTF-8"  # Python's own
    assert environment == {"TOKEN": "secret-value", "PATH": os.environ["PATH"]}
    assert folder == str(tmp_path / "data")
    assert umask == 0o077
    record = json.loads((tmp_path / "started.json").read_text())
    assert record["pid"] == pid
    assert record["digest"] == "a1"
    assert "/" in record["start"]


def test_it_ends_what_the_record_names_first(tmp_path: Path, family: Family) -> None:
    path = launch_file(tmp_path)
    (tmp_path / "started.json").write_text(json.dumps(family.record))
    done = start(path)
    assert done.returncode == 0, done.stderr
    assert_gone(family.parent)
    assert_gone(family.child)


def test_a_record_that_came_from_another_place_ends_nothing(tmp_path: Path, family: Family) -> None:
    path = launch_file(tmp_path)
    (tmp_path / "started.json").write_text(json.dumps({**family.record, "record": "/of/the/original.json"}))
    assert start(path).returncode == 0
    assert is_there(family.parent)
    assert json.loads((tmp_path / "started.json").read_text())["record"] == str(tmp_path / "started.json")


def test_a_launch_file_that_was_copied_starts_nothing_and_ends_nothing(tmp_path: Path, family: Family) -> None:
    original, copy = tmp_path / "original" / "launch", tmp_path / "copy" / "launch"
    for folder in (original, copy):
        folder.mkdir(parents=True)
    path = launch_file(original)
    (original / "started.json").write_text(json.dumps(family.record))
    done = start(path.rename(copy / path.name))
    assert done.returncode != 0
    assert f"was written for {tmp_path / 'original'}" in done.stderr
    assert is_there(family.parent)


@pytest.mark.parametrize("content", ["", '{"pid": 1'])
def test_a_damaged_record_does_not_keep_a_server_from_starting(tmp_path: Path, content: str) -> None:
    path = launch_file(tmp_path)
    (tmp_path / "started.json").write_text(content)
    assert start(path).returncode == 0
    assert json.loads((tmp_path / "started.json").read_text())["digest"] == "a1"


def test_a_program_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    done = start(launch_file(tmp_path, command=[str(tmp_path / "none")]))
    assert done.returncode != 0
    assert "No such file" in done.stderr
    assert "secret-value" not in done.stderr


def foreign(tmp_path: Path, number: object, age: float = 0.0) -> Path:
    """A server's record of its process, written some seconds ago."""
    file = tmp_path / "postmaster.pid"
    file.write_text(f"{number}\n/data\n1700000000\n")
    then = time.time() - age
    os.utime(file, (then, then))
    return file


def name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def test_a_record_that_names_somebody_elses_process_is_removed(tmp_path: Path, family: Family) -> None:
    file = foreign(tmp_path, family.parent)
    assert launch.forget_foreign(file, "postgres")
    assert not file.exists()


def test_a_record_of_a_process_of_that_name_is_believed_unless_that_began_later(tmp_path: Path, family: Family) -> None:
    name = name_of(family.parent)
    file = foreign(tmp_path, family.parent)
    assert not launch.forget_foreign(file, name)
    assert file.exists()
    # Another server of the same kind, which was given the number of the one that lost its power.
    file = foreign(tmp_path, family.parent, age=3600)
    assert launch.forget_foreign(file, name)
    assert not file.exists()


@pytest.mark.parametrize("number", [2**22 + 1, "damaged", ""])
def test_what_the_server_sees_itself_is_left_to_it(tmp_path: Path, number: object) -> None:
    file = foreign(tmp_path, number)
    assert not launch.forget_foreign(file, "postgres")
    assert file.exists()
    assert not launch.forget_foreign(tmp_path / "none", "postgres")


def test_a_start_looks_at_the_record(tmp_path: Path, family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    file = foreign(tmp_path, family.parent)
    for folder in ("launch", "started"):
        (tmp_path / "run" / folder).mkdir(parents=True)
    path = tmp_path / "run" / "launch" / "a.server.json"
    record = tmp_path / "run" / "started" / "a.server.json"
    content = {
        "command": ["true"],
        "environment": {},
        "directory": str(tmp_path),
        "digest": "a1",
        "record": str(record),
    }
    path.write_text(json.dumps({**content, "stop_signal": "INT", "stop_seconds": 1}))
    monkeypatch.setattr(os, "execvpe", lambda *_: None)
    monkeypatch.setattr(os, "umask", lambda _: 0)
    monkeypatch.chdir(tmp_path)
    launch.main(path)
    assert file.exists()
    path.write_text(
        json.dumps(
            {**content, "stop_signal": "INT", "stop_seconds": 1, "pid_file": str(file), "program": "/bin/postgres"}
        )
    )
    record.unlink()
    launch.main(path)
    assert not file.exists()
