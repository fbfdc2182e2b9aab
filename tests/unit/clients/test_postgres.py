"""A statement that a server does not answer ends at its deadline, and the connection with it."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

from data_platform.clients import postgres

pytestmark = pytest.mark.enable_socket
#: Startup packets that ask for encryption (PostgreSQL's protocol, 53.2): answered with "no".
_ENCRYPTION = {80877103, 80877104}


def said(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("!i", len(content) + 4) + content


class Silent:
    """A PostgreSQL that lets everybody in and never answers a statement."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self.closed = threading.Event()
        self.statements = b""
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        peer, _ = self.listener.accept()
        with peer:
            self.answer(peer)
        self.closed.set()

    def answer(self, peer: socket.socket) -> None:
        while True:
            size, code = struct.unpack("!ii", peer.recv(8))
            peer.recv(size - 8)
            if code not in _ENCRYPTION:
                break
            peer.sendall(b"N")
        told = (b"server_version\x0018.0\x00", b"client_encoding\x00UTF8\x00", b"standard_conforming_strings\x00on\x00")
        peer.sendall(said(b"R", struct.pack("!i", 0)) + b"".join(said(b"S", each) for each in told))
        peer.sendall(said(b"K", struct.pack("!ii", 1, 2)) + said(b"Z", b"I"))
        while data := peer.recv(4096):
            self.statements += data


@pytest.fixture
def server() -> Iterator[Silent]:
    made = Silent()
    yield made
    made.listener.close()


def test_a_statement_without_an_answer_ends_at_its_deadline_and_closes_the_connection(server: Silent) -> None:
    begun = time.monotonic()
    with (
        postgres.connect("127.0.0.1", server.port, "u", "p", "d", seconds=0.5) as connection,
        pytest.raises(
            psycopg.OperationalError, match="did not answer a statement within 0 s; the connection was closed"
        ),
    ):
        connection.execute("select 1")
    assert time.monotonic() - begun < 30
    assert connection.closed
    # It is not cancelled: a commit that waits for its second copy would end with a success.
    assert server.closed.wait(10)
    assert b"select 1" in server.statements


def test_a_statement_has_a_deadline_where_nobody_gives_one(server: Silent) -> None:
    with postgres.connect("127.0.0.1", server.port, "u", "p", "d") as connection:
        assert isinstance(connection, postgres.Connection)
        assert 0 < connection.seconds <= 60
        connection.close()
