"""A Debian system as a tar file, by mmdebstrap, from the package sources that this machine uses itself."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from data_platform.clients.commands import run
from data_platform.stack.errors import PlatformError

_REMEDY = "look at the network and at apt's sources (apt-get update), then run it again"
_SECONDS = 1800.0
_QUERY_SECONDS = 60.0
#: In images nobody reads manuals.
_WITHOUT = ("/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*", "/usr/share/doc/*")


def release() -> str:
    """Codename of this machine's Debian, such as bookworm.

    Raises:
        PlatformError: this machine is no Debian.
    """
    import platform

    try:
        found = platform.freedesktop_os_release()
    except OSError:
        found = {}
    name = found.get("VERSION_CODENAME", "")
    if not name or shutil.which("apt-get") is None:
        raise PlatformError(
            f"images are made of Debian packages, and this machine is {found.get('PRETTY_NAME', 'something else')}",
            "build them on Debian, or in the container of docker-compose.yml",
        )
    return name


def sources(name: str) -> list[Path]:
    """Files of apt that say where the packages of a release come from: a company's mirror, where one is set.

    Raises:
        PlatformError: none does.
    """
    lines = _ask("apt-get", "indextargets", "--format", "$(RELEASE) $(SOURCESENTRY)", "Created-By: Packages")
    found: dict[Path, None] = {}
    for line in lines:
        suite, _, place = line.partition(" ")
        if suite == name or suite.startswith(f"{name}-"):
            found[Path(place.rpartition(":")[0])] = None
    if not found:
        raise PlatformError(f"apt has no source of {name}", "add one to /etc/apt/sources.list.d/")
    return list(found)


def make_system(name: str, packages: Sequence[str], epoch: int, output: Path) -> None:
    """Write a system of the essential packages and some more, as a tar file. Needs no root where user namespaces work.

    Args:
        name: release.
        packages: besides the essential ones.
        epoch: nothing in it is younger, in seconds since 1970.
        output: file to write.

    Raises:
        PlatformError: mmdebstrap is missing, or a package is not to be had.
    """
    settings = _ask("apt-config", "dump", "--format", '%F "%v";%n', "Acquire::http", "Acquire::https")
    run(
        [
            "mmdebstrap",
            "--variant=essential",
            f"--include={','.join(packages)}",
            "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
            "--format=tar",
            # Proxies and certificates of this machine's apt; its sources are given below.
            *(f"--aptopt={line}" for line in settings if '""' not in line),
            *(f"--dpkgopt=path-exclude={pattern}" for pattern in _WITHOUT),
            "--dpkgopt=path-include=/usr/share/doc/*/copyright",
            name,
            str(output),
            *(str(path) for path in sources(name)),
        ],
        doing="mmdebstrap",
        remedy=_REMEDY,
        seconds=_SECONDS,
        environment={**os.environ, "SOURCE_DATE_EPOCH": str(epoch)},
    )


def _ask(*command: str) -> list[str]:
    answer = run(command, doing=command[0], remedy=_REMEDY, seconds=_QUERY_SECONDS)
    return [line for line in answer.splitlines() if line.strip()]
