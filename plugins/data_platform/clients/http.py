"""HTTP on the platform's own addresses."""

from __future__ import annotations

import httpx

_SECONDS = 5.0


def client(base_url: str = "", seconds: float = _SECONDS, headers: dict[str, str] | None = None) -> httpx.Client:
    """A client that uses no proxy and no certificate settings of the environment: our servers are on this machine
    or in this cluster.

    Args:
        base_url: prefix of all requests.
        seconds: deadline of one request.
        headers: sent with all requests.
    """
    return httpx.Client(base_url=base_url, timeout=seconds, headers=headers, trust_env=False)


def answers(url: str, contains: str = "") -> str:
    """Why a page does not answer as expected; empty when it answers 200 and holds the text."""
    try:
        with client() as http:
            answer = http.get(url)
    except httpx.HTTPError as error:
        return f"{url}: {error or type(error).__name__}"
    if answer.status_code != httpx.codes.OK:
        return f"{url} answers {answer.status_code}"
    if contains not in answer.text:
        return f"{url} answers without {contains!r}"
    return ""
