"""The check `postgres_refuses`: only the refusal of the password itself is one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg
import pytest

from data_platform.checks.base import Address, CheckFailed, Deadline, Params
from data_platform.checks.postgres_refuses import check
from data_platform.clients import postgres

PASSWORD = "generated"
REFUSAL = 'connection failed: FATAL:  password authentication failed for user "postgres"'


class Server:
    """Takes the right password alone; `open_to_all` takes any, `says` is what it says to everybody."""

    def __init__(self) -> None:
        self.open_to_all = False
        self.says = ""
        self.asked: list[str] = []
        self.closed = 0

    def connect(self, host: str, port: int, user: str, password: str, database: str) -> Server:
        assert (host, port, user, database) == ("127.0.0.1", 5432, "postgres", "postgres")
        self.asked.append(password)
        if self.says:
            raise psycopg.OperationalError(self.says)
        if password != PASSWORD and not self.open_to_all:
            raise psycopg.OperationalError(REFUSAL)
        return self

    def close(self) -> None:
        self.closed += 1


class Place:
    """A platform with a database."""

    def address(self, component: str, endpoint: str) -> Address:
        assert (component, endpoint) == ("database-server", "sql")
        return Address("127.0.0.1", 5432, "tcp://127.0.0.1:5432")

    def credentials(self, holder: str) -> Mapping[str, str]:
        assert holder == "database-server"
        return {"username": "postgres", "password": PASSWORD}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server that is right."""
    made = Server()
    monkeypatch.setattr(postgres, "connect", made.connect)
    return made


def run() -> str:
    place: Any = Place()
    return check(Params(), place, Deadline(5))


def test_a_server_that_refuses_a_wrong_password_passes(server: Server) -> None:
    assert run() == "password authentication failed, as it should"
    assert len(server.asked) == 1
    assert PASSWORD not in server.asked


def test_a_server_that_lets_a_wrong_password_in_fails_and_is_left_again(server: Server) -> None:
    server.open_to_all = True
    with pytest.raises(CheckFailed, match=r"^a wrong password was accepted$"):
        run()
    assert server.closed == 1


@pytest.mark.parametrize(
    "says",
    [
        'connection to server at "127.0.0.1", port 5432 failed: Connection refused',
        "FATAL:  the database system is starting up",
        'FATAL:  no pg_hba.conf entry for host "127.0.0.1"',
        "FATAL:  sorry, too many clients already",
        "connection timeout expired",
    ],
)
def test_a_server_that_says_something_else_has_refused_no_password(server: Server, says: str) -> None:
    server.says = says
    with pytest.raises(CheckFailed, match=r"^no answer about the password: ") as caught:
        run()
    assert says in str(caught.value)
