"""Messages to an address outside of the platform."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

_SECONDS = 10.0


def deliver(url: str, message: Mapping[str, object], transport: httpx.BaseTransport | None = None) -> str:
    """Post a message as JSON. Proxies of the environment are used: the address may be anywhere.

    Args:
        url: where it goes.
        message: what is sent.
        transport: stands in for the network in tests.

    Returns:
        Why it was not delivered; empty when it was.
    """
    try:
        with httpx.Client(timeout=_SECONDS, transport=transport) as client:
            client.post(url, json=dict(message)).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return str(error) or type(error).__name__
    return ""
