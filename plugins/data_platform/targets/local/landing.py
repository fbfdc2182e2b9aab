"""The landing folders on this machine: a file appears there in one step, whole."""

from __future__ import annotations

import shutil
from pathlib import Path
from uuid import uuid4

from data_platform.stack.errors import PlatformError


def made(folder: Path) -> Path:
    """The folder, which is made when missing."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def place(file: Path, folder: Path) -> Path:
    """Copy a file under a name that flows leave alone and no other copy has, then give it its own.

    Args:
        file: what to copy.
        folder: where; made when missing.

    Raises:
        PlatformError: a file of that name waits there; replacing it would lose it.
    """
    final = made(folder) / file.name
    waits = PlatformError(
        f"{final} waits there already and has not been taken by the flow",
        "try again when it is gone, or rename the file; python3 -m bootstrap check nifi says whether NiFi runs",
    )
    if final.exists():
        raise waits
    draft = folder / f".{uuid4().hex}.part"
    try:
        shutil.copyfile(file, draft)
        # Not renamed: that would replace a file which has come since.
        final.hardlink_to(draft)
    except FileExistsError:
        raise waits from None
    finally:
        draft.unlink(missing_ok=True)
    return final


def waiting(folder: Path) -> list[str]:
    """Names of the files in a landing folder that a flow is to take, sorted.

    Drafts are left out: hidden files and names ending in .part, which flows leave alone.
    """
    if not folder.is_dir():
        return []
    files = [path.name for path in folder.iterdir() if path.is_file()]
    return sorted(name for name in files if not name.startswith(".") and not name.endswith(".part"))
