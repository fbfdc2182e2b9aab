"""Nessie's REST API (v2): branches of the table catalog, and what differs between them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import quote

import httpx

from data_platform.clients import http

#: Asks for the form of errors that lists the keys of a conflict; without it they stand in a sentence only.
_HEADERS = {"Nessie-Client-Spec": "2"}


class NessieError(Exception):
    """Nessie refused a request; the message is Nessie's own."""


class NessieUnavailableError(NessieError):
    """Nessie, or the database behind it, cannot answer now; asking again may help."""


class NessieConflictError(NessieError):
    """A merge met changes on the other side.

    Attributes:
        keys: what both sides changed: `schema.table`, or a schema.
    """

    def __init__(self, message: str, keys: tuple[str, ...]) -> None:
        super().__init__(message)
        self.keys = keys


class Table(NamedTuple):
    """State of an Iceberg table at one commit: its metadata file and its current snapshot."""

    metadata: str
    snapshot: int


class Merge(NamedTuple):
    """Outcome of a merge.

    Attributes:
        commit: the target's newest commit after it.
        keys: what it changed on the target; empty when there was nothing (left) to merge.
    """

    commit: str
    keys: tuple[str, ...]


class Ahead(NamedTuple):
    """What a commit has that a branch has not.

    Attributes:
        commits: whether it, or one before it, was never merged into the branch.
        keys: what merging it would change; empty when the branch already says the same.
    """

    commits: bool
    keys: tuple[str, ...]


class Commit(NamedTuple):
    """An entry of the history.

    Attributes:
        time: of the commit, UTC, ISO 8601.
        parents: one commit; a merge has the merged one as second.
        keys: what it changed.
    """

    commit: str
    time: str
    parents: tuple[str, ...]
    keys: tuple[str, ...]


class Nessie:
    """A session with one Nessie. Use it as a context manager.

    Every method raises NessieError when Nessie refuses, and httpx.HTTPError when it cannot be reached. A reference in
    an argument is a name (`main`) or a name at a commit (`main@1f2e…`).
    """

    def __init__(
        self, url: str, seconds: float, transport: httpx.BaseTransport | None = None, ca: str | None = None
    ) -> None:
        """Prepare a session; nothing is sent yet.

        Args:
            url: Nessie's address without path.
            seconds: deadline of one request.
            transport: stands in for the network in tests.
            ca: see `http.client`.
        """
        base = f"{url}/api/v2"
        self._http = (
            http.client(base, seconds, _HEADERS, ca)
            if transport is None
            else httpx.Client(base_url=base, transport=transport, trust_env=False, headers=_HEADERS)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def branches(self) -> dict[str, str]:
        """Name and newest commit of every branch."""
        return {name: commit for name, (kind, commit) in self.references().items() if kind == "BRANCH"}

    def references(self) -> dict[str, tuple[str, str]]:
        """Name of every branch and tag, with its kind (BRANCH or TAG) and newest commit."""
        return {str(r["name"]): (str(r["type"]), str(r["hash"])) for r in self._pages("/trees", "references", {})}

    def head(self, branch: str) -> str | None:
        """Newest commit of a branch; None when there is no such branch."""
        answer = self._http.get(f"/trees/{quote(branch, safe='')}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        return str(_content(answer)["reference"]["hash"])

    def create_branch(self, name: str, source: str) -> str:
        """Make a branch at the newest commit of another one and return that commit."""
        origin = self._json("GET", f"/trees/{quote(source, safe='')}", params={})["reference"]
        made = self._json("POST", "/trees", params={"name": name, "type": "BRANCH"}, body=origin)["reference"]
        return str(made["hash"])

    def reset_branch(self, name: str, commit: str, source: str) -> str:
        """Move a branch, if it still is at that commit, to the newest commit of another one and return that."""
        origin = self._json("GET", f"/trees/{quote(source, safe='@')}", params={})["reference"]
        path = f"/trees/{quote(name, safe='')}@{commit}"
        return str(self._json("PUT", path, params={"type": "BRANCH"}, body=origin)["reference"]["hash"])

    def delete_branch(self, name: str, commit: str) -> None:
        """Remove a branch, if it still is at that commit. Commits stay."""
        self._json("DELETE", f"/trees/{quote(name, safe='')}@{commit}", params={"type": "BRANCH"})

    def create_namespaces(self, branch: str, names: Iterable[str]) -> None:
        """Make those namespaces (schemas) of a branch that are not there, in one commit.

        Raises:
            NessieConflictError: somebody else made one of them meanwhile.
        """
        there = {
            _key(entry, "name") for entry in self._pages(f"/trees/{quote(branch, safe='')}/entries", "entries", {})
        }
        missing = [name for name in names if name not in there]
        if not missing:
            return
        known = self._json("GET", f"/trees/{quote(branch, safe='')}", params={})["reference"]["hash"]
        operations = [
            {"type": "PUT", "key": {"elements": [name]}, "content": {"type": "NAMESPACE", "elements": [name]}}
            for name in missing
        ]
        self._json(
            "POST",
            f"/trees/{quote(branch, safe='')}@{known}/history/commit",
            params={},
            body={"commitMeta": {"message": f"create {', '.join(missing)}"}, "operations": operations},
        )

    def merge(self, source: str, commit: str, target: str, message: str, properties: Mapping[str, str]) -> Merge:
        """Bring what a branch changed, up to a commit, into another one, as one commit. Repeating it changes nothing.

        Args:
            source: the branch.
            commit: of that branch.
            target: the branch that is changed.
            message: of the new commit.
            properties: of the new commit.

        Raises:
            NessieConflictError: both sides changed the same key; nothing was merged.
        """
        found = self._merge(target, {"fromRefName": source, "fromHash": commit,
                                     "commitMeta": {"message": message, "properties": dict(properties)}})  # fmt: skip
        keys = tuple(sorted(_key(detail) for detail in found["details"])) if found["wasApplied"] else ()
        return Merge(str(found["resultantTargetHash"]), keys)

    def ahead(self, commit: str, target: str) -> Ahead:
        """What a commit has that a branch has not; changes nothing.

        Args:
            commit: of any branch, or one that no branch has any more.
            target: the branch that it is compared with.
        """
        try:
            found = self._merge(target, {"fromRefName": "DETACHED", "fromHash": commit, "isDryRun": True})
        except NessieConflictError as conflict:
            return Ahead(commits=True, keys=conflict.keys)
        keys = tuple(sorted(_key(detail) for detail in found["details"]))
        return Ahead(str(found["commonAncestor"]) != commit, keys)

    def _merge(self, target: str, what: Mapping[str, Any]) -> dict[str, Any]:
        # Nessie wants to know some commit of the target; changes after it are found all the same.
        known = self._json("GET", f"/trees/{quote(target, safe='')}", params={})["reference"]["hash"]
        return self._json("POST", f"/trees/{quote(target, safe='')}@{known}/history/merge", params={}, body=what)

    def tables(self, reference: str) -> dict[str, Table]:
        """All Iceberg tables at a reference, as `schema.table`."""
        path = f"/trees/{quote(reference, safe='@')}/entries"
        entries = self._pages(path, "entries", {"content": "true"})
        return {
            _key(e, "name"): Table(str(e["content"]["metadataLocation"]), int(e["content"]["snapshotId"]))
            for e in entries
            if e["type"] == "ICEBERG_TABLE"
        }

    def differences(self, one: str, other: str) -> set[str]:
        """Keys whose content differs between two references."""
        path = f"/trees/{quote(one, safe='@')}/diff/{quote(other, safe='@')}"
        return {_key(entry) for entry in self._pages(path, "diffs", {})}

    def history(self, reference: str, having: Mapping[str, str]) -> Iterator[Commit]:
        """Commits of a reference that have these properties, the newest first."""
        conditions = [f"{json.dumps(k)} in commit.properties && commit.properties[{json.dumps(k)}] == {json.dumps(v)}"
                      for k, v in having.items()]  # fmt: skip
        params = {"fetch": "ALL", "filter": " && ".join(conditions)}
        for entry in self._pages(f"/trees/{quote(reference, safe='@')}/history", "logEntries", params):
            meta = entry["commitMeta"]
            yield Commit(
                str(meta["hash"]),
                str(meta["commitTime"]),
                tuple(map(str, meta["parentCommitHashes"])),
                tuple(sorted(_key(operation) for operation in entry["operations"] or ())),
            )

    def _pages(self, path: str, of: str, params: dict[str, str]) -> Iterator[dict[str, Any]]:
        token = ""
        while True:
            page = self._json("GET", path, params=params | ({"page-token": token} if token else {}))
            yield from page[of]
            if not page.get("hasMore"):
                return
            token = str(page["token"])

    def _json(self, method: str, path: str, params: dict[str, str], body: Any = None) -> dict[str, Any]:
        return _content(self._http.request(method, path, params=params, json=body))


def _key(entry: Mapping[str, Any], field: str = "key") -> str:
    return ".".join(entry[field]["elements"])


def _blamed(conflicts: list[dict[str, Any]]) -> tuple[str, ...]:
    """Keys that both sides changed. Nessie 0.99 lists the other keys of the merge too, as KEY_CONFLICT."""
    named = [conflict for conflict in conflicts if conflict.get("key")]
    blamed = [conflict for conflict in named if conflict.get("conflictType") != "KEY_CONFLICT"]
    return tuple(sorted(_key(conflict) for conflict in blamed or named))


def _content(answer: httpx.Response) -> dict[str, Any]:
    """The answer's JSON; raises when it is an error."""
    if not answer.is_error:
        found: dict[str, Any] = answer.json()
        return found
    request = answer.request
    message = f"{request.method} {request.url.path} answers {answer.status_code}: {answer.text.strip()}"
    if answer.is_server_error:
        raise NessieUnavailableError(message)
    if answer.status_code == httpx.codes.CONFLICT:
        try:
            conflicts = (answer.json().get("errorDetails") or {}).get("conflicts", [])
        except ValueError:
            conflicts = []
        if keys := _blamed(conflicts):
            raise NessieConflictError(message, keys)
    raise NessieError(message)
