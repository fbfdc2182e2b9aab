"""Sessions with ZooKeeper."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from data_platform.clients.cleanup import removed_after

if TYPE_CHECKING:
    from kazoo.client import KazooClient

#: Seconds without a word after which a member ends a session and removes what lives as long as it.
_SESSION_SECONDS = 10.0


@contextmanager
def session(host: str, port: int, seconds: float) -> Iterator[KazooClient]:
    """A session with whichever member answers at an address; it ends with the block.

    Args:
        host: of one member, or of the Service of all.
        port: for clients.
        seconds: until it must have begun.

    Raises:
        kazoo.handlers.threading.KazooTimeoutError: nobody answers in time, or no member has a leader.
    """
    from kazoo.client import KazooClient

    client = KazooClient(hosts=f"{host}:{port}", timeout=_SESSION_SECONDS)

    def end() -> None:
        client.stop()
        client.close()

    with removed_after(end, f"a session with {host}:{port}"):
        client.start(timeout=seconds)
        yield client
