"""Objects of the bucket `reports` reach a reader, alone in an origin of their own; no other object does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from data_platform.checks.base import Address
from data_platform.clients import s3
from data_platform.pages import reports

PAGE = b"<!doctype html><p>Cours"
pytestmark = pytest.mark.enable_socket  # an event loop wants a pair of sockets; nothing is connected
Ask = Callable[..., httpx.Response]


class Answer:
    """What the store's client gives: content in pieces, and a connection to give back."""

    def __init__(self, content: bytes) -> None:
        self.content, self.released = content, 0

    def stream(self, size: int) -> Iterator[bytes]:
        assert size > 0
        yield self.content[:5]
        yield self.content[5:]

    def close(self) -> None:
        return

    def release_conn(self) -> None:
        self.released += 1


class Bucket:
    """Objects by key; notes what was asked for."""

    def __init__(self) -> None:
        self.objects = {"fx_rates/index.html": PAGE, "fx_rates/data.json": b"{}", "fx_rates/odd.exe": b"MZ"}
        self.asked: list[str] = []
        self.answers: list[Answer] = []

    def stream(self, store: object, bucket: str, key: str) -> s3.Stream | None:
        del store
        assert bucket == "reports"
        self.asked.append(key)
        if key not in self.objects:
            return None
        self.answers.append(Answer(self.objects[key]))
        return s3.Stream("tag1", len(self.objects[key]), self.answers[-1])  # type: ignore[arg-type]


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    found = Bucket()
    target = SimpleNamespace(
        credentials={"pages": {"s3_access_key": "pages", "s3_secret_key": "b"}}.__getitem__,
        address=lambda *_: Address("127.0.0.1", 1, "http://127.0.0.1:1"),
    )
    monkeypatch.setattr("data_platform.targets.current.current", lambda: target)
    monkeypatch.setattr(s3, "stream", found.stream)
    return found


@pytest.fixture
def ask(bucket: Bucket) -> Ask:
    del bucket
    app = FastAPI()
    app.get("/reports/{key:path}")(reports.report)

    def get(path: str, **headers: str) -> httpx.Response:
        async def send() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://platform") as client:
                return await client.get(path, headers=headers)

        return asyncio.run(send())

    return get


def test_a_page_is_served_with_its_type_and_tag(ask: Ask, bucket: Bucket) -> None:
    answer = ask("/reports/fx_rates/index.html")
    assert (answer.status_code, answer.content) == (200, PAGE)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["etag"] == '"tag1"'
    assert answer.headers["content-length"] == str(len(PAGE))
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert bucket.answers[0].released == 1


def test_a_folder_is_its_index(ask: Ask) -> None:
    assert ask("/reports/fx_rates/").content == PAGE


def test_what_the_browser_has_is_not_sent_again(ask: Ask, bucket: Bucket) -> None:
    answer = ask("/reports/fx_rates/index.html", **{"if-none-match": 'W/"x", "tag1"'})
    assert (answer.status_code, answer.content) == (304, b"")
    assert bucket.answers[0].released == 1
    assert ask("/reports/fx_rates/index.html", **{"if-none-match": '"other"'}).status_code == 200


def test_a_published_page_is_kept_from_the_session_and_from_the_network(ask: Ask) -> None:
    policy = dict(
        part.strip().partition(" ")[::2]
        for part in ask("/reports/fx_rates/index.html").headers["content-security-policy"].split(";")
    )
    assert policy["sandbox"].split() == ["allow-scripts", "allow-popups"]
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'self'"
    assert "connect-src" not in policy, "nothing can be fetched: default-src holds"
    assert policy["form-action"] == "'none'"


def test_types_follow_from_names_and_unknown_ones_are_downloads(ask: Ask) -> None:
    assert ask("/reports/fx_rates/data.json").headers["content-type"] == "application/json"
    odd = ask("/reports/fx_rates/odd.exe")
    assert odd.headers["content-type"] == "application/octet-stream"
    assert odd.headers["content-disposition"] == "attachment"
    assert "sandbox" in odd.headers["content-security-policy"]


def test_a_page_that_is_not_there_says_what_to_do(ask: Ask) -> None:
    answer = ask("/reports/fx_rates/dbt/index.html")
    assert answer.status_code == 404
    assert "fx_rates/dbt/index.html" in answer.text
    assert "pipelines_fx_rates" in answer.text
    assert "/data-platform/data" in answer.text


@pytest.mark.parametrize(
    "path",
    ["%2e%2e/raw/x", "fx_rates/%2e%2e/%2e%2e/raw/x", "fx_rates//x", "%2ehidden", "a%5cb", "a%00b", "<script>", "", "/"],
)
def test_no_path_leads_out_of_the_bucket(ask: Ask, bucket: Bucket, path: str) -> None:
    answer = ask(f"/reports/{path}")
    assert answer.status_code == 404
    assert bucket.asked == [], "the store must not even be asked"
    assert "<script>" not in answer.text


def test_keys_that_data_docs_have_are_keys() -> None:
    run = "raw-20261123T153116Z/20261123T153116.178679Z/audit_fx_rates-raw.fx_rates.html"
    assert reports.is_key(f"fx_rates/expectations/validations/raw/fx_rates/{run}")


def test_a_store_that_is_away_is_said(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> None:
        raise ConnectionError("refused <b>")

    monkeypatch.setattr(s3, "stream", away)
    answer = ask("/reports/fx_rates/index.html")
    assert answer.status_code == 503
    assert "did not answer" in answer.text
    assert "refused &lt;b&gt;" in answer.text


def test_our_own_pages_are_never_stored(ask: Ask) -> None:
    assert ask("/reports/none").headers["cache-control"] == "no-store"
