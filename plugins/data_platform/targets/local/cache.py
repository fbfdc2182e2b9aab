"""Where the per-user cache lies. Standard library only: the bootstrap asks before it has made the environment."""

from __future__ import annotations

import os
from pathlib import Path

#: Another cache folder than the user's own.
CACHE_VARIABLE = "DATA_PLATFORM_CACHE"


def cache_folder() -> Path:
    """The per-user cache that checkouts and state folders share."""
    if (given := os.environ.get(CACHE_VARIABLE, "")).strip():
        return Path(given).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "data-platform"
