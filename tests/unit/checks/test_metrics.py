"""The check `metrics`, without a network."""

from __future__ import annotations

import base64
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from data_platform.checks.base import Address, CheckFailed, Deadline, Platform
from data_platform.checks.metrics import Params, check
from data_platform.clients import http


class Place:
    """A platform with one address, and authorities of its own."""

    authorities = Path("/etc/bank/ca.pem")

    def address(self, component: str, endpoint: str) -> Address:
        assert (component, endpoint) == ("nessie", "management")
        return Address("127.0.0.1", 8421, "https://127.0.0.1:8421")


def checked(monkeypatch: pytest.MonkeyPatch, served: str, *names: str) -> str:
    """What the check says of a server with these metrics."""

    def client(base_url: str, seconds: float, ca: str) -> httpx.Client:
        assert (base_url, ca) == ("https://127.0.0.1:8421", "/etc/bank/ca.pem")
        assert 0 < seconds <= 5
        return httpx.Client(base_url=base_url, transport=httpx.MockTransport(nessie))

    def nessie(request: httpx.Request) -> httpx.Response:
        assert request.url == "https://127.0.0.1:8421/q/metrics"
        assert request.headers["Authorization"] == f"Basic {base64.b64encode(b'metrics:').decode()}"
        return httpx.Response(200, text=served)

    monkeypatch.setattr(http, "client", client)
    asked = {"component": "nessie", "endpoint": "management", "path": "/q/metrics", "user": "metrics", "names": names}
    place: Platform = Place()  # type: ignore[assignment]
    return check(Params.model_validate(asked), place, Deadline(5))


def test_it_tells_how_much_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    said = checked(monkeypatch, 'up{a="1"} 1\nup{a="2"} 0\nother 2\n', "up")
    assert said == "https://127.0.0.1:8421/q/metrics serves 3 samples of 2 names, up among them"


def test_names_that_are_missing_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    # A name that is announced and has no sample is missing too, and so is one that another begins with.
    with pytest.raises(CheckFailed, match=r"serves 2 names, without memory, u$"):
        checked(monkeypatch, "# TYPE memory gauge\nup 1\nother 2\n", "up", "memory", "u")


def test_what_is_no_metrics_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckFailed, match=r"/q/metrics: this line of it is no sample: '<html>'"):
        checked(monkeypatch, "<html>\n", "up")


def test_nothing_asked_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError, match="names"):
        checked(monkeypatch, "up 1\n")
