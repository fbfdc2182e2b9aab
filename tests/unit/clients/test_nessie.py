"""The Nessie client, against recorded answers."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest

from data_platform.clients.nessie import Nessie, NessieError

Handler = Callable[[httpx.Request], httpx.Response]


def session(handler: Handler) -> Nessie:
    return Nessie("http://nessie.test", 1.0, httpx.MockTransport(handler))


def test_branches_of_all_pages_are_found_and_tags_are_not() -> None:
    pages = {
        None: {
            "references": [
                {"type": "BRANCH", "name": "main", "hash": "aa"},
                {"type": "TAG", "name": "release-1", "hash": "aa"},
            ],
            "hasMore": True,
            "token": "next",
        },
        "next": {"references": [{"type": "BRANCH", "name": "dev", "hash": "bb"}], "hasMore": False},
    }

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/api/v2/trees"
        return httpx.Response(200, json=pages[request.url.params.get("page-token")])

    with session(answer) as nessie:
        assert nessie.branches() == {"main": "aa", "dev": "bb"}


def test_a_branch_starts_at_the_newest_commit_of_its_source() -> None:
    origin = {"type": "BRANCH", "name": "main", "hash": "aa"}
    sent: list[tuple[dict[str, str], object]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            assert request.url.path == "/api/v2/trees/main"
            return httpx.Response(200, json={"reference": origin})
        sent.append((dict(request.url.params), json.loads(request.content)))
        return httpx.Response(200, json={"reference": {"type": "BRANCH", "name": "dev", "hash": "aa"}})

    with session(answer) as nessie:
        assert nessie.create_branch("dev", "main") == "aa"
    assert sent == [({"name": "dev", "type": "BRANCH"}, origin)]


def test_a_branch_is_removed_only_at_the_commit_that_was_seen() -> None:
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(f"{request.method} {request.url.path} {request.url.query.decode()}")
        return httpx.Response(200, json={"reference": {"type": "BRANCH", "name": "dev", "hash": "bb"}})

    with session(answer) as nessie:
        nessie.delete_branch("dev", "bb")
    assert sent == ["DELETE /api/v2/trees/dev@bb type=BRANCH"]


def test_a_refusal_is_raised_in_the_words_of_nessie() -> None:
    nessie = session(lambda _: httpx.Response(409, text="expected-hash is not current"))
    with pytest.raises(NessieError, match="answers 409: expected-hash is not current"), nessie:
        nessie.delete_branch("dev", "old")
