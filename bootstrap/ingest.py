"""`ingest`: put files where a dataset's flow takes them."""

from __future__ import annotations

import argparse
import os
import stat
from pathlib import Path

from bootstrap.arguments import ROOT
from bootstrap.place import open_target
from data_platform.datasets.landing import landing_of
from data_platform.datasets.landing.names import landing_name, shown
from data_platform.stack import stack
from data_platform.stack.errors import PlatformError


def datasets() -> list[str]:
    """Names of the datasets."""
    return list(stack.datasets(ROOT))


def ingest(arguments: argparse.Namespace) -> int:
    """Copy each file into the dataset's landing folder; it appears there in one step, whole.

    Raises:
        PlatformError: there is no such dataset, or a file cannot be read, or the flow takes none of its name.
    """
    if arguments.dataset not in datasets():
        known = ", ".join(datasets()) or "none yet"
        raise PlatformError(f"there is no dataset {arguments.dataset!r}", f"use one of: {known}")
    if unreadable := {path: why for path in arguments.files if (why := _unreadable(path))}:
        files, reasons = ", ".join(map(_told, unreadable)), "; ".join(dict.fromkeys(unreadable.values()))
        raise PlatformError(f"cannot be read: {files} ({reasons})", "give the paths of existing files")
    names = [landing_name(path) for path in arguments.files]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise PlatformError(
            f"two files are named {', '.join(twice)}; one would replace the other", "give them one by one"
        )
    landing = landing_of(open_target(arguments))
    for path, name in zip(arguments.files, names, strict=True):
        place = landing.place(arguments.dataset, path)
        renamed = "" if name == path.name else " (renamed: no blanks at its ends, accents in one form)"
        print(f"{_told(path)} → {place}{renamed}")
    return 0


def _told(path: Path) -> str:
    return shown(os.fsencode(path))


def _unreadable(path: Path) -> str:
    """Why a file cannot be read, in words; empty for one that can."""
    try:
        kind = path.stat().st_mode
    except OSError as error:
        return error.strerror or str(error)
    if stat.S_ISDIR(kind):
        return "a folder; name the files in it"
    if not stat.S_ISREG(kind):
        return "no file but a pipe, a socket or a device; write its content to a file first"
    return "" if os.access(path, os.R_OK) else "no permission"
