"""What a namespace looks like, for who has to find out from afar: its objects, events, and all that containers said.

Looks alone. No Secret and no content of a ConfigMap is in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from data_platform.clients.kubernetes import Cluster
from data_platform.clients.kubernetes_errors import ClusterError
from data_platform.targets.kubernetes.rollout import GONE

Object = dict[str, Any]

#: Kinds whose objects say why something does not run. Who made them, and which fields are whose, is left out.
_KINDS = (
    ("v1", "Pod"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("batch/v1", "Job"),
    ("v1", "PersistentVolumeClaim"),
    ("v1", "ResourceQuota"),
    ("v1", "Service"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
)
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Said(NamedTuple):
    """What a container said.

    Attributes:
        pod: its name.
        container: its name.
        previous: whether it is the one before the last restart.
        text: its last lines, or why there is none.
    """

    pod: str
    container: str
    previous: bool
    text: str


def objects(cluster: Cluster, namespace: str) -> Iterator[tuple[str, list[Object]]]:
    """Kinds with their objects.

    Raises:
        ClusterError: they may not be read, or the API server does not answer.
    """
    for api_version, kind in _KINDS:
        yield kind, [_bare(each) for each in cluster.list_objects(api_version, kind, namespace)]


def nodes(cluster: Cluster) -> list[Object]:
    """Nodes without the images that they have."""
    found = [_bare(node) for node in cluster.list_objects("v1", "Node")]
    for node in found:
        node["status"] = {key: value for key, value in node.get("status", {}).items() if key != "images"}
    return found


def _bare(thing: Object) -> Object:
    meta = {key: value for key, value in thing["metadata"].items() if key != "managedFields"}
    if _LAST_APPLIED in (notes := meta.get("annotations") or {}):
        meta["annotations"] = {key: value for key, value in notes.items() if key != _LAST_APPLIED}
    return thing | {"metadata": meta}


def events(cluster: Cluster, namespace: str) -> str:
    """Events, oldest first, one a line."""
    found = []
    for event in cluster.list_objects("v1", "Event", namespace):
        of, series = event.get("involvedObject") or {}, event.get("series") or {}
        at = series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime") or ""
        times = series.get("count") or event.get("count") or 1
        found.append(
            f"{at}  {event.get('type', '')}  {event.get('reason', '')}  {of.get('kind', '')}/{of.get('name', '')}"
            f"  {times}x  {' '.join(str(event.get('message', '')).split())}"
        )
    return "\n".join(sorted(found))


def logs(cluster: Cluster, namespace: str, lines: int) -> Iterator[Said]:
    """The last lines of each container that is or was, of the try before too; what cannot be had says why.

    Raises:
        ClusterError: pods may not be listed, or the API server does not answer.
    """
    for pod in cluster.list_objects("v1", "Pod", namespace):
        name, status = pod["metadata"]["name"], pod.get("status") or {}
        again = {
            each["name"]
            for kind in ("initContainerStatuses", "containerStatuses")
            for each in status.get(kind) or ()
            if each.get("restartCount")
        }
        for kind in ("initContainers", "containers"):
            for container in (spec["name"] for spec in pod["spec"].get(kind) or ()):
                for previous in (False, True) if container in again else (False,):
                    try:
                        text = cluster.logs(name, namespace, container=container, lines=lines, previous=previous)
                    except ClusterError as error:
                        text = f"no log: {error.problem}\n"
                    yield Said(name, container, previous, f"no log: {text}\n" if text.startswith(GONE) else text)
