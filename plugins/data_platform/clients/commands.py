"""Run a command to its end, with a deadline and without secrets in what it prints."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from data_platform.stack.errors import PlatformError

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

    Raises:
        PlatformError: it cannot be started, fails, or takes too long; with its last lines.
    """
    try:
        done = subprocess.run(
            list(command),
            cwd=folder,
            env=dict(environment) if environment is not None else dict(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
            text=True,
            errors="replace",
        )
    except FileNotFoundError as error:
        raise PlatformError(f"{doing}: {error.filename} is not there", remedy) from None
    except subprocess.TimeoutExpired:
        raise PlatformError(f"{doing}: not done after {seconds:.0f} s", remedy) from None
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(done.stdout, encoding="utf-8")
    if done.returncode != 0:
        last = "\n".join(done.stdout.strip().splitlines()[-_SHOWN:])
        raise PlatformError(f"{doing}: {command[0]} ended with {done.returncode}\n{last}", remedy)
    return done.stdout
