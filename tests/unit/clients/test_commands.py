"""A command ends in time, and what it printed is there when it failed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from data_platform.checks.base import Deadline
from data_platform.clients.commands import run
from data_platform.stack.errors import PlatformError


def sh(script: str, seconds: float = 60, **options: object) -> str:
    return run(["sh", "-c", script], doing="building it", remedy="mend it", seconds=seconds, **options)  # type: ignore[arg-type]


def test_the_output_of_both_streams_is_returned() -> None:
    assert sh("echo one; echo two >&2") == "one\ntwo\n"


def test_a_command_reads_the_file_that_it_is_given_and_else_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("given")
    assert sh("cat", reads=tmp_path / "file") == "given"
    assert sh("cat") == ""
    with pytest.raises(PlatformError, match=r"building it: .*/no-such-file is not there"):
        sh("cat", reads=tmp_path / "no-such-file")


def test_a_failure_shows_the_last_lines_and_the_exit_code() -> None:
    with pytest.raises(PlatformError) as caught:
        sh("for i in $(seq 100); do echo line $i; done; exit 4")
    problem = caught.value.problem
    assert problem.startswith("building it: sh ended with 4\nline 76\n")
    assert problem.endswith("line 100")
    assert caught.value.remedy == "mend it"


def test_a_failure_does_not_show_the_arguments() -> None:
    with pytest.raises(PlatformError) as caught:
        run(["false", "--token=verysecret"], doing="asking", remedy="mend it", seconds=20)
    assert "verysecret" not in str(caught.value)


def test_a_command_that_is_not_there_is_named() -> None:
    with pytest.raises(PlatformError, match="building it: no-such-command is not there"):
        run(["no-such-command"], doing="building it", remedy="install it", seconds=20)


def test_a_command_that_takes_too_long_is_ended() -> None:
    with pytest.raises(PlatformError, match="building it: not done after 0 s"):
        sh("exec sleep 600", seconds=0.3)


def test_what_a_command_started_ends_with_it_and_its_output_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, begun = tmp_path / "job.log", tmp_path / "begun"

    class Begun(subprocess.Popen[str]):  # noqa: TID251 - as in the function that is tested
        """Its time counts from when it has begun, however long that took."""

        def communicate(self, input: str | None = None, timeout: float | None = None) -> tuple[str, str]:  # noqa: A002
            if timeout is not None:
                Deadline(60).retry(begun.stat, on=FileNotFoundError)
            return super().communicate(input, timeout)

    monkeypatch.setattr(subprocess, "Popen", Begun)
    with pytest.raises(PlatformError, match="not done after 0 s\nbegun"):
        # The child holds the pipe: who kills the shell alone waits for it, and for longer than a test may take.
        sh(f"echo begun; touch '{begun}'; sleep 600 & wait", seconds=0.5, log=log)
    assert log.read_text() == "begun\n"


def test_a_command_ends_when_its_caller_is_killed(tmp_path: Path) -> None:
    """As the Spark driver of a task whose scheduler was killed: the next try must not meet it."""
    note = tmp_path / "pid"
    call = f"r(['sh', '-c', 'echo $$ > {note}; exec sleep 600'], 600)"
    caller = subprocess.Popen(  # noqa: TID251 - it must be killed while it runs
        [sys.executable, "-c", f"from data_platform.clients.commands import run_to_end as r; {call}"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    Deadline(60).retry(lambda: int(note.read_text()), on=(FileNotFoundError, ValueError))
    called = psutil.Process(int(note.read_text()))
    caller.kill()
    caller.wait(60)
    psutil.wait_procs([called], timeout=60)
    assert not called.is_running() or called.status() == psutil.STATUS_ZOMBIE


def test_the_log_is_written_whether_it_succeeds_or_fails(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "job.log"
    sh("echo fine", log=log)
    assert log.read_text() == "fine\n"
    with pytest.raises(PlatformError):
        sh("echo bad; exit 1", log=log)
    assert log.read_text() == "bad\n"


def test_the_environment_is_exactly_what_is_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FROM_THE_CALLER", "x")
    assert sh('echo "${FROM_THE_CALLER-none} $ONE $(pwd)"', environment={"ONE": "1"}, folder=tmp_path) == (
        f"none 1 {tmp_path}\n"
    )
    assert sh('echo "${FROM_THE_CALLER-none}"') == "x\n"


def test_a_command_gets_no_input() -> None:
    assert sh("cat") == ""
