"""`ingest`: put files where a dataset's flow takes them."""

from __future__ import annotations

import argparse
import os

from bootstrap.arguments import ROOT
from bootstrap.place import open_target
from data_platform.datasets.landing import landing_of
from data_platform.stack import stack
from data_platform.stack.errors import PlatformError


def datasets() -> list[str]:
    """Names of the datasets."""
    return list(stack.datasets(ROOT))


def ingest(arguments: argparse.Namespace) -> int:
    """Copy each file into the dataset's landing folder; it appears there in one step, whole.

    Raises:
        PlatformError: there is no such dataset, or a file cannot be read.
    """
    if arguments.dataset not in datasets():
        known = ", ".join(datasets()) or "none yet"
        raise PlatformError(f"there is no dataset {arguments.dataset!r}", f"use one of: {known}")
    unreadable = [str(path) for path in arguments.files if not (path.is_file() and os.access(path, os.R_OK))]
    if unreadable:
        raise PlatformError(f"cannot be read: {', '.join(unreadable)}", "give the paths of existing files")
    names = [path.name for path in arguments.files]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise PlatformError(
            f"two files are named {', '.join(twice)}; one would replace the other", "give them one by one"
        )
    landing = landing_of(open_target(arguments))
    for path in arguments.files:
        print(f"{path} → {landing.place(arguments.dataset, path)}")
    return 0
