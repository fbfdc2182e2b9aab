"""The link between this machine and the node: two addresses that nobody else here uses."""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from data_platform.clients.commands import run
from data_platform.stack.errors import PlatformError

_REMEDY = "run as root on a machine with iproute2"
#: Every cluster gets four addresses of these.
_NETWORK = ipaddress.IPv4Network("10.90.0.0/16")
PREFIX = 30
_SECONDS = 20.0
#: A route to so much (a company's whole 10.0.0.0/8) is no sign that somebody uses our four addresses.
_WIDE = 12


class Link(NamedTuple):
    """Both ends of the link."""

    node: str
    machine: str


def choose(cluster: str, taken: Iterable[ipaddress.IPv4Network]) -> Link:
    """Addresses of a cluster: those that its id stands for, or the next free ones.

    Args:
        cluster: its id, hexadecimal.
        taken: networks that this machine has routes to.

    Raises:
        PlatformError: all are taken.
    """
    used = [network for network in taken if network.prefixlen >= _WIDE]
    count = 1 << (PREFIX - _NETWORK.prefixlen)
    first = int(cluster, 16) % count
    for offset in range(count):
        start = int(_NETWORK.network_address) + ((first + offset) % count) * (1 << (32 - PREFIX))
        candidate = ipaddress.IPv4Network((start, PREFIX))
        if not any(candidate.overlaps(network) for network in used):
            return Link(str(candidate[1]), str(candidate[2]))
    raise PlatformError(f"no four addresses of {_NETWORK} are free on this machine", "free some: ip route")


def routes(table: str | None = None) -> list[ipaddress.IPv4Network]:
    """Networks that this machine has routes to, the default route left out.

    Args:
        table: the kernel's table; read when None.
    """
    text = table if table is not None else Path("/proc/self/net/route").read_text(encoding="ascii")
    rows = [line.split() for line in text.splitlines()[1:]]
    found = [ipaddress.IPv4Network((_address(row[1]), str(_address(row[7])))) for row in rows]
    return [network for network in found if network.prefixlen]


def _address(text: str) -> ipaddress.IPv4Address:
    """An address as the kernel prints it: hexadecimal, in the order of bytes of this machine."""
    return ipaddress.IPv4Address(int(text, 16).to_bytes(4, sys.byteorder))


def is_there(link: str) -> bool:
    """Whether this machine has a link of that name."""
    return link in [name for _, name in socket.if_nameindex()]


def join(link: str, address: str) -> None:
    """Give this machine's end of the link its address. Nothing is routed through it but the other end."""
    _ip("address", "replace", f"{address}/{PREFIX}", "dev", link)
    _ip("link", "set", link, "up")


def remove(link: str) -> None:
    """Remove a link, if it is there: the namespace that has its other end may have outlived its servers."""
    if is_there(link):
        _ip("link", "delete", link)


def _ip(*words: str) -> None:
    run(["ip", *words], doing=f"ip {' '.join(words)}", remedy=_REMEDY, seconds=_SECONDS)
