"""The Trino client, with Trino's own client behind it replaced."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest
import trino.exceptions

from data_platform.clients import trino as client


def refusal(name: str) -> trino.exceptions.TrinoQueryError:
    said = {"errorName": name, "errorType": "INTERNAL_ERROR", "message": f"it says {name}"}
    return trino.exceptions.TrinoQueryError(said)


class Cursor:
    """Answers each statement with the next of some outcomes."""

    def __init__(self, outcomes: list[Any]) -> None:
        self.outcomes, self.asked, self.closed = outcomes, list[str](), 0

    def execute(self, sql: str) -> None:
        self.asked.append(sql)
        if isinstance(self.outcomes[0], Exception):
            raise self.outcomes.pop(0)

    def fetchall(self) -> Any:
        return self.outcomes.pop(0)

    def close(self) -> None:
        self.closed += 1


def session(monkeypatch: pytest.MonkeyPatch, outcomes: list[Any]) -> tuple[client.Trino, Cursor]:
    cursor = Cursor(outcomes)
    session = client.Trino("http://trino.test:8440", 5.0)
    monkeypatch.setattr(session._connection, "cursor", lambda: cursor)
    return session, cursor


@pytest.mark.parametrize("name", ["NO_NODES_AVAILABLE", "SERVER_STARTING_UP"])
def test_a_server_that_has_just_started_is_asked_again(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    trino_session, cursor = session(monkeypatch, [refusal(name), [(25,)]])
    assert trino_session.value("select 1") == 25
    assert cursor.asked == ["select 1", "select 1"]
    assert cursor.closed == 2


def test_any_other_refusal_is_raised_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    trino_session, cursor = session(monkeypatch, [refusal("TABLE_NOT_FOUND"), [(25,)]])
    with pytest.raises(trino.exceptions.TrinoQueryError, match="it says TABLE_NOT_FOUND"):
        trino_session.rows("select 1")
    assert cursor.asked == ["select 1"]


def test_there_is_no_value_in_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    trino_session, _ = session(monkeypatch, [[]])
    assert trino_session.value("select 1 where false") is None


def test_it_goes_to_the_address_by_no_proxy_and_the_server_keeps_the_deadline() -> None:
    with client.Trino("http://trino.test:8440", 0.4, "lakehouse") as trino_session:
        connection = trino_session._connection
        assert (connection.host, connection.port, connection.http_scheme) == ("trino.test", 8440, "http")
        assert trino_session._http.trust_env is False
        assert connection._client_session.properties == {"query_max_run_time": "1s"}
        assert connection.catalog == "lakehouse"


def test_names_and_texts_are_quoted_whatever_is_in_them() -> None:
    assert client.identifier('a"b') == '"a""b"'
    assert client.literal("it's") == "'it''s'"


def test_settings_of_a_session_are_told_beside_its_deadline() -> None:
    with client.Trino("http://trino.test:8440", 3, settings={"lakehouse.some_retention": "0s"}) as trino_session:
        assert trino_session._connection._client_session.properties == {
            "query_max_run_time": "3s",
            "lakehouse.some_retention": "0s",
        }


def test_catalogs_are_a_set_of_names(monkeypatch: pytest.MonkeyPatch) -> None:
    trino_session, _ = session(monkeypatch, [[("lakehouse",), ("system",)]])
    assert trino_session.catalogs() == {"lakehouse", "system"}


@pytest.mark.enable_socket
def test_a_server_that_takes_a_statement_and_says_nothing_is_an_error_long_before_its_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "_REQUEST_SECONDS", 0.2)
    # Connections to it are made, and nobody answers them.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        with (
            client.Trino(f"http://127.0.0.1:{silent.getsockname()[1]}", 60.0) as trino_session,
            pytest.raises(client.UNREACHABLE, match="timed out"),
        ):
            trino_session.rows("select 1")
        assert time.monotonic() - started < 30
