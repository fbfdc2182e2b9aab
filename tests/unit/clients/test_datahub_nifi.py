"""Requests of DataHub's NiFi source have a deadline, though the source gives none."""

from __future__ import annotations

from typing import Any

import pytest
import requests  # noqa: TID251 - what the source speaks through
from requests.adapters import HTTPAdapter  # noqa: TID251 - as above

from data_platform.clients.datahub_nifi import _Bounded


@pytest.mark.parametrize(("given", "kept"), [({}, 60), ({"timeout": None}, 60), ({"timeout": 3}, 3)])
def test_a_request_without_a_deadline_gets_one(
    given: dict[str, Any], kept: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []

    def send(_: HTTPAdapter, request: requests.PreparedRequest, **settings: Any) -> requests.Response:
        sent.append(settings["timeout"])
        answer = requests.Response()
        answer.status_code, answer.request, answer.url = 200, request, str(request.url)
        answer.raw = None
        answer._content = b""
        return answer

    monkeypatch.setattr(HTTPAdapter, "send", send)
    with requests.Session() as session:
        session.mount("http://", _Bounded())
        session.get("http://nifi.test/", **given)
    assert sent == [kept]
