"""Toxiproxy is asked for what a fault is, and for the opposite when it is over, whatever happened meanwhile."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.toxics import FAULTS, Fault, Toxiproxy

BY_NAME = {fault.name: fault for fault in FAULTS}


class Server:
    """Stands in for toxiproxy: keeps what is wrong with its two ways."""

    def __init__(self) -> None:
        self.ways: dict[str, dict[str, Any]] = {
            name: {"enabled": True, "toxics": []} for name in ("reader-store", "reader-database")
        }
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(f"{request.method} {request.url.path}")
        match request.url.path.strip("/").split("/"):
            case ["proxies"]:
                return httpx.Response(200, json=self.ways)
            case ["reset"]:
                for way in self.ways.values():
                    way.update(enabled=True, toxics=[])
                return httpx.Response(204)
            case ["proxies", name] if name in self.ways:
                self.ways[name] |= json.loads(request.content)
            case ["proxies", name, "toxics"] if name in self.ways:
                self.ways[name]["toxics"].append(json.loads(request.content))
            case _:
                return httpx.Response(404, json={"error": "proxy not found", "status": 404})
        return httpx.Response(200, json={})


@pytest.fixture
def server() -> Server:
    return Server()


def session(server: Server) -> Toxiproxy:
    return Toxiproxy("http://toxiproxy.test", httpx.MockTransport(server))


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_a_fault_is_on_its_way_alone_and_goes(server: Server, fault: Fault) -> None:
    with session(server) as toxiproxy:
        with toxiproxy.broken("reader-store", fault):
            assert toxiproxy.ways() == {"reader-store": False, "reader-database": True}
        assert toxiproxy.ways() == {"reader-store": True, "reader-database": True}


def test_silence_is_of_one_direction_and_ends_no_connection(server: Server) -> None:
    for name, direction in (("no answer", "downstream"), ("no request", "upstream")):
        with session(server) as toxiproxy, toxiproxy.broken("reader-store", BY_NAME[name]):
            (toxic,) = server.ways["reader-store"]["toxics"]
            assert (toxic["type"], toxic["stream"], toxic["attributes"]) == ("timeout", direction, {"timeout": 0})


def test_toxics_of_both_directions_have_names_of_their_own(server: Server) -> None:
    with session(server) as toxiproxy, toxiproxy.broken("reader-store", BY_NAME["narrow"]):
        toxics = server.ways["reader-store"]["toxics"]
        assert {(toxic["name"], toxic["stream"]) for toxic in toxics} == {
            ("bandwidth_upstream", "upstream"),
            ("bandwidth_downstream", "downstream"),
        }


def test_refused_is_a_way_that_does_not_listen(server: Server) -> None:
    with session(server) as toxiproxy, toxiproxy.broken("reader-store", BY_NAME["refused"]):
        assert server.ways["reader-store"] == {"enabled": False, "toxics": []}


def test_a_fault_goes_when_what_was_done_meanwhile_has_failed(server: Server) -> None:
    with session(server) as toxiproxy:
        with pytest.raises(RuntimeError, match="of the operation"), toxiproxy.broken("reader-store", BY_NAME["reset"]):
            raise RuntimeError("of the operation")
        assert set(toxiproxy.ways().values()) == {True}


def test_a_second_fault_beside_the_first_is_refused(server: Server) -> None:
    with session(server) as toxiproxy, toxiproxy.broken("reader-store", BY_NAME["slow"]):
        with pytest.raises(AssertionError, match="reader-store"), toxiproxy.broken("reader-database", BY_NAME["slow"]):
            pytest.fail("it was not refused")
        assert server.ways["reader-database"]["toxics"] == []


def test_a_toxiproxy_without_ways_is_an_error(server: Server) -> None:
    server.ways.clear()
    with (
        session(server) as toxiproxy,
        pytest.raises(AssertionError, match="which port is taken"),
        toxiproxy.broken("reader-store", BY_NAME["slow"]),
    ):
        pytest.fail("it was not refused")


def test_its_own_words_are_told_when_it_refuses(server: Server) -> None:
    with (
        session(server) as toxiproxy,
        pytest.raises(httpx.HTTPStatusError, match=r"/proxies/nobody/toxics answers 404: .*proxy not found"),
        toxiproxy.broken("nobody", BY_NAME["slow"]),
    ):
        pytest.fail("it was not refused")
