"""What is written for supervisor means what was meant."""

from __future__ import annotations

import configparser
import errno
import socket
import time
import xmlrpc.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from supervisor.xmlrpc import Faults

from data_platform.clients.supervisor import Supervisor, program_section
from data_platform.stack.errors import PlatformError


def test_a_section_can_be_read_back() -> None:
    text = program_section("trino.server", "python launch.py /100%/x.json", {"autostart": "true", "startretries": 20})
    parser = configparser.ConfigParser()
    parser.read_string(text)
    assert dict(parser["program:trino.server"]) == {
        "command": "python launch.py /100%/x.json",
        "autostart": "true",
        "startretries": "20",
    }


class Proxy:
    """Stands for `supervisor.<method>`: notes the calls and answers from a table."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.supervisor = self
        self.answers = answers
        self.calls: list[tuple[Any, ...]] = []

    def __getattr__(self, method: str) -> Any:
        def call(*arguments: object) -> Any:
            self.calls.append((method, *arguments))
            answer = self.answers.get(method)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


def client(**answers: Any) -> tuple[Supervisor, Proxy]:
    found = Supervisor(Path("/run/none.sock"))
    proxy = Proxy(answers)
    found._proxy = proxy  # type: ignore[assignment]
    return found, proxy


KNOWN = [{"name": "trino.server", "statename": "RUNNING", "pid": 7}, {"name": "x", "statename": "STOPPED", "pid": 0}]


def test_states_and_pids_are_by_program() -> None:
    supervisor, _ = client(getAllProcessInfo=KNOWN)
    assert supervisor.states() == {"trino.server": "RUNNING", "x": "STOPPED"}
    assert supervisor.pids() == {"trino.server": 7}


def test_a_known_program_is_taken_out_before_its_new_definition_starts() -> None:
    supervisor, proxy = client(getAllProcessInfo=KNOWN)
    supervisor.start("trino.server")
    assert proxy.calls == [
        ("reloadConfig",),
        ("getAllProcessInfo",),
        ("stopProcess", "trino.server", True),
        ("removeProcessGroup", "trino.server"),
        ("addProcessGroup", "trino.server"),
        ("startProcess", "trino.server", False),
    ]


def test_a_new_program_is_only_added_and_started_even_if_it_starts_by_itself() -> None:
    started = xmlrpc.client.Fault(Faults.ALREADY_STARTED, "ALREADY_STARTED")
    supervisor, proxy = client(getAllProcessInfo=[], startProcess=started)
    supervisor.start("trino.server")
    assert [call[0] for call in proxy.calls] == ["reloadConfig", "getAllProcessInfo", "addProcessGroup", "startProcess"]


def test_another_fault_is_an_error_that_names_the_program() -> None:
    supervisor, _ = client(getAllProcessInfo=[], startProcess=xmlrpc.client.Fault(Faults.SPAWN_ERROR, "SPAWN_ERROR"))
    with pytest.raises(PlatformError, match=r"startProcess trino\.server: SPAWN_ERROR"):
        supervisor.start("trino.server")


def test_forgetting_what_is_not_known_is_no_work() -> None:
    supervisor, proxy = client(getAllProcessInfo=[])
    supervisor.forget("trino.server")
    assert proxy.calls == [("getAllProcessInfo",)]


def test_a_supervisor_that_does_not_answer_is_not_up() -> None:
    supervisor, _ = client(getState=OSError(errno.ECONNREFUSED, "refused"), getPID=OSError(errno.ENOENT, "none"))
    assert not supervisor.is_up()
    with pytest.raises(PlatformError, match=r"does not answer on /run/none\.sock") as caught:
        supervisor.pid()
    assert caught.value.remedy == "run: python3 -m bootstrap up"
    up, _ = client(getState={"statecode": 1}, getPID=7)
    assert up.is_up()
    assert up.pid() == 7


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[Path]:
    """The socket of a supervisor that hangs: connections are taken, and nothing is answered."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        yield path


@pytest.mark.enable_socket
def test_a_supervisor_that_hangs_is_told_of_after_the_deadline(silent: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(PlatformError, match=r"the supervisor on .* did not answer getAllProcessInfo within 0 s"):
        Supervisor(silent, seconds=0.3).states()
    assert time.monotonic() - begun < 30
    assert not Supervisor(silent, seconds=0.3).is_up()


def test_who_waits_for_the_end_of_a_program_waits_longer_than_a_call() -> None:
    supervisor, _ = client()
    waited: list[float] = []
    supervisor._log_in = lambda: waited.append(supervisor._deadline)  # type: ignore[method-assign]
    supervisor.stop("trino.server")
    supervisor.shutdown()
    assert waited[0] > 10 * waited[1] >= 100
