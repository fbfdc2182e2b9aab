"""The landing folders on this machine: a file appears there in one step, whole."""

from __future__ import annotations

import shutil
from pathlib import Path

from data_platform.stack.errors import PlatformError


def made(folder: Path) -> Path:
    """The folder, which is made when missing."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def place(file: Path, folder: Path) -> Path:
    """Copy a file under a name that flows leave alone, then give it its own.

    Args:
        file: what to copy.
        folder: where; made when missing.

    Raises:
        PlatformError: a file of that name waits there; replacing it would lose it.
    """
    final = made(folder) / file.name
    if final.exists():
        raise PlatformError(
            f"{final} waits there already and has not been taken by the flow",
            "try again when it is gone, or rename the file; python3 -m bootstrap check nifi says whether NiFi runs",
        )
    draft = folder / f".{file.name}.part"
    shutil.copyfile(file, draft)
    return draft.replace(final)


def waiting(folder: Path) -> list[str]:
    """Names of the files in a landing folder that a flow is to take, sorted.

    Drafts are left out: hidden files and names ending in .part, which flows leave alone.
    """
    if not folder.is_dir():
        return []
    files = [path.name for path in folder.iterdir() if path.is_file()]
    return sorted(name for name in files if not name.startswith(".") and not name.endswith(".part"))
