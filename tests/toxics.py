"""What can be wrong with a network, and how a drill makes it so: toxiproxy's own API (2.5.0)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self

import httpx

from data_platform.clients import http
from data_platform.clients.cleanup import removed_after

_SECONDS = 30.0
#: Answers go down, requests up.
Direction = Literal["downstream", "upstream"]


@dataclass(frozen=True)
class Toxic:
    """What toxiproxy does to the data of one direction.

    Attributes:
        kind: as toxiproxy calls it.
        attributes: of that kind, in its units: milliseconds, bytes, kilobytes a second.
        direction: of the data.
    """

    kind: str
    attributes: tuple[tuple[str, int], ...] = ()
    direction: Direction = "downstream"

    @property
    def body(self) -> dict[str, Any]:
        """As its API takes it."""
        name = f"{self.kind}_{self.direction}"
        return {"name": name, "type": self.kind, "stream": self.direction, "attributes": dict(self.attributes)}


def _both(kind: str, **attributes: int) -> tuple[Toxic, ...]:
    pairs = tuple(attributes.items())
    return Toxic(kind, pairs, "upstream"), Toxic(kind, pairs, "downstream")


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a network.

    Attributes:
        name: in one or two words.
        means: what it is, in a sentence.
        toxics: what makes it; none where nobody listens any more.
        breaks: whether no answer arrives at all, so that nothing that needs one can be done meanwhile.
    """

    name: str
    means: str
    toxics: tuple[Toxic, ...] = ()
    breaks: bool = False


_NOTHING_PASSES = (("timeout", 0),)
FAULTS = (
    Fault(
        "slow",
        "Each answer comes 200 ms later, give or take 100.",
        (Toxic("latency", (("latency", 200), ("jitter", 100))),),
    ),
    Fault("narrow", "100 kB a second pass, in each direction.", _both("bandwidth", rate=100)),
    Fault("refused", "Connections are closed, and new ones are refused.", breaks=True),
    Fault(
        "reset",
        "Connections are made, and reset when the first answer comes.",
        (Toxic("reset_peer", (("timeout", 0),)),),
        breaks=True,
    ),
    Fault(
        "no answer",
        "Connections are made and requests arrive; answers vanish, and nothing is closed.",
        (Toxic("timeout", _NOTHING_PASSES),),
        breaks=True,
    ),
    Fault(
        "no request",
        "Connections are made; requests vanish, and nothing is closed.",
        (Toxic("timeout", _NOTHING_PASSES, "upstream"),),
        breaks=True,
    ),
    Fault(
        "late end",
        "Connections that one side has closed stay open for the other one for 5 s.",
        _both("slow_close", delay=5000),
    ),
    Fault(
        "cut short",
        "A connection is closed after 1000 bytes of answers, in the middle of one.",
        (Toxic("limit_data", (("bytes", 1000),)),),
    ),
)


class Toxiproxy:
    """A session with one toxiproxy. Use it as a context manager.

    Every method raises httpx.HTTPError: when it cannot be reached, and with its own words when it refuses.
    """

    def __init__(self, url: str, transport: httpx.BaseTransport | None = None) -> None:
        """Prepare a session; nothing is sent yet.

        Args:
            url: its API's address.
            transport: stands in for the network in tests.
        """
        self._http = (
            http.client(url, _SECONDS)
            if transport is None
            else httpx.Client(base_url=url, transport=transport, trust_env=False)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def ways(self) -> dict[str, bool]:
        """Name of every proxy, and whether it is sound: it listens, and has no toxic."""
        found = self._send("GET", "/proxies").json()
        return {name: bool(proxy["enabled"] and not proxy["toxics"]) for name, proxy in found.items()}

    def reset(self) -> None:
        """Make all proxies sound."""
        self._send("POST", "/reset")

    @contextmanager
    def broken(self, way: str, fault: Fault) -> Iterator[None]:
        """While it lasts a fault is on a way, for connections that are there too; all are sound before and after.

        Raises:
            AssertionError: something else is still wrong, so that two faults would be taken for one.
        """
        self._require_sound()
        with removed_after(self.reset, f"the fault {fault.name} of {way}", required=True):
            if not fault.toxics:
                self._send("POST", f"/proxies/{way}", {"enabled": False})
            for toxic in fault.toxics:
                self._send("POST", f"/proxies/{way}/toxics", toxic.body)
            yield
        self._require_sound()

    def _require_sound(self) -> None:
        ways = self.ways()
        assert ways, "toxiproxy has no proxies: its log says which port is taken"
        broken = [name for name, sound in ways.items() if not sound]
        assert not broken, f"something is wrong already with {', '.join(broken)}"

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        answer = self._http.request(method, path, json=body)
        if answer.is_error:
            # Its own words are in the body; httpx tells of the status alone.
            raise httpx.HTTPStatusError(
                f"{method} {path} answers {answer.status_code}: {answer.text.strip()}",
                request=answer.request,
                response=answer,
            )
        return answer
