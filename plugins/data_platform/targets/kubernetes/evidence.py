"""Reads what `faults` judges: pods, events, claims, nodes and logs of one component."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from data_platform.clients.kubernetes_errors import ClusterError
from data_platform.targets.kubernetes import places
from data_platform.targets.kubernetes.faults import LINES, Facts

Object = dict[str, Any]


class Reader(Protocol):
    """The part of a cluster's client that looks."""

    def list_objects(self, api_version: str, kind: str, namespace: str = "", labels: str = "") -> list[Object]:
        """All objects of a kind."""

    def logs(
        self, pod: str, namespace: str, *, container: str = "", lines: int | None = None, previous: bool = False
    ) -> str:
        """Log of a container."""


def read(cluster: Reader, component: str, namespace: str, since: str = "") -> Facts:
    """All that may say why a component does not come up.

    Args:
        cluster: where.
        component: which.
        namespace: of the component.
        since: when its deploy began (ISO 8601, UTC); earlier events do not count.
    """
    ours = f"{places.NAME}={component}"
    pods = cluster.list_objects("v1", "Pod", namespace, ours)
    names = {pod["metadata"]["name"] for pod in pods}
    events = [
        event
        for event in cluster.list_objects("v1", "Event", namespace)
        if _is_about(event["involvedObject"], component, names)
    ]
    releases = cluster.list_objects("v1", "Secret", namespace, f"owner=helm,name={component}")
    newest = max(releases, key=lambda secret: int(secret["metadata"]["labels"]["version"]), default=None)
    return Facts(
        pods=pods,
        events=events,
        claims=cluster.list_objects("v1", "PersistentVolumeClaim", namespace, ours),
        classes=[str(c["metadata"]["name"]) for c in cluster.list_objects("storage.k8s.io/v1", "StorageClass")],
        nodes=cluster.list_objects("v1", "Node"),
        logs=_logs(cluster, namespace, pods),
        release=str(newest["metadata"]["labels"]["status"]) if newest else "",
        since=since,
    )


def _is_about(thing: Mapping[str, Any], component: str, pods: set[str]) -> bool:
    """Whether an event is about the component: its objects are called after it, as are those that they make."""
    name = str(thing.get("name", ""))
    return name in pods or name == component or name.startswith(f"{component}-") or f"-{component}-" in name


def _logs(cluster: Reader, namespace: str, pods: list[Object]) -> dict[tuple[str, str], str]:
    """Last lines of containers that are not well: of the try that failed, when there was one."""
    found = {}
    for pod in pods:
        status = pod.get("status") or {}
        for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
            state = container.get("state") or {}
            ended = (state.get("terminated") or {}).get("exitCode") == 0
            if container.get("ready") or ended or not container.get("containerID"):
                continue
            where = (str(pod["metadata"]["name"]), str(container["name"]))
            before = bool(container.get("restartCount")) and "running" not in state
            try:
                found[where] = cluster.logs(
                    where[0], namespace, container=where[1], lines=LINES, previous=before and "waiting" in state
                )
            except ClusterError as error:
                found[where] = f"(its log cannot be read: {error.problem})"
    return found
