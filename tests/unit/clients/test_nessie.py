"""The Nessie client, against recorded answers."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest

from data_platform.clients.nessie import (
    Ahead,
    Commit,
    Merge,
    Nessie,
    NessieConflictError,
    NessieError,
    NessieUnavailableError,
    Table,
)

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


def test_the_head_of_a_branch_that_is_not_there_is_none() -> None:
    missing = {"status": 404, "errorCode": "REFERENCE_NOT_FOUND", "message": "Named reference 'dev' not found"}
    there = {"reference": {"type": "BRANCH", "name": "dev", "hash": "bb"}}
    answers = [httpx.Response(404, json=missing), httpx.Response(200, json=there)]
    with session(lambda _: answers.pop(0)) as nessie:
        assert nessie.head("dev") is None
        assert nessie.head("dev") == "bb"


def test_a_branch_is_reset_only_from_the_commit_that_was_seen() -> None:
    origin = {"type": "BRANCH", "name": "main", "hash": "cc"}
    sent: list[tuple[str, object]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "PUT":
            sent.append((f"{request.url.path} {request.url.query.decode()}", json.loads(request.content)))
        return httpx.Response(200, json={"reference": origin})

    with session(answer) as nessie:
        assert nessie.reset_branch("dev", "bb", "main") == "cc"
    assert sent == [("/api/v2/trees/dev@bb type=BRANCH", origin)]


def test_only_missing_namespaces_are_made_in_one_commit() -> None:
    sent: list[tuple[str, object]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/entries"):
            there = {"type": "NAMESPACE", "name": {"elements": ["raw"]}}
            return httpx.Response(200, json={"entries": [there], "hasMore": False})
        if request.method == "POST":
            sent.append((request.url.path, json.loads(request.content)))
        return httpx.Response(200, json={"reference": {"type": "BRANCH", "name": "main", "hash": "aa"}})

    with session(answer) as nessie:
        nessie.create_namespaces("main", ["raw"])
        assert sent == []
        nessie.create_namespaces("main", ["raw", "staging", "marts"])
    puts = [
        {"type": "PUT", "key": {"elements": [name]}, "content": {"type": "NAMESPACE", "elements": [name]}}
        for name in ("staging", "marts")
    ]
    body = {"commitMeta": {"message": "create staging, marts"}, "operations": puts}
    assert sent == [("/api/v2/trees/main@aa/history/commit", body)]


def merging(outcome: httpx.Response, sent: list[tuple[str, object]]) -> Handler:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"reference": {"type": "BRANCH", "name": "main", "hash": "aa"}})
        sent.append((request.url.path, json.loads(request.content)))
        return outcome

    return answer


def test_a_merge_says_what_it_changed() -> None:
    sent: list[tuple[str, object]] = []
    done = {
        "wasApplied": True,
        "resultantTargetHash": "dd",
        "details": [{"key": {"elements": ["raw", "rates"]}}, {"key": {"elements": ["marts", "daily"]}}],
    }
    with session(merging(httpx.Response(200, json=done), sent)) as nessie:
        assert nessie.merge("dev", "bb", "main", "publish", {"dataset": "rates"}) == Merge(
            "dd", ("marts.daily", "raw.rates")
        )
    meta = {"message": "publish", "properties": {"dataset": "rates"}}
    assert sent == [
        ("/api/v2/trees/main@aa/history/merge", {"fromRefName": "dev", "fromHash": "bb", "commitMeta": meta})
    ]


def test_a_merge_of_nothing_has_no_keys() -> None:
    looked_at = [{"key": {"elements": ["raw", "rates"]}}]
    done = {"wasApplied": False, "resultantTargetHash": "aa", "details": looked_at}
    with session(merging(httpx.Response(200, json=done), [])) as nessie:
        assert nessie.merge("dev", "bb", "main", "publish", {}) == Merge("aa", ())


def test_a_conflict_names_what_both_sides_changed() -> None:
    conflicts = [
        {"conflictType": "VALUE_DIFFERS", "key": {"elements": ["raw", "rates"]}, "message": "values differ"},
        {"conflictType": "KEY_EXISTS", "key": {"elements": ["marts", "daily"]}, "message": "already exists"},
        {"conflictType": "UNKNOWN", "key": None, "message": "of no key"},
        # What else the merge would have changed.
        {"conflictType": "KEY_CONFLICT", "key": {"elements": ["raw", "quiet"]}, "message": "UNKNOWN"},
    ]
    refusal = {"message": "changed in conflict", "errorDetails": {"conflicts": conflicts}}
    with (
        session(merging(httpx.Response(409, json=refusal), [])) as nessie,
        pytest.raises(NessieConflictError, match="changed in conflict") as raised,
    ):
        nessie.merge("dev", "bb", "main", "publish", {})
    assert raised.value.keys == ("marts.daily", "raw.rates")


def test_a_refusal_without_keys_is_no_conflict() -> None:
    refusal = {"message": "not at expected hash", "errorDetails": None}
    with session(lambda _: httpx.Response(409, json=refusal)) as nessie, pytest.raises(NessieError) as raised:
        nessie.delete_branch("dev", "old")
    assert type(raised.value) is NessieError


def test_a_server_in_trouble_is_told_from_a_refusal() -> None:
    with session(lambda _: httpx.Response(503, text="no database")) as nessie:
        with pytest.raises(NessieUnavailableError, match="answers 503: no database"):
            nessie.head("main")
        with pytest.raises(NessieUnavailableError, match="answers 503: no database"):
            nessie.branches()


def test_tables_are_listed_with_their_state_and_namespaces_are_not() -> None:
    content = {"type": "ICEBERG_TABLE", "metadataLocation": "s3://lakehouse/1.json", "snapshotId": 7}
    entries = [
        {"type": "NAMESPACE", "name": {"elements": ["raw"]}, "content": {"type": "NAMESPACE"}},
        {"type": "ICEBERG_TABLE", "name": {"elements": ["raw", "rates"]}, "content": content},
    ]

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/api/v2/trees/main@aa/entries"
        assert request.url.params["content"] == "true"
        return httpx.Response(200, json={"entries": entries, "hasMore": False})

    with session(answer) as nessie:
        assert nessie.tables("main@aa") == {"raw.rates": Table("s3://lakehouse/1.json", 7)}


def test_differences_are_keys() -> None:
    diffs = [{"key": {"elements": ["raw", "rates"]}, "from": None, "to": {}}]

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/api/v2/trees/main@aa/diff/dev"
        return httpx.Response(200, json={"diffs": diffs, "hasMore": False})

    with session(answer) as nessie:
        assert nessie.differences("main@aa", "dev") == {"raw.rates"}


def test_history_asks_for_the_commits_with_a_property() -> None:
    meta = {"hash": "dd", "commitTime": "2026-01-02T03:04:05Z", "parentCommitHashes": ["cc", "bb"]}
    entries = [{"commitMeta": meta, "operations": [{"type": "PUT", "key": {"elements": ["raw", "rates"]}}]}]

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/api/v2/trees/main/history"
        assert request.url.params["fetch"] == "ALL"
        assert request.url.params["filter"] == (
            '"dataset" in commit.properties && commit.properties["dataset"] == "rates"'
        )
        return httpx.Response(200, json={"logEntries": entries, "hasMore": False})

    with session(answer) as nessie:
        assert list(nessie.history("main", {"dataset": "rates"})) == [
            Commit("dd", "2026-01-02T03:04:05Z", ("cc", "bb"), ("raw.rates",))
        ]


@pytest.mark.parametrize(
    ("ancestor", "details", "ahead"),
    [
        ("aa", [{"key": {"elements": ["raw", "rates"]}}], Ahead(commits=True, keys=("raw.rates",))),
        ("aa", [], Ahead(commits=True, keys=())),  # made and dropped again
        ("bb", [], Ahead(commits=False, keys=())),
    ],
)
def test_what_a_commit_has_and_main_has_not_is_asked_without_changing_anything(
    ancestor: str, details: list[object], ahead: Ahead
) -> None:
    sent: list[tuple[str, object]] = []
    said = {"wasApplied": False, "commonAncestor": ancestor, "resultantTargetHash": "aa", "details": details}
    with session(merging(httpx.Response(200, json=said), sent)) as nessie:
        assert nessie.ahead("bb", "main") == ahead
    # 0.99 takes `dryRun` for nothing, and merges.
    asked = {"fromRefName": "DETACHED", "fromHash": "bb", "isDryRun": True}
    assert sent == [("/api/v2/trees/main@aa/history/merge", asked)]


def test_a_commit_that_could_not_be_merged_is_ahead() -> None:
    refusal = {"errorDetails": {"conflicts": [{"conflictType": "VALUE_DIFFERS", "key": {"elements": ["raw", "x"]}}]}}
    with session(merging(httpx.Response(409, json=refusal), [])) as nessie:
        assert nessie.ahead("bb", "main") == Ahead(commits=True, keys=("raw.x",))
