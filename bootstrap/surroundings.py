"""What of the caller's shell a command lives with: its variables, limits and mask. Standard library only.

It speaks to the platform's own servers and starts them, so what a person has set for another Python, another database
or another Airflow is not meant for it. What package clients are told stays (data_platform.clients.registries).
"""

from __future__ import annotations

import os
import pwd
import re
import resource
import sys
from collections.abc import Mapping
from pathlib import Path

from data_platform.clients import registries
from data_platform.targets.local.cache import CACHE_VARIABLE, has_place

#: Of Python's own variables those that change nothing but how it tells.
_KEPT_OF_PYTHON = frozenset({"PYTHONUNBUFFERED", "PYTHONFAULTHANDLER", "PYTHONIOENCODING", "PYTHONDONTWRITEBYTECODE"})
#: Settings of clients and libraries that speak to our servers, and of another Airflow.
_OF_OTHERS = re.compile(r"PG[A-Z]+|AIRFLOW_.*|(?:OPENLINEAGE|DATAHUB|DBT|SPARK|PYSPARK|HADOOP)_.*")
#: As many open files as anybody here needs, where the limit allows it.
_OPEN_FILES = 65536


def begin(root: Path) -> None:
    """Live with nothing of the caller that would change what is done; start anew where Python itself was changed.

    Exits with 2 where no folder can be the user's own.

    Args:
        root: the checkout.
    """
    ours = told(os.environ, root)
    if any(name.startswith("PYTHON") for name in os.environ.keys() - ours.keys()):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], ours)  # noqa: S606 - no shell wanted
    for name in os.environ.keys() - ours.keys():
        del os.environ[name]
    os.environ.update(ours)
    if not has_place():
        sys.stderr.write(
            f"error: there is no place for the cache: HOME is not set, and the user {os.geteuid()} has no entry in "
            f"/etc/passwd\n  → set HOME, or {CACHE_VARIABLE}, to a folder that is yours\n"
        )
        sys.exit(2)
    # What we make we must be able to read.
    os.umask(os.umask(0o077) & 0o077)
    _raise_limits()


def told(environment: Mapping[str, str], root: Path) -> dict[str, str]:
    """The variables that a command lives with.

    Args:
        environment: of the caller.
        root: the checkout.
    """
    own_path = f"{root}:{root / 'plugins'}"
    found = {
        name: value
        for name, value in environment.items()
        if (not name.startswith("PYTHON") or name in _KEPT_OF_PYTHON or (name, value) in _ours(own_path))
        and not _OF_OTHERS.fullmatch(name)
    }
    if not found.get("HOME"):
        try:
            found["HOME"] = pwd.getpwuid(os.geteuid()).pw_dir
        except KeyError:
            found.pop("HOME", None)
    return registries.without_proxies(found)


def _ours(path: str) -> tuple[tuple[str, str], ...]:
    return ("PYTHONPATH", path), ("PYTHONUTF8", "1")


def of_platform(root: Path, cache: Path) -> dict[str, str]:
    """Variables of a command that runs in the platform's environment.

    Args:
        root: the checkout.
        cache: the per-user cache; what this command starts has no other one.
    """
    return {**dict(_ours(f"{root}:{root / 'plugins'}")), CACHE_VARIABLE: str(cache)}


def _raise_limits() -> None:
    """Have what the hard limits allow: servers inherit it. What they do not allow, the preflight says."""
    for kind in (resource.RLIMIT_FSIZE, resource.RLIMIT_AS, resource.RLIMIT_DATA, resource.RLIMIT_NPROC):
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (hard, hard))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
