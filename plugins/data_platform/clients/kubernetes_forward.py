"""A local port that leads to a Service in the cluster."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

from data_platform.clients.kubernetes_errors import NOT_FOUND, ClusterError
from data_platform.clients.kubernetes_streams import FORWARD, Access, Channels, pump
from data_platform.stack.errors import PlatformError

#: A Service's pods are asked for again after this; after a switchover it leads elsewhere.
_FRESH_SECONDS = 1.0
_OPEN_SECONDS = 10.0


class Reader(Protocol):
    """The part of a cluster's client that a forward needs."""

    def get(self, api_version: str, kind: str, name: str, namespace: str = "") -> dict[str, Any] | None:
        """One object."""

    def list_objects(self, api_version: str, kind: str, namespace: str = "", labels: str = "") -> list[dict[str, Any]]:
        """All objects of a kind."""


class Backend(NamedTuple):
    """A port of a pod that is ready."""

    pod: str
    port: int


def backends(service: dict[str, Any], slices: list[dict[str, Any]], port: int) -> list[Backend]:
    """The pods that a Service leads to now, by name.

    Args:
        service: the Service.
        slices: its EndpointSlices.
        port: one of its ports.

    Raises:
        ClusterError: it has no such port.
    """
    named = {int(p["port"]): p.get("name", "") for p in service["spec"].get("ports", [])}
    if port not in named:
        raise ClusterError(
            f"Service {service['metadata']['name']} has no port {port}",
            f"use one of {', '.join(map(str, sorted(named)))}, or add the endpoint to component.yaml",
            NOT_FOUND,
        )
    found = set()
    for piece in slices:
        ports = [int(p["port"]) for p in piece.get("ports") or [] if (p.get("name") or "") == named[port]]
        for endpoint in piece.get("endpoints") or []:
            reference = endpoint.get("targetRef") or {}
            if reference.get("kind") == "Pod" and (endpoint.get("conditions") or {}).get("ready", True):
                found |= {Backend(str(reference["name"]), number) for number in ports}
    return sorted(found)


class Forward:
    """Listens on a local port. Use it as a context manager.

    Args:
        cluster: client.
        access: to its API server.
        service: the Service.
        namespace: where it is.
        port: of the Service.
        local: on which port to listen; a free one for 0.

    Raises:
        OSError: somebody else listens on the local port.

    Attributes:
        host: 127.0.0.1.
        port: the local port.
        problem: what went wrong last; empty when nothing did.
    """

    host = "127.0.0.1"

    def __init__(
        self, cluster: Reader, access: Callable[[], Access], service: str, namespace: str, port: int, *, local: int = 0
    ) -> None:
        self._cluster, self._access = cluster, access
        self._service, self._namespace, self._port = service, namespace, port
        self._known: tuple[float, list[Backend]] = (0.0, [])
        self._turn = 0
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._listener = socket.create_server((self.host, local), backlog=64)
        self.port = int(self._listener.getsockname()[1])
        self.problem = ""

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name=f"forward {self._service}:{self._port}", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the port and all connections through it."""
        with self._lock:
            # Closing alone does not wake a thread that waits in it.
            for each in (self._listener, *self._connections):
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                local, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._connections.add(local)
            threading.Thread(target=self._serve, args=(local,), name="forwarded connection", daemon=True).start()

    def _serve(self, local: socket.socket) -> None:
        try:
            self.problem = pump(self._open(), local) or self.problem
        except PlatformError as error:
            self.problem = str(error)
        finally:
            with self._lock:
                self._connections.discard(local)
            local.close()

    def _open(self) -> Channels:
        """A stream to one of the pods: another one when the first is gone."""
        problem = ClusterError(
            f"Service {self._service} in {self._namespace} has no pod that is ready",
            "look at its pods: python3 -m bootstrap status",
            NOT_FOUND,
        )
        for fresh in (False, True):
            found = self._backends(fresh)
            self._turn += 1
            for index in range(len(found)):
                pod, port = found[(self._turn + index) % len(found)]
                path = f"/api/v1/namespaces/{self._namespace}/pods/{pod}/portforward"
                try:
                    return Channels(self._access(), path, [("ports", str(port))], FORWARD, _OPEN_SECONDS)
                except ClusterError as error:
                    problem = error
        raise problem

    def _backends(self, fresh: bool) -> list[Backend]:
        asked, found = self._known
        if fresh or not found or time.monotonic() - asked > _FRESH_SECONDS:
            service = self._cluster.get("v1", "Service", self._service, self._namespace)
            if service is None:
                raise ClusterError(
                    f"there is no Service {self._service} in {self._namespace}", "deploy the component", NOT_FOUND
                )
            label = f"kubernetes.io/service-name={self._service}"
            slices = self._cluster.list_objects("discovery.k8s.io/v1", "EndpointSlice", self._namespace, label)
            found = backends(service, slices, self._port)
            self._known = (time.monotonic(), found)
        return found
