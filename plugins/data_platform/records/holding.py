"""Work under a lease: it is taken before the work begins, and renewed as long as the work goes on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from data_platform.records import writes
from data_platform.records.leases import EXPIRY, RENEWAL
from data_platform.stack.errors import PlatformError

if TYPE_CHECKING:
    from data_platform.targets.base import Target

_LOG = logging.getLogger(__name__)


@contextmanager
def holding(
    target: Target, holder: str, purpose: str, *, dead: str = "", seconds: float = RENEWAL.total_seconds()
) -> Iterator[None]:
    """Hold the platform's lease within the block. It is not released: who has more to do goes on holding it.

    Args:
        target: whose database.
        holder: who.
        purpose: what for.
        dead: see `writes.acquire`.
        seconds: between two renewals.

    Raises:
        HeldError: it is somebody else's.
        PlatformError: it was lost meanwhile, and what was done may not have been done alone.
    """
    writes.acquire(target, holder, purpose, dead=dead)
    renewals = _Renewals(target, holder, seconds)
    renewals.start()
    try:
        yield
    finally:
        renewals.over.set()
    if renewals.lost:
        raise PlatformError(
            f"{holder} lost the lease while it worked: it was not heard of for {EXPIRY.total_seconds():.0f} s,"
            " and somebody else took it",
            "see that the platform is as it should be: python3 -m bootstrap check",
        )


class _Renewals(threading.Thread):
    """Renews a lease until the work is over.

    Attributes:
        over: set when it is.
        lost: whether somebody else had it when it was to be renewed.
    """

    def __init__(self, target: Target, holder: str, seconds: float) -> None:
        super().__init__(name=f"lease of {holder}", daemon=True)
        self._target, self._holder, self._seconds = target, holder, seconds
        self.over = threading.Event()
        self.lost = False

    def run(self) -> None:
        """Renew from time to time; a database that is away for a moment is asked again."""
        while not self.over.wait(self._seconds):
            try:
                mine = writes.renew(self._target, self._holder)
            except Exception as error:  # noqa: BLE001 - the work may be what restarts the database
                _LOG.warning("the lease of %s could not be renewed: %s", self._holder, error)
                continue
            # Whoever ended the work released it, perhaps.
            if not mine and not self.over.is_set():
                self.lost = True
                return
