"""NiFi's REST API: process groups, processors, connections and what is in their queues."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self, TypeVar

import httpx
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_exponential

from data_platform.clients import http

#: NiFi's own name for the group that holds everything.
ROOT = "root"

T = TypeVar("T")
RunState = Literal["RUNNING", "STOPPED", "RUN_ONCE"]


class NiFiError(Exception):
    """NiFi refused a request, or did not finish it in time; the message is NiFi's own."""


class Group(NamedTuple):
    """A process group."""

    id: str
    name: str


class NiFi:
    """A session with one NiFi. Use it as a context manager.

    Every method raises NiFiError when NiFi refuses, and httpx.HTTPError when it cannot be reached.
    """

    def __init__(self, url: str, seconds: float, transport: httpx.BaseTransport | None = None) -> None:
        """Prepare a session; nothing is sent yet.

        Args:
            url: NiFi's address without path.
            seconds: deadline of one request, and of one request that NiFi works on in the background.
            transport: stands in for the network in tests.
        """
        self._seconds = seconds
        self._http = http.client(f"{url}/nifi-api", seconds)
        if transport is not None:
            self._http = httpx.Client(base_url=f"{url}/nifi-api", transport=transport, trust_env=False)

    def __enter__(self) -> Self:
        """Begin the session."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close its connections."""
        self._http.close()

    def groups(self, parent: str = ROOT) -> list[Group]:
        """Process groups directly in a group."""
        found = self._json("GET", f"/process-groups/{parent}/process-groups")["processGroups"]
        return [Group(g["id"], g["component"]["name"]) for g in found]

    def create_group(self, name: str, parent: str = ROOT) -> Group:
        """Make an empty process group."""
        made = self._create(f"/process-groups/{parent}/process-groups", {"name": name, "position": {"x": 0, "y": 0}})
        return Group(made["id"], name)

    def delete_group(self, group: str) -> None:
        """Stop a process group with its services, drop what is in its queues, and delete it with all in it."""
        self._json("PUT", f"/flow/process-groups/{group}", {"id": group, "state": "STOPPED"})
        self._in_background(f"/process-groups/{group}/empty-all-connections-requests", "dropRequest")

        def delete() -> str:
            # What has just been told to stop may still have a thread; NiFi answers 409 until that has ended.
            services = {"id": group, "state": "DISABLED"}
            refused = self._http.put(f"/flow/process-groups/{group}/controller-services", json=services)
            if refused.status_code != httpx.codes.CONFLICT:
                self._checked(refused)
                version = self._json("GET", f"/process-groups/{group}")["revision"]["version"]
                refused = self._http.delete(f"/process-groups/{group}", params={"version": version})
            if refused.status_code != httpx.codes.CONFLICT:
                self._checked(refused)
                return ""
            return refused.text

        self._repeat(delete, until=lambda refusal: not refusal, doing=f"deleting the process group {group}")

    def create_processor(
        self,
        group: str,
        kind: str,
        properties: Mapping[str, str] | None = None,
        *,
        schedule: str = "0 sec",
        terminated: tuple[str, ...] = (),
    ) -> str:
        """Make a stopped processor and return its id.

        Args:
            group: where.
            kind: class name, such as org.apache.nifi.processors.standard.GenerateFlowFile.
            properties: by the API's names of them, which often differ from those that NiFi's pages show.
            schedule: time between two runs, as NiFi writes it.
            terminated: relationships whose flow files end here.

        Raises:
            NiFiError: it has no such property. NiFi itself would take the name for a new attribute.
        """
        wanted = dict(properties or {})
        made = self._create(
            f"/process-groups/{group}/processors",
            {
                "type": kind,
                "position": {"x": 0, "y": 0},
                "config": {
                    "properties": wanted,
                    "schedulingPeriod": schedule,
                    "autoTerminatedRelationships": list(terminated),
                },
            },
        )
        descriptors = made["component"]["config"]["descriptors"]
        known = [name for name, descriptor in descriptors.items() if not descriptor.get("dynamic")]
        if unknown := [name for name in wanted if name not in known]:
            raise NiFiError(f"{kind} has no property {', '.join(unknown)}; it has {', '.join(sorted(known))}")
        return str(made["id"])

    def connect(self, group: str, source: str, relationship: str, destination: str) -> str:
        """Connect two processors of a group and return the connection's id."""
        ends = {
            end: {"id": processor, "groupId": group, "type": "PROCESSOR"}
            for end, processor in (("source", source), ("destination", destination))
        }
        made = self._create(f"/process-groups/{group}/connections", {**ends, "selectedRelationships": [relationship]})
        return str(made["id"])

    def run(self, processor: str, state: RunState) -> None:
        """Start a processor, stop it, or run it once."""
        revision = self._json("GET", f"/processors/{processor}")["revision"]
        self._json("PUT", f"/processors/{processor}/run-status", {"revision": revision, "state": state})

    def queued(self, connection: str) -> list[str]:
        """Ids of the flow files in a connection's queue; the first hundred, by NiFi's own limit."""
        listing = self._in_background(f"/flowfile-queues/{connection}/listing-requests", "listingRequest")
        return [str(summary["uuid"]) for summary in listing["flowFileSummaries"]]

    def content(self, connection: str, flow_file: str) -> bytes:
        """Content of a flow file in a queue."""
        return self._send("GET", f"/flowfile-queues/{connection}/flowfiles/{flow_file}/content").content

    def _create(self, path: str, component: Mapping[str, Any]) -> dict[str, Any]:
        return self._json("POST", path, {"revision": {"version": 0}, "component": component})

    def _in_background(self, path: str, key: str) -> dict[str, Any]:
        """Ask for something that NiFi does in the background, wait for its end, and return the outcome."""
        request: dict[str, Any] = self._json("POST", path)[key]
        place = f"{path}/{request['id']}"

        def look() -> dict[str, Any]:
            found: dict[str, Any] = self._json("GET", place)[key]
            return found

        try:
            done = self._repeat(look, until=lambda found: bool(found["finished"]), doing=path)
        finally:
            self._send("DELETE", place)
        if done.get("failureReason"):
            raise NiFiError(f"{path}: {done['failureReason']}")
        return done

    def _repeat(self, act: Callable[[], T], until: Callable[[T], bool], doing: str) -> T:
        retrying = Retrying(
            stop=stop_after_delay(self._seconds),
            wait=wait_exponential(multiplier=0.02, max=1),
            retry=retry_if_result(lambda found: not until(found)),
        )
        try:
            return retrying(act)
        except RetryError as error:
            raise NiFiError(f"{doing}: not done after {self._seconds:.0f} s: {error.last_attempt.result()}") from None

    def _json(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        found: dict[str, Any] = self._send(method, path, body).json()
        return found

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        return self._checked(self._http.request(method, path, json=body))

    @staticmethod
    def _checked(answer: httpx.Response) -> httpx.Response:
        if answer.is_error:
            asked = answer.request
            raise NiFiError(f"{asked.method} {asked.url.path} answers {answer.status_code}: {answer.text.strip()}")
        return answer
