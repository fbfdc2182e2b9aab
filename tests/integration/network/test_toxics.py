"""Toxiproxy itself, built as the drill has it: each fault is what its sentence says, for a client that is a socket."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from queue import Queue

import pytest

from tests.integration.network.conftest import HOST, Begun
from tests.toxics import FAULTS, Toxiproxy

pytestmark = pytest.mark.enable_socket

WAY = "reader-server"
FAULT = {fault.name: fault for fault in FAULTS}
SECONDS = 10.0
#: What does not come within this does not come.
SILENCE = 1.0


class Answering(socketserver.StreamRequestHandler):
    """Answers a line with a number with so many bytes; 0 closes the connection."""

    def handle(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        for line in self.rfile:
            server.asked.put(int(line))
            if not int(line):
                return
            self.wfile.write(b"x" * int(line))


class Server(socketserver.ThreadingTCPServer):
    """Keeps what it was asked for."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__((HOST, 0), Answering)
        self.asked: Queue[int] = Queue()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def way(toxiproxy: Begun, server: Server) -> Iterator[tuple[Toxiproxy, int]]:
    """A session with a toxiproxy, and the port where its one way begins."""
    with toxiproxy(WAY, server.server_address[1]) as begun:
        yield begun


def connected(port: int) -> socket.socket:
    return socket.create_connection((HOST, port), timeout=SECONDS)


def ask(connection: socket.socket, count: int) -> float:
    """Seconds until all of an answer is there."""
    started = time.monotonic()
    connection.sendall(f"{count}\n".encode())
    assert read(connection, count) == count
    return time.monotonic() - started


def read(connection: socket.socket, count: int) -> int:
    """How many bytes come, at most so many, until the other side ends."""
    found = 0
    while found < count and (more := connection.recv(count - found)):
        found += len(more)
    return found


@pytest.fixture(autouse=True)
def _sound_again(way: tuple[Toxiproxy, int]) -> Iterator[None]:
    """After each fault a new connection works as before."""
    session, port = way
    yield
    assert session.ways() == {WAY: True}
    with connected(port) as connection:
        assert ask(connection, 5000) < SECONDS


def test_slow(way: tuple[Toxiproxy, int]) -> None:
    session, port = way
    with connected(port) as connection:
        ask(connection, 10)
        # For a connection that was there before, too.
        with session.broken(WAY, FAULT["slow"]):
            assert 0.09 < ask(connection, 10) < SECONDS
        ask(connection, 10)


def test_narrow(way: tuple[Toxiproxy, int]) -> None:
    session, port = way
    with session.broken(WAY, FAULT["narrow"]), connected(port) as connection:
        assert 0.4 < ask(connection, 50_000) < SECONDS


def test_refused(way: tuple[Toxiproxy, int]) -> None:
    session, port = way
    with connected(port) as before:
        ask(before, 10)
        with session.broken(WAY, FAULT["refused"]):
            assert read(before, 1) == 0
            with pytest.raises(ConnectionRefusedError):
                connected(port)


def test_reset(way: tuple[Toxiproxy, int]) -> None:
    session, port = way
    with session.broken(WAY, FAULT["reset"]), connected(port) as connection:
        connection.sendall(b"10\n")
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


@pytest.mark.parametrize(("fault", "arrives"), [("no answer", True), ("no request", False)])
def test_silence(way: tuple[Toxiproxy, int], server: Server, fault: str, arrives: bool) -> None:
    session, port = way
    with connected(port) as before:
        ask(before, 7)
        assert server.asked.get(timeout=SECONDS) == 7
        with session.broken(WAY, FAULT[fault]), connected(port) as connection:
            for each in (before, connection):
                each.settimeout(SILENCE)
                each.sendall(b"10\n")
                with pytest.raises(TimeoutError):
                    each.recv(1)
            found = [server.asked.get(timeout=SECONDS) for _ in range(2)] if arrives else []
            assert found == [10] * len(found)
            assert server.asked.empty()


def test_late_end(way: tuple[Toxiproxy, int]) -> None:
    session, port = way
    with session.broken(WAY, FAULT["late end"]), connected(port) as connection:
        ask(connection, 10)
        connection.sendall(b"0\n")
        connection.settimeout(SILENCE)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(SECONDS)
        assert read(connection, 1) == 0


def test_cut_short(way: tuple[Toxiproxy, int]) -> None:
    session, port = way
    with session.broken(WAY, FAULT["cut short"]), connected(port) as connection:
        connection.sendall(b"5000\n")
        assert read(connection, 5000) == 1000


def test_every_fault_is_tried_here() -> None:
    assert FAULT.keys() == {"slow", "narrow", "refused", "reset", "no answer", "no request", "late end", "cut short"}
