"""Run a command to its end, with a deadline and without secrets in what it prints."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from data_platform.stack.errors import PlatformError

#: Linux's PR_SET_PDEATHSIG, by util-linux; without it a killed caller leaves the command to end by itself.
_SETPRIV = shutil.which("setpriv")
_DIES_WITH_US = (_SETPRIV, "--pdeathsig", "KILL", "--") if _SETPRIV else ()
#: Lines of output that an error shows.
_SHOWN = 25


def run(
    command: Sequence[str],
    *,
    doing: str,
    remedy: str,
    seconds: float,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
    program: str = "",
    reads: Path | None = None,
) -> str:
    """Run a command and return its output (stdout and stderr).

    Args:
        command: program and arguments; no secrets.
        doing: what it is for, as the beginning of the error message.
        remedy: what to do when it fails.
        seconds: deadline; the command is killed then.
        folder: working folder.
        environment: its whole environment; the caller's when None.
        log: file to which the output is also written.
        program: what to call it in errors, where the first word is another program that becomes it.
        reads: file that is its standard input; nothing when None.

    Raises:
        PlatformError: it cannot be started, fails, or takes too long; with its last lines.
    """
    try:
        returncode, output = run_to_end(command, seconds, folder, environment, reads)
    except FileNotFoundError as error:
        raise PlatformError(f"{doing}: {error.filename} is not there", remedy) from None
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(output, encoding="utf-8")
    if returncode != 0:
        last = "\n".join(output.strip().splitlines()[-_SHOWN:])
        what = (
            f"not done after {seconds:.0f} s"
            if returncode is None
            else f"{program or command[0]} ended with {returncode}"
        )
        raise PlatformError(f"{doing}: {what}\n{last}".rstrip(), remedy)
    return output


def run_to_end(
    command: Sequence[str],
    seconds: float,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    reads: Path | None = None,
) -> tuple[int | None, str]:
    """Run a command and return its exit code and output (stdout and stderr); None as code when it took too long.

    It has a process group of its own: what it started ends with it, when it takes too long and when we are interrupted.
    It also ends when we are killed: the task of a killed scheduler is tried again, and must not meet its first try.

    Args:
        command: program and arguments; no secrets.
        seconds: deadline; everything is killed then.
        folder: working folder.
        environment: its whole environment; the caller's when None.
        reads: file that is its standard input; nothing when None.

    Raises:
        FileNotFoundError: there is no such program, no such folder, or no such file to read.
    """
    own = dict(environment) if environment is not None else dict(os.environ)
    # Asked here, because setpriv would only say so in its output.
    if os.sep not in command[0] and shutil.which(command[0], path=own.get("PATH", os.defpath)) is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), command[0])
    with (
        (reads or Path(os.devnull)).open("rb") as given,
        subprocess.Popen(  # noqa: TID251 - subprocess.run kills the program alone, and then waits for its children
            [*_DIES_WITH_US, *command],
            cwd=folder,
            env=own,
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as process,
    ):
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            _kill_group(process.pid)
            return None, process.communicate()[0]
        except BaseException:
            _kill_group(process.pid)
            raise
    return process.returncode, output


def _kill_group(leader: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)
