"""HTTP on the platform's own addresses."""

from __future__ import annotations

import ssl

import httpx

_SECONDS = 5.0


def client(
    base_url: str = "", seconds: float = _SECONDS, headers: dict[str, str] | None = None, ca: str | None = None
) -> httpx.Client:
    """A client that uses no proxy and no certificate settings of the environment: our servers are on this machine
    or in this cluster.

    Args:
        base_url: prefix of all requests.
        seconds: deadline of one request.
        headers: sent with all requests.
        ca: file with certificates of the authorities that are trusted; None for those that httpx comes with.
    """
    trusted: ssl.SSLContext | bool = ssl.create_default_context(cafile=ca) if ca else True
    return httpx.Client(base_url=base_url, timeout=seconds, headers=headers, trust_env=False, verify=trusted)


def answers(url: str, contains: str = "", ca: str | None = None) -> str:
    """Why a page does not answer as expected; empty when it answers 200 and holds the text. For `ca` see `client`."""
    try:
        with client(ca=ca) as http:
            answer = http.get(url)
    except httpx.HTTPError as error:
        return f"{url}: {error or type(error).__name__}"
    if answer.status_code != httpx.codes.OK:
        return f"{url} answers {answer.status_code}"
    if contains not in answer.text:
        return f"{url} answers without {contains!r}"
    return ""
