"""Where the per-user cache lies. Standard library only: the bootstrap asks before it has made the environment."""

from __future__ import annotations

import os
from pathlib import Path

#: Another cache folder than the user's own.
CACHE_VARIABLE = "DATA_PLATFORM_CACHE"


def cache_folder() -> Path:
    """The per-user cache that checkouts and state folders share.

    Raises:
        RuntimeError: the user has no home, and no folder was named (`has_place`).
    """
    if (given := os.environ.get(CACHE_VARIABLE, "")).strip():
        return Path(given).absolute()
    # One that is not absolute means nothing (XDG Base Directory Specification).
    named = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(named) if named.startswith("/") else Path.home() / ".cache") / "data-platform"


def has_place() -> bool:
    """Whether there is a folder that can be the user's own."""
    try:
        return bool(cache_folder())
    except RuntimeError:
        return False
