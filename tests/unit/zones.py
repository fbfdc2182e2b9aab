"""The zone in which a command is run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def shell_in(zone: str, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Within the block this process is in a zone, as if it was begun from a shell with TZ.

    Args:
        zone: IANA name.
        patch: sets the variable.
    """
    with patch.context() as changed:
        changed.setenv("TZ", zone)
        time.tzset()
        yield
    time.tzset()
