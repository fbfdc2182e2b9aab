"""The addresses of a cluster are its own."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from bootstrap.cluster import network
from data_platform.stack.errors import PlatformError


def test_the_same_cluster_gets_the_same_addresses() -> None:
    assert network.choose("000000000000", []) == ("10.90.0.1", "10.90.0.2")
    assert network.choose("000000000001", []) == ("10.90.0.5", "10.90.0.6")
    assert network.choose("ffffffffffff", []) == ("10.90.255.253", "10.90.255.254")


@pytest.mark.parametrize("taken", ["10.90.0.0/30", "10.90.0.2/32", "10.90.0.0/31"])
def test_taken_addresses_are_passed_over(taken: str) -> None:
    assert network.choose("0", [IPv4Network(taken)]) == ("10.90.0.5", "10.90.0.6")


def test_the_search_goes_round() -> None:
    assert network.choose("3fff", [IPv4Network("10.90.255.252/30")]) == ("10.90.0.1", "10.90.0.2")


def test_a_route_to_a_whole_company_does_not_count() -> None:
    assert network.choose("0", [IPv4Network("10.0.0.0/8")]) == ("10.90.0.1", "10.90.0.2")


def test_nothing_free_is_an_error() -> None:
    with pytest.raises(PlatformError, match="no four addresses"):
        network.choose("0", [IPv4Network("10.90.0.0/16")])


#: As in /proc/net/route on a little-endian machine: a default route, and one to 192.0.2.0/24.
TABLE = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
"""


def test_routes_are_read_from_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.byteorder", "little")
    assert network.routes(TABLE) == [IPv4Network("192.0.2.0/24")]


def test_a_link_is_there_or_not() -> None:
    assert network.is_there("lo")
    assert not network.is_there("dp0123456789ab")
