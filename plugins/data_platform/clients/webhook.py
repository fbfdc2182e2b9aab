"""Messages to an address outside of the platform. The address is a secret: who knows it can write there."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import NamedTuple, Protocol

import httpx
from tenacity import RetryCallState, RetryError, Retrying, retry_if_result, stop_after_delay, wait_exponential

#: Deadlines of one try, and of all of them: whoever tells of a failure must come to its end.
_SECONDS, _ALL_SECONDS = 10.0, 60.0
#: Between two tries. A channel that asks for patience by `Retry-After` is given it, up to the longest pause.
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 15.0
_TOO_MANY = httpx.codes.TOO_MANY_REQUESTS
_SCHEMES = ("http", "https")


class Connection(Protocol):
    """The part of an Airflow connection that says where a message goes."""

    conn_type: str | None
    host: str | None
    port: int | None
    #: `http` or `https`; of a connection that was written as a URI, its path.
    schema: str | None
    login: str | None
    password: str | None

    @property
    def extra_dejson(self) -> Mapping[str, object]:
        """What else it says; of a connection that was written as a URI, its query."""


class Address(NamedTuple):
    """Where a message goes, and as whom."""

    url: str
    login: tuple[str, str] | None = None


class _Try(NamedTuple):
    """Outcome of one try: why it was not delivered, whether another one may be, and the pause that was asked for."""

    problem: str
    again: bool = False
    pause: float = 0.0


def address_of(connection: Connection) -> Address:
    """The address that an Airflow connection means, by the rules of Airflow's own HTTP hook.

    Its host may be a whole URL, or a host with or without a path beside `schema` and `port`. A connection that was
    given as a URI (`https://hooks.example.org/services/T0?sig=1`) has the scheme as its type, the path as its schema
    and the query as its extra.

    Raises:
        ValueError: it names no host; the message holds nothing of the connection.
    """
    host, schema = (connection.host or "").strip(), (connection.schema or "").strip()
    if not host:
        raise ValueError("it has no host")
    is_uri = bool(schema) and schema not in _SCHEMES and "://" not in host
    if "://" not in host:
        scheme = schema if schema in _SCHEMES else connection.conn_type
        name, slash, rest = host.partition("/")
        name = f"[{name}]" if name.count(":") > 1 and not name.startswith("[") else name
        host = f"{scheme if scheme in _SCHEMES else _SCHEMES[0]}://{name}{slash}{rest}"
    host = f"{host.rstrip('/')}/{schema.lstrip('/')}" if is_uri else host
    try:
        url = httpx.URL(host)
    except httpx.InvalidURL:
        raise ValueError("its host is no address") from None
    if is_uri and connection.extra_dejson:
        url = url.copy_merge_params({key: str(value) for key, value in connection.extra_dejson.items()})
    if connection.port and url.port is None:
        url = url.copy_with(port=connection.port)
    login = (connection.login or "", connection.password or "")
    return Address(str(url), login if any(login) else None)


def deliver(address: Address, message: Mapping[str, object], transport: httpx.BaseTransport | None = None) -> str:
    """Post a message as JSON, again for a minute while the channel is away or asks for patience.

    Proxies of the environment are used: the address may be anywhere. Nothing that is logged or returned names it.

    Args:
        address: where it goes.
        message: what is sent.
        transport: stands in for the network in tests.

    Returns:
        Why it was not delivered; empty when it was.
    """
    # httpx logs the address of every request.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    tries = Retrying(
        stop=stop_after_delay(_ALL_SECONDS), wait=_pause, retry=retry_if_result(lambda outcome: outcome.again)
    )
    try:
        return tries(_post, address, message, transport).problem
    except RetryError as error:
        last: _Try = error.last_attempt.result()
        return f"{last.problem} ({error.last_attempt.attempt_number} tries)"


def _pause(state: RetryCallState) -> float:
    usual = wait_exponential(multiplier=_FIRST_PAUSE, max=_LONGEST_PAUSE)(state)
    asked = state.outcome.result().pause if state.outcome else 0.0
    return min(max(usual, asked), _LONGEST_PAUSE)


def _post(address: Address, message: Mapping[str, object], transport: httpx.BaseTransport | None) -> _Try:
    try:
        with httpx.Client(timeout=_SECONDS, transport=transport, auth=address.login) as client:
            answer = client.post(address.url, json=dict(message))
    except httpx.TransportError as error:
        # What these say may hold the address. One of no scheme that there is will not do at the next try either.
        return _Try(type(error).__name__, again=not isinstance(error, httpx.UnsupportedProtocol))
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return _Try(type(error).__name__)
    if answer.is_success:
        return _Try("")
    told = f"it was answered with {answer.status_code} {answer.reason_phrase}"
    wanted = answer.headers.get("Retry-After", "")
    return _Try(
        told, answer.is_server_error or answer.status_code == _TOO_MANY, float(wanted) if wanted.isdecimal() else 0
    )
