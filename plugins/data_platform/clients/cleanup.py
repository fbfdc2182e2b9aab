"""What is made for a moment is removed again, and its removal does not stand in the place of what happened before."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LOG = logging.getLogger(__name__)


@contextmanager
def removed_after(remove: Callable[[], object], what: str, *, required: bool = False) -> Iterator[None]:
    """Remove something when the block has ended, however it ends.

    An error of the block is what the caller sees, also where the removal fails too: a `finally` that raises would put
    its own error in that one's place.

    Args:
        remove: removes it.
        what: what is removed, as a line of the log names it when that fails.
        required: whether a removal that fails is an error where the block has none. Otherwise it is a line of the log,
            and the block's result stands.
    """
    try:
        yield
    except BaseException:
        _try(remove, what)
        raise
    if required:
        remove()
    else:
        _try(remove, what)


def _try(remove: Callable[[], object], what: str) -> None:
    try:
        remove()
    except Exception:  # noqa: BLE001 - whatever it is, the work is what is told of
        _LOG.warning("%s could not be removed", what, exc_info=True)
