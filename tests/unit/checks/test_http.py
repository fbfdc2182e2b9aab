"""The check `http`, without a network."""

from __future__ import annotations

import socket
from collections.abc import Callable
from types import SimpleNamespace

import httpx
import psutil
import pytest

from data_platform.checks import http as kind
from data_platform.checks.base import Address, CheckFailed, Deadline, ToolResult
from data_platform.checks.http import Params, check
from data_platform.clients import http as client

OTHER = "192.0.2.7"


class Place:
    """A platform with one address."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host = host

    def address(self, component: str, endpoint: str) -> Address:
        assert (component, endpoint) == ("nifi", "http")
        return Address(self.host, 8480, f"http://{self.host}:8480")

    def credentials(self, component: str) -> dict[str, str]:
        raise AssertionError(component)

    def run_tool(self, component: str, tool: str, arguments: object, seconds: float) -> ToolResult:
        raise AssertionError((component, tool, arguments, seconds))


Serve = Callable[[Callable[[httpx.Request], httpx.Response]], None]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Give all requests to a function."""

    def use(answer: Callable[[httpx.Request], httpx.Response]) -> None:
        transport = httpx.MockTransport(answer)
        monkeypatch.setattr(client, "client", lambda url="", *_, **__: httpx.Client(base_url=url, transport=transport))

    return use


def loopback_server(request: httpx.Request) -> httpx.Response:
    """A server that listens on 127.0.0.1 alone."""
    if request.url.host != "127.0.0.1":
        raise httpx.ConnectError("refused")
    return httpx.Response(200, text="<title>NiFi</title>")


def open_server(_: httpx.Request) -> httpx.Response:
    """A server that listens on all addresses."""
    return httpx.Response(200, text="<title>NiFi</title>")


def run(host: str = "127.0.0.1", **params: object) -> str:
    return check(Params.model_validate({"component": "nifi", **params}), Place(host), Deadline(5))


def test_the_right_page_passes_with_its_size(serve: Serve) -> None:
    serve(loopback_server)
    assert run(path="/nifi/", contains="NiFi") == "http://127.0.0.1:8480/nifi/ answers 200, 19 bytes with 'NiFi'"


def test_another_status_fails_with_what_was_said(serve: Serve) -> None:
    serve(lambda _: httpx.Response(503, text="starting"))
    with pytest.raises(CheckFailed, match="answers 503, not 200: 'starting'"):
        run()


def test_a_wanted_refusal_passes(serve: Serve) -> None:
    serve(lambda _: httpx.Response(401))
    assert "answers 401" in run(status=401)


def test_an_answer_where_a_refusal_is_wanted_fails(serve: Serve) -> None:
    serve(lambda _: httpx.Response(200, text='{"dags": []}'))
    with pytest.raises(CheckFailed, match=r"answers 200, not 401: '\{\"dags\""):
        run(status=401)


def test_a_page_without_the_text_fails(serve: Serve) -> None:
    serve(loopback_server)
    with pytest.raises(CheckFailed, match="without 'Trino'"):
        run(contains="Trino")


@pytest.fixture
def addresses(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Addresses of this machine beside loopback."""
    found = [OTHER]
    monkeypatch.setattr(kind, "other_addresses", lambda: found)
    return found


@pytest.mark.usefixtures("addresses")
def test_a_server_on_loopback_alone_passes(serve: Serve) -> None:
    serve(loopback_server)
    assert run(loopback_only=True).endswith(f"no connection on {OTHER}")


@pytest.mark.usefixtures("addresses")
def test_a_server_on_another_address_fails(serve: Serve) -> None:
    serve(open_server)
    with pytest.raises(CheckFailed, match=f"takes connections on {OTHER}"):
        run(loopback_only=True)


@pytest.mark.usefixtures("addresses")
def test_a_server_that_speaks_something_else_on_another_address_fails(serve: Serve) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == OTHER:
            raise httpx.RemoteProtocolError("not HTTP")
        return loopback_server(request)

    serve(answer)
    with pytest.raises(CheckFailed, match="takes connections"):
        run(loopback_only=True)


@pytest.mark.usefixtures("addresses")
def test_a_server_that_is_addressed_elsewhere_fails(serve: Serve) -> None:
    serve(open_server)
    with pytest.raises(CheckFailed, match="no loopback address"):
        run(OTHER, loopback_only=True)


@pytest.mark.usefixtures("addresses")
def test_a_service_of_a_cluster_is_guarded_by_its_policies(serve: Serve) -> None:
    serve(open_server)
    assert run("nifi.data-platform-integration.svc.cluster.local", loopback_only=True).endswith("who else may come")


def test_a_machine_without_other_addresses_says_that_nothing_was_tried(serve: Serve, addresses: list[str]) -> None:
    addresses.clear()
    serve(loopback_server)
    assert "not tried elsewhere" in run(loopback_only=True)


def test_loopback_and_link_local_addresses_are_not_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def address(family: int, text: str) -> SimpleNamespace:
        return SimpleNamespace(family=family, address=text)

    interfaces = {
        "lo": [address(socket.AF_INET, "127.0.0.1"), address(socket.AF_INET6, "::1")],
        "eth0": [
            address(socket.AF_INET, OTHER),
            address(socket.AF_INET6, "fe80::1%eth0"),
            address(socket.AF_INET6, "2001:db8::7"),
            address(psutil.AF_LINK, "00:00:00:00:00:00"),
        ],
    }
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: interfaces)
    assert kind.other_addresses() == [OTHER, "2001:db8::7"]
