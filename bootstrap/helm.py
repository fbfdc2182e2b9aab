"""Which helm is used: the user's own where it can do what is asked of it, or the one that is built here."""

from __future__ import annotations

import re
import shutil
import sys
from functools import cache
from typing import NamedTuple

from data_platform.clients.commands import run_to_end
from data_platform.targets.local.cache import cache_folder

#: Server-side apply and waiting for hooks alone came with 4.0 (`--server-side`, `--wait=hookOnly`). Whether a later
#: major version has both is not known.
_MAJOR = 4
_SECONDS = 20.0
_VERSION = re.compile(r"v(\d+)\.(\d+)\.\d+\S*")


class Found(NamedTuple):
    """A program called helm: its path, and why it will not do; empty when it will."""

    path: str
    problem: str


def on_the_path() -> Found | None:
    """The helm that is found on the PATH; None where there is none."""
    path = shutil.which("helm")
    if path is None:
        return None
    try:
        code, said = run_to_end([path, "version", "--template", "{{.Version}}"], _SECONDS)
    except OSError as error:
        return Found(path, f"cannot be run ({error.strerror})")
    if code is None:
        return Found(path, f"does not tell its version within {_SECONDS:.0f} s")
    version = _VERSION.fullmatch(said.strip().rpartition("\n")[2])
    if code != 0 or version is None:
        return Found(path, "does not tell a version of Helm: it is broken, or another program of that name")
    return Found(path, _judge(version[0], int(version[1])))


def _judge(version: str, major: int) -> str:
    if major < _MAJOR:
        return f"is {version}, which is too old: {_MAJOR}.0 is the oldest that will do"
    return f"is {version}, and the platform knows version {_MAJOR} alone" if major > _MAJOR else ""


@cache
def helm_program() -> str:
    """Path of helm: the user's own, or the one that is built with the test cluster's programs.

    Says so where the user's own will not do: he may wonder which one acts.

    Raises:
        PlatformError: it cannot be built.
    """
    own = on_the_path()
    if own and not own.problem:
        return own.path
    from bootstrap.cluster import tools

    if own:
        print(f"Note: {own.path} {own.problem}. The platform uses a helm of its own.", file=sys.stderr)
    return str(tools(cache_folder())["helm"])
