"""A message to the outside is delivered, or the reason is told; it never raises."""

from __future__ import annotations

import json
import logging

import httpx
import pytest

from data_platform.clients.webhook import deliver

MESSAGE = {"dag": "stack_health", "error": "é"}


def test_a_message_is_posted_as_json() -> None:
    sent: list[tuple[str, str, object]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append((request.method, str(request.url), json.loads(request.content)))
        return httpx.Response(204)

    assert deliver("https://alerts.test/hook?a=b", MESSAGE, httpx.MockTransport(answer)) == ""
    assert sent == [("POST", "https://alerts.test/hook?a=b", MESSAGE)]


def test_a_refusal_is_told() -> None:
    refusing = httpx.MockTransport(lambda _: httpx.Response(403))
    assert "403 Forbidden" in deliver("https://alerts.test/hook", MESSAGE, refusing)


def test_an_address_that_does_not_answer_is_told() -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("", request=request)

    assert deliver("https://alerts.test/hook", MESSAGE, httpx.MockTransport(away)) == "ConnectError"


ADDRESSES = [
    "https://alerts.test/services/T0/SECRET",
    "https://user:SECRET@alerts.test/",
    "https://alerts.test:port/SECRET",
]


@pytest.mark.parametrize("url", ADDRESSES)
@pytest.mark.parametrize("status", [204, 404, 0])
def test_the_address_is_in_no_log_and_in_no_reason(url: str, status: int, caplog: pytest.LogCaptureFixture) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if status:
            return httpx.Response(status, request=request)
        raise httpx.ConnectTimeout(f"no answer of {request.url}", request=request)

    caplog.set_level("DEBUG")
    # As Airflow's tasks have it: everything from INFO on is logged.
    logging.getLogger("httpx").setLevel(logging.DEBUG)
    told = deliver(url, MESSAGE, httpx.MockTransport(answer))
    assert (told == "") == (status == 204 and "port" not in url)
    assert [text for text in (told, caplog.text) if "SECRET" in text or "alerts.test" in text] == []


@pytest.mark.parametrize("url", ["not an address", "https://alerts.test:port", "ftp://alerts.test", "None"])
def test_what_is_no_address_is_told(url: str) -> None:
    assert deliver(url, MESSAGE)
