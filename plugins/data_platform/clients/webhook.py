"""Messages to an address outside of the platform. The address is a secret: who knows it can write there."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import httpx

_SECONDS = 10.0


def deliver(url: str, message: Mapping[str, object], transport: httpx.BaseTransport | None = None) -> str:
    """Post a message as JSON. Proxies of the environment are used: the address may be anywhere.

    Nothing that is logged or returned names the address.

    Args:
        url: where it goes.
        message: what is sent.
        transport: stands in for the network in tests.

    Returns:
        Why it was not delivered; empty when it was.
    """
    # httpx logs the address of every request.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        with httpx.Client(timeout=_SECONDS, transport=transport) as client:
            answer = client.post(url, json=dict(message))
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        # What these say may hold the address.
        return type(error).__name__
    return "" if answer.is_success else f"it was answered with {answer.status_code} {answer.reason_phrase}"
