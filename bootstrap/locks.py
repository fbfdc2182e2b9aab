"""One verb at a time on a state folder."""

from __future__ import annotations

from filelock import FileLock, Timeout

from data_platform.stack.errors import PlatformError
from data_platform.targets.local.state import State


def alone(state: State) -> FileLock:
    """The lock of the verbs that change a platform; a context manager, which is entered already.

    Raises:
        PlatformError: another one works on this state folder.
    """
    lock = state.lock("up")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise PlatformError(
            f"another `up`, `down` or `rotate` works on {state.folder}", "wait until it has ended, then run it again"
        ) from None
    return lock
