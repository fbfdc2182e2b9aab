"""A page answers as expected, and on request: nobody but this machine can reach it."""

from __future__ import annotations

import ipaddress
import socket

from pydantic import Field

from data_platform.checks.base import Address, CheckFailed, Deadline, KindParams, Platform
from data_platform.clients import connect

#: Seconds for a connection that should be refused at once; one that a firewall swallows takes them all.
_REFUSAL_SECONDS = 2.0
#: Ends the names of Services of Kubernetes. A server there listens for other pods; NetworkPolicies guard it.
_CLUSTER = ".svc.cluster.local"


class Params(KindParams):
    """Arguments of the kind."""

    component: str = Field(description="Component (or capability) with the endpoint; by default the check's own.")
    endpoint: str = Field("http", description="One of its endpoints.")
    path: str = Field("/", pattern="^/", description="Path and query of the page.")
    status: int = Field(200, ge=100, le=599, description="HTTP status that it must answer with.")
    contains: str = Field("", description="Text that the page must contain.")
    loopback_only: bool = Field(
        False,
        description="Whether no other address of this machine may take a connection (inside a cluster: not tried).",
    )


def other_addresses() -> list[str]:
    """Addresses of this machine that others can reach, without loopback and IPv6 link-local ones."""
    import psutil

    found = [
        ipaddress.ip_address(address.address)
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        # A link-local IPv6 address says nothing without its interface ("fe80::1%eth0").
        if address.family in (socket.AF_INET, socket.AF_INET6) and "%" not in address.address
    ]
    return sorted(str(address) for address in found if not address.is_loopback)


def check(params: Params, platform: Platform, deadline: Deadline) -> str:
    """Open the page, without following redirects, and compare status and text."""
    address = platform.address(params.component, params.endpoint)
    with connect.http(platform, deadline.remaining, params.component, params.endpoint) as client:
        answer = client.get(params.path)
    url = address.url.rstrip("/") + params.path
    if answer.status_code != params.status:
        raise CheckFailed(f"{url} answers {answer.status_code}, not {params.status}: {answer.text[:200]!r}")
    if params.contains not in answer.text:
        raise CheckFailed(f"{url} answers without {params.contains!r}: {answer.text[:200]!r}")
    evidence = f"{url} answers {answer.status_code}, {len(answer.content)} bytes"
    if params.contains:
        evidence += f" with {params.contains!r}"
    return f"{evidence}; {_refused_elsewhere(address)}" if params.loopback_only else evidence


def _refused_elsewhere(address: Address) -> str:
    """Evidence that only loopback addresses take connections; CheckFailed when another one does."""
    if address.host.endswith(_CLUSTER):
        return "a name inside the cluster; NetworkPolicies say who else may come"
    if address.host != "localhost" and not ipaddress.ip_address(address.host).is_loopback:
        raise CheckFailed(f"it listens on {address.host}, which is no loopback address")
    others = other_addresses()
    if not others:
        return "not tried elsewhere: this machine has no other address"
    if taken := [other for other in others if takes_connections(other, address.port)]:
        raise CheckFailed(f"port {address.port} takes connections on {', '.join(taken)}, not on loopback alone")
    return f"no connection on {', '.join(others)}"


def takes_connections(host: str, port: int) -> bool:
    """Whether something listens on an address; an answer that is not HTTP counts too."""
    import httpx

    from data_platform.clients import http

    place = f"[{host}]" if ":" in host else host
    try:
        with http.client(seconds=_REFUSAL_SECONDS) as client:
            client.get(f"http://{place}:{port}/")
    except (httpx.ConnectError, httpx.ConnectTimeout):
        return False
    except httpx.HTTPError:
        return True
    return True
