"""Nessie's REST API (v2): branches of the table catalog."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from data_platform.clients import http


class NessieError(Exception):
    """Nessie refused a request; the message is Nessie's own."""


class Nessie:
    """A session with one Nessie. Use it as a context manager.

    Every method raises NessieError when Nessie refuses, and httpx.HTTPError when it cannot be reached.
    """

    def __init__(self, url: str, seconds: float, transport: httpx.BaseTransport | None = None) -> None:
        """Prepare a session; nothing is sent yet.

        Args:
            url: Nessie's address without path.
            seconds: deadline of one request.
            transport: stands in for the network in tests.
        """
        base = f"{url}/api/v2"
        self._http = (
            http.client(base, seconds)
            if transport is None
            else httpx.Client(base_url=base, transport=transport, trust_env=False)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def branches(self) -> dict[str, str]:
        """Name and newest commit of every branch."""
        found: dict[str, str] = {}
        token = ""
        while True:
            page = self._json("GET", "/trees", params={"page-token": token} if token else {})
            found |= {str(r["name"]): str(r["hash"]) for r in page["references"] if r["type"] == "BRANCH"}
            if not page.get("hasMore"):
                return found
            token = str(page["token"])

    def create_branch(self, name: str, source: str) -> str:
        """Make a branch at the newest commit of another one and return that commit."""
        origin = self._json("GET", f"/trees/{quote(source, safe='')}", params={})["reference"]
        made = self._json("POST", "/trees", params={"name": name, "type": "BRANCH"}, body=origin)["reference"]
        return str(made["hash"])

    def delete_branch(self, name: str, commit: str) -> None:
        """Remove a branch, if it still is at that commit. Commits stay."""
        self._json("DELETE", f"/trees/{quote(name, safe='')}@{commit}", params={"type": "BRANCH"})

    def _json(self, method: str, path: str, params: dict[str, str], body: Any = None) -> dict[str, Any]:
        answer = self._http.request(method, path, params=params, json=body)
        if answer.is_error:
            raise NessieError(f"{method} {answer.request.url.path} answers {answer.status_code}: {answer.text.strip()}")
        found: dict[str, Any] = answer.json()
        return found
