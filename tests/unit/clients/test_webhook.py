"""A message to the outside is delivered, or the reason is told; it never raises."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from airflow.sdk import Connection

from data_platform.clients.webhook import Address, address_of, deliver

MESSAGE = {"dag": "stack_health", "error": "é"}
HOOK = Address("https://alerts.test/hook?a=b")


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """How long it paused, by a clock that only pauses move."""
    found: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", found.append)
    monkeypatch.setattr("tenacity.time.monotonic", lambda: sum(found))
    return found


def answering(*answers: httpx.Response | type[httpx.TransportError]) -> tuple[httpx.MockTransport, list[httpx.Request]]:
    """Answers in this order, the last one for ever."""
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        found = answers[min(len(asked), len(answers)) - 1]
        if isinstance(found, httpx.Response):
            return httpx.Response(found.status_code, headers=found.headers)
        raise found(f"no answer of {request.url}", request=request)

    return httpx.MockTransport(answer), asked


def test_a_message_is_posted_as_json() -> None:
    transport, asked = answering(httpx.Response(204))
    assert deliver(HOOK, MESSAGE, transport) == ""
    assert [(r.method, str(r.url), json.loads(r.content)) for r in asked] == [("POST", HOOK.url, MESSAGE)]
    assert "Authorization" not in asked[0].headers


def test_a_login_is_sent() -> None:
    transport, asked = answering(httpx.Response(200))
    assert deliver(HOOK._replace(login=("me", "p")), MESSAGE, transport) == ""
    assert asked[0].headers["Authorization"] == "Basic bWU6cA=="


@pytest.mark.parametrize("status", [301, 400, 403, 404, 410])
def test_a_refusal_is_told_at_once(status: int, pauses: list[float]) -> None:
    transport, asked = answering(httpx.Response(status))
    assert f"answered with {status}" in deliver(HOOK, MESSAGE, transport)
    assert (len(asked), pauses) == (1, [])


@pytest.mark.parametrize("away", [httpx.Response(503), httpx.Response(429), httpx.ConnectError, httpx.ReadTimeout])
def test_a_channel_that_comes_back_gets_the_message(away: Any, pauses: list[float]) -> None:
    transport, asked = answering(away, away, httpx.Response(200))
    assert deliver(HOOK, MESSAGE, transport) == ""
    assert (len(asked), pauses) == (3, [1, 2])


def test_a_channel_that_stays_away_is_given_up_after_a_minute_and_told(pauses: list[float]) -> None:
    transport, asked = answering(httpx.ConnectError)
    assert deliver(HOOK, MESSAGE, transport) == f"ConnectError ({len(asked)} tries)"
    assert len(asked) >= 5
    assert 60 <= sum(pauses) <= 75


@pytest.mark.parametrize(("wanted", "pause"), [("7", 7), ("86400", 15), ("tomorrow", 1), ("-5", 1)])
def test_a_channel_that_asks_for_patience_is_given_it_within_bounds(
    wanted: str, pause: float, pauses: list[float]
) -> None:
    transport, _ = answering(httpx.Response(429, headers={"Retry-After": wanted}), httpx.Response(200))
    assert deliver(HOOK, MESSAGE, transport) == ""
    assert pauses == [pause]


ADDRESSES = [
    "https://alerts.test/services/T0/SECRET",
    "https://user:SECRET@alerts.test/",
    "https://alerts.test:port/SECRET",
]


@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize("url", ADDRESSES)
@pytest.mark.parametrize("answer", [httpx.Response(204), httpx.Response(404), httpx.ConnectTimeout])
def test_the_address_is_in_no_log_and_in_no_reason(url: str, answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    # As Airflow's tasks have it: everything from INFO on is logged.
    logging.getLogger("httpx").setLevel(logging.DEBUG)
    told = deliver(Address(url), MESSAGE, answering(answer)[0])
    is_delivered = isinstance(answer, httpx.Response) and answer.is_success and "port" not in url
    assert (told == "") == is_delivered
    assert [text for text in (told, caplog.text) if "SECRET" in text or "alerts.test" in text] == []


@pytest.mark.parametrize("url", ["not an address", "https://alerts.test:port", "ftp://alerts.test", "None"])
def test_what_is_no_address_is_told_at_once(url: str, pauses: list[float]) -> None:
    assert deliver(Address(url), MESSAGE)
    assert pauses == []


def parts(**said: Any) -> Connection:
    return Connection(conn_id="alerts", conn_type=said.pop("conn_type", "http"), **said)


def uri(text: str) -> Connection:
    return Connection.from_uri(text, conn_id="alerts")


#: As people write a connection, and where its messages go.
WRITTEN: list[tuple[Callable[[], Connection], str]] = [
    (lambda: parts(host="https://hooks.test/services/T0"), "https://hooks.test/services/T0"),
    (lambda: parts(host="https://hooks.test/w?sig=a%2Fb", port=8443), "https://hooks.test:8443/w?sig=a%2Fb"),
    (lambda: parts(host="https://hooks.test:444/w", port=8443), "https://hooks.test:444/w"),
    (lambda: parts(host="hooks.test", schema="https", port=8443), "https://hooks.test:8443"),
    (lambda: parts(host="hooks.test/services/T0", schema="https", port=8443), "https://hooks.test:8443/services/T0"),
    (lambda: parts(host="hooks.test", port=9000), "http://hooks.test:9000"),
    (lambda: parts(host="127.0.0.1", schema="http", port=9000), "http://127.0.0.1:9000"),
    (lambda: parts(host="2001:db8::1", schema="http", port=9000), "http://[2001:db8::1]:9000"),
    (lambda: parts(host="hooks.test", conn_type="https"), "https://hooks.test"),
    (lambda: parts(host=" hooks.test ", schema="https"), "https://hooks.test"),
    (lambda: uri("https://hooks.test:8443/services/T0?sig=a%2Fb"), "https://hooks.test:8443/services/T0?sig=a%2Fb"),
    (lambda: uri("http://hooks.test:8443/https"), "https://hooks.test:8443"),
    (lambda: uri("http://https%3A%2F%2Fhooks.test%2Fservices%2FT0/"), "https://hooks.test/services/T0"),
]


@pytest.mark.parametrize(("connection", "url"), WRITTEN)
def test_a_connection_is_understood_however_it_is_written(connection: Callable[[], Connection], url: str) -> None:
    found = address_of(connection())
    assert httpx.URL(found.url) == httpx.URL(url)
    assert found.login is None


def test_login_and_password_of_a_connection_are_sent() -> None:
    assert address_of(parts(host="hooks.test", login="me", password="p")).login == ("me", "p")


@pytest.mark.parametrize(
    ("host", "said"),
    [(None, "it has no host"), ("  ", "it has no host"), ("https://SECRET:x", "its host is no address")],
)
def test_a_connection_that_says_no_address_is_told_without_its_content(host: str | None, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        address_of(parts(host=host))
    assert "SECRET" not in str(caught.value)
