"""NiFi's REST API: groups, processors, connections and what is in their queues, flow definitions, parameters."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self, TypeVar

import httpx
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_exponential

from data_platform.clients import http
from data_platform.clients.cleanup import removed_after

#: NiFi's own name for the group that holds everything.
ROOT = "root"

T = TypeVar("T")
RunState = Literal["RUNNING", "STOPPED", "RUN_ONCE", "DISABLED"]
#: A flow definition: JSON as NiFi exports it.
Definition = dict[str, Any]


class NiFiError(Exception):
    """NiFi refused a request, or did not finish it in time; the message is NiFi's own."""


class Group(NamedTuple):
    """A process group."""

    id: str
    name: str


class Processor(NamedTuple):
    """A processor and what it is doing."""

    id: str
    name: str
    #: RUNNING, STOPPED, DISABLED, INVALID or VALIDATING.
    state: str
    #: Tasks that it works on now.
    threads: int


class Queue(NamedTuple):
    """A connection and the flow files that wait in it, those that are being worked on included."""

    id: str
    source: str
    destination: str
    flow_files: int


class Status(NamedTuple):
    """What is in a process group, without the groups in it."""

    processors: list[Processor]
    queues: list[Queue]
    #: Nodes whose parts are in it; a NiFi on its own is one. One that does not answer is left out without a word.
    nodes: int = 1


class FlowFile(NamedTuple):
    """A flow file in a queue, and the node of a cluster that holds it."""

    id: str
    node: str | None = None


class Bulletin(NamedTuple):
    """A complaint of a processor."""

    at: str
    level: str
    #: The processor's name.
    source: str
    message: str

    def __str__(self) -> str:
        return f"{self.at} {self.level} {self.source}: {self.message}"


class Parameter(NamedTuple):
    """A parameter of a context; NiFi never tells the value of a sensitive one."""

    name: str
    value: str | None
    description: str
    sensitive: bool = False


class ParameterContext(NamedTuple):
    """A named set of parameters."""

    id: str
    parameters: dict[str, Parameter]


class NiFi:
    """A session with one NiFi. Use it as a context manager.

    Every method raises NiFiError when NiFi refuses, and httpx.HTTPError when it cannot be reached.
    """

    def __init__(
        self, url: str, seconds: float, transport: httpx.BaseTransport | None = None, ca: str | None = None
    ) -> None:
        """Prepare a session; nothing is sent yet.

        Args:
            url: NiFi's address without path.
            seconds: deadline of one request, and of one request that NiFi works on in the background.
            transport: stands in for the network in tests.
            ca: see `http.client`.
        """
        self._seconds = seconds
        self._http = http.client(f"{url}/nifi-api", seconds, ca=ca)
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

    def nodes(self) -> dict[str, str]:
        """State of each node by its address (CONNECTED, DISCONNECTED, …); empty for a NiFi on its own."""
        if not self._json("GET", "/flow/cluster/summary")["clusterSummary"]["clustered"]:
            return {}
        found = self._json("GET", "/controller/cluster")["cluster"]["nodes"]
        return {node["address"]: node["status"] for node in found}

    def kinds(self) -> set[str]:
        """Class names of the processors that it offers."""
        return {kind["type"] for kind in self._json("GET", "/flow/processor-types")["processorTypes"]}

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

        def delete() -> str:
            # What has just been told to stop may still have a thread, which may put something into a queue again;
            # NiFi answers 409 until that has ended.
            self._in_background(f"/process-groups/{group}/empty-all-connections-requests", "dropRequest")
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

    def upload(self, name: str, definition: Definition, x: float = 0) -> Group:
        """Make a process group from a flow definition; everything in it is stopped.

        Args:
            name: of the group.
            definition: the flow.
            x: where on the canvas, from the left.
        """
        answer = self._http.post(
            f"/process-groups/{ROOT}/process-groups/upload",
            data={"groupName": name, "positionX": str(x), "positionY": "0", "clientId": "data-platform"},
            files={"file": ("flow.json", json.dumps(definition).encode(), "application/json")},
        )
        return Group(str(self._checked(answer).json()["id"]), name)

    def download(self, group: str) -> Definition:
        """The flow definition of a process group, without secrets and without what is in its queues."""
        return self._json("GET", f"/process-groups/{group}/download?includeReferencedServices=true")

    def replace(self, group: str, definition: Definition) -> None:
        """Make a process group as a definition says. What stays keeps its queue.

        Raises:
            NiFiError: a connection that the definition does not have holds flow files.
        """
        revision = self._json("GET", f"/process-groups/{group}")["revision"]
        self._in_background(
            f"/process-groups/{group}/replace-requests",
            "request",
            {"processGroupRevision": revision, "versionedFlowSnapshot": definition},
            at="/process-groups/replace-requests",
        )

    def set_comments(self, group: str, text: str) -> None:
        """Change what a process group says of itself."""
        revision = self._json("GET", f"/process-groups/{group}")["revision"]
        self._json(
            "PUT", f"/process-groups/{group}", {"revision": revision, "component": {"id": group, "comments": text}}
        )

    def run_group(self, group: str, state: Literal["RUNNING", "STOPPED"]) -> None:
        """Start or stop all processors of a group that are not disabled; after a stop none of them has a task left."""
        self._json("PUT", f"/flow/process-groups/{group}", {"id": group, "state": state})
        if state == "STOPPED":
            self._repeat(
                lambda: [p.name for p in self.status(group).processors if p.threads or p.state == "RUNNING"],
                until=lambda busy: not busy,
                doing=f"stopping the process group {group}",
            )

    def status(self, group: str) -> Status:
        """Processors and queues of a group, as they are now, on all nodes that answer."""
        whole = self._json("GET", f"/flow/process-groups/{group}/status?nodewise=true")["processGroupStatus"]
        found = whole["aggregateSnapshot"]
        processors = [item["processorStatusSnapshot"] for item in found["processorStatusSnapshots"]]
        queues = [item["connectionStatusSnapshot"] for item in found["connectionStatusSnapshots"]]
        return Status(
            [Processor(p["id"], p["name"], p["runStatus"].upper(), p["activeThreadCount"]) for p in processors],
            [Queue(q["id"], q["sourceName"], q["destinationName"], q["flowFilesQueued"]) for q in queues],
            len(whole.get("nodeSnapshots") or ("on its own",)),
        )

    def bulletins(self, group: str) -> list[Bulletin]:
        """What the processors of a group complained of in the last five minutes, oldest first."""
        found = self._json("GET", f"/flow/bulletin-board?groupId={group}")["bulletinBoard"]["bulletins"]
        told = [item["bulletin"] for item in found if item.get("bulletin")]
        return [
            # NiFi begins a message with the processor's class and id.
            Bulletin(
                b["timestamp"], b["level"], b.get("sourceName", ""), re.sub(r"^\w+\[id=[^]]*\] ", "", b["message"])
            )
            for b in told
        ]

    def parameters(self, name: str) -> ParameterContext | None:
        """The parameter context of a name; None where there is none."""
        for item in self._json("GET", "/flow/parameter-contexts")["parameterContexts"]:
            if item["component"]["name"] == name:
                whole = self._json("GET", f"/parameter-contexts/{item['id']}")["component"]["parameters"]
                listed = [entry["parameter"] for entry in whole]
                return ParameterContext(
                    item["id"],
                    {
                        p["name"]: Parameter(p["name"], value, p.get("description") or "", p["sensitive"])
                        for p in listed
                        for value in [None if p["sensitive"] else p.get("value")]
                    },
                )
        return None

    def set_parameters(self, context: str, name: str, set_: Iterable[Parameter], removed: Iterable[str] = ()) -> None:
        """Set parameters of a context, and remove some that nothing uses. NiFi restarts processors that use them."""
        revision = self._json("GET", f"/parameter-contexts/{context}")["revision"]
        # A name with nothing else means that the parameter is to go.
        told = [p._asdict() for p in set_] + [{"name": gone} for gone in removed]
        component = {"id": context, "name": name, "parameters": [{"parameter": entry} for entry in told]}
        body = {"id": context, "revision": revision, "component": component}
        self._in_background(f"/parameter-contexts/{context}/update-requests", "request", body)

    def delete_parameters(self, context: str) -> None:
        """Delete a parameter context that no group uses."""
        revision = self._json("GET", f"/parameter-contexts/{context}")["revision"]
        self._json("DELETE", f"/parameter-contexts/{context}?version={revision['version']}")

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

    def queued(self, connection: str) -> list[FlowFile]:
        """The flow files in a connection's queue; the first hundred, by NiFi's own limit."""
        listing = self._in_background(f"/flowfile-queues/{connection}/listing-requests", "listingRequest")
        return [FlowFile(found["uuid"], found.get("clusterNodeId")) for found in listing["flowFileSummaries"]]

    def content(self, connection: str, flow_file: FlowFile) -> bytes:
        """Content of a flow file in a queue."""
        at = f"?clusterNodeId={flow_file.node}" if flow_file.node else ""
        return self._send("GET", f"/flowfile-queues/{connection}/flowfiles/{flow_file.id}/content{at}").content

    def _create(self, path: str, component: Mapping[str, Any]) -> dict[str, Any]:
        return self._json("POST", path, {"revision": {"version": 0}, "component": component})

    def _in_background(
        self, path: str, key: str, body: Mapping[str, Any] | None = None, at: str | None = None
    ) -> dict[str, Any]:
        """Ask for something that NiFi does in the background, wait for its end, and return the outcome.

        Args:
            path: where to ask.
            key: of the request in NiFi's answers.
            body: what to ask.
            at: where the request is looked at; by default where it was asked.
        """
        request: dict[str, Any] = self._json("POST", path, body)[key]
        place = f"{at or path}/{request.get('id') or request['requestId']}"

        def look() -> dict[str, Any]:
            found: dict[str, Any] = self._json("GET", place)[key]
            return found

        def is_done(found: Mapping[str, Any]) -> bool:
            return bool(found.get("finished") or found.get("complete"))

        # NiFi forgets a request by itself after a while.
        with removed_after(lambda: self._send("DELETE", place), f"NiFi's request {place}"):
            done = self._repeat(look, until=is_done, doing=path)
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
