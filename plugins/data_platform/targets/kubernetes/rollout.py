"""Workloads of a component: what state they are in, and waiting until they take requests."""

from __future__ import annotations

import time
from collections.abc import Collection
from contextlib import suppress
from typing import Any

from data_platform.checks.base import Deadline
from data_platform.clients.kubernetes import Cluster
from data_platform.clients.kubernetes_errors import NOT_FOUND, ClusterError
from data_platform.stack.errors import PlatformError
from data_platform.targets.kubernetes import places
from data_platform.targets.kubernetes.faults import Facts, explain

Object = dict[str, Any]
_KINDS = ("Deployment", "StatefulSet")
#: An image must be unpacked and a volume made before a process can even start.
_START_SECONDS = 60.0
#: A fault that is there for so long is the reason of a rollout that does not go on.
_FAULT_SECONDS = 60.0
_LINES = 15
#: What the kubelet says, in the place of a log, of a container that the node has removed.
GONE = "unable to retrieve container logs"


class _NotReadyError(Exception):
    """Not all replicas take requests."""


def workloads(cluster: Cluster, component: str, namespace: str) -> list[Object]:
    """Deployments and StatefulSets of a component."""
    chosen = f"{places.NAME}={component}"
    return [found for kind in _KINDS for found in cluster.list_objects("apps/v1", kind, namespace, labels=chosen)]


def pods_of(cluster: Cluster, component: str, namespace: str) -> list[Object]:
    """Pods of a component's processes; those that run to an end (tasks, hooks) are none of them."""
    found = cluster.list_objects("v1", "Pod", namespace, labels=f"{places.NAME}={component},{places.COMPONENT}")
    return [pod for pod in found if pod["spec"].get("restartPolicy", "Always") == "Always"]


def progress(workload: Object) -> str:
    """What is still missing of a workload's rollout, in words; empty when it is done."""
    spec, status, name = workload["spec"], workload.get("status", {}), workload["metadata"]["name"]
    wanted = spec.get("replicas", 1)
    if status.get("observedGeneration", 0) < workload["metadata"].get("generation", 0):
        return f"{name}: the change has not been seen yet"
    ready = status.get("readyReplicas", 0)
    # A StatefulSet that is rolled out says by its revisions that all pods are new.
    old = workload["kind"] == "StatefulSet" and status.get("currentRevision") != status.get("updateRevision")
    if status.get("updatedReplicas", 0) < wanted and (old or workload["kind"] == "Deployment"):
        return f"{name}: {status.get('updatedReplicas', 0)} of {wanted} pods are of the new definition"
    if ready < wanted:
        return f"{name}: {ready} of {wanted} pods are ready"
    if workload["kind"] == "Deployment" and status.get("replicas", 0) > wanted:
        return f"{name}: {status['replicas'] - wanted} old pods have not ended"
    return ""


def unready(cluster: Cluster, component: str, namespace: str) -> list[str]:
    """What is missing of a component's workloads."""
    return [text for each in workloads(cluster, component, namespace) if (text := progress(each))]


def states(cluster: Cluster, component: str, namespace: str) -> dict[str, str]:
    """State of each workload: RUNNING, STARTING, STOPPED or FATAL, as supervisor would say."""
    failing = {
        pod["metadata"]["labels"].get(places.COMPONENT, "")
        for pod in pods_of(cluster, component, namespace)
        for status in pod.get("status", {}).get("containerStatuses", [])
        if status.get("state", {}).get("waiting", {}).get("reason") in ("CrashLoopBackOff", "ErrImageNeverPull")
    }
    found = {}
    for each in workloads(cluster, component, namespace):
        process = each["metadata"]["labels"].get(places.COMPONENT, each["metadata"]["name"])
        if each["spec"].get("replicas", 1) == 0:
            found[process] = "STOPPED"
        elif not progress(each):
            found[process] = "RUNNING"
        else:
            found[process] = "FATAL" if process in failing else "STARTING"
    return found


def condition(of_processes: Collection[str]) -> str:
    """One word for a component, from the states of its workloads."""
    if not of_processes:
        return "stopped"
    if set(of_processes) == {"RUNNING"}:
        return "running"
    if "FATAL" in of_processes:
        return "failed"
    return "stopped" if set(of_processes) == {"STOPPED"} else "starting"


def wait(cluster: Cluster, component: str, namespace: str, seconds: float) -> None:
    """Return when all workloads of a component are rolled out.

    Raises:
        PlatformError: they are not in time, or the same fault is there for a minute; it names the object.
    """
    deadline, since = Deadline(seconds + _START_SECONDS), time.monotonic()
    known = ""

    def look() -> None:
        nonlocal known, since
        missing = unready(cluster, component, namespace)
        if not missing and workloads(cluster, component, namespace):
            return
        fault = why(cluster, component, namespace, certain=True)
        if fault is None or fault.problem != known:
            known, since = fault.problem if fault else "", time.monotonic()
        elif time.monotonic() - since > _FAULT_SECONDS:
            raise fault
        raise _NotReadyError("; ".join(missing) or "there is no workload yet")

    try:
        deadline.retry(look, on=_NotReadyError)
    except _NotReadyError as error:
        raise why(cluster, component, namespace) or PlatformError(
            f"{component} takes no requests after {deadline.seconds:.0f} s: {error}\n"
            f"{logs(cluster, component, namespace, 25)}",
            f"python3 -m bootstrap logs {component}; when mended, run it again",
        ) from None


def why(cluster: Cluster, component: str, namespace: str, *, certain: bool = False) -> PlatformError | None:
    """What is known to be wrong with a component's pods; None when nothing is.

    Args:
        cluster: where.
        component: which.
        namespace: of the component.
        certain: leave out what may pass by itself.
    """
    chosen = f"{places.NAME}={component}"
    pods = pods_of(cluster, component, namespace)
    failing = [
        (pod["metadata"]["name"], status["name"], status.get("restartCount", 0) > 0)
        for pod in pods
        for kind in ("initContainerStatuses", "containerStatuses")
        for status in pod.get("status", {}).get(kind, [])
        if not status.get("ready")
    ]
    said = {(pod, container): _said(cluster, namespace, pod, container, again) for pod, container, again in failing}
    found = Facts(
        pods=pods,
        workloads=workloads(cluster, component, namespace),
        events=cluster.list_objects("v1", "Event", namespace),
        claims=cluster.list_objects("v1", "PersistentVolumeClaim", namespace, labels=chosen),
        classes=[c["metadata"]["name"] for c in cluster.list_objects("storage.k8s.io/v1", "StorageClass")],
        nodes=cluster.list_objects("v1", "Node"),
        logs=said,
    )
    return explain(component, namespace, found, certain=certain)


def _said(cluster: Cluster, namespace: str, pod: str, container: str, again: bool) -> str:
    """The last lines of a container: of its last try, as long as the node keeps them, or of the one that goes on."""
    for previous in (True, False) if again else (False,):
        with suppress(ClusterError):
            text = cluster.logs(pod, namespace, container=container, lines=_LINES, previous=previous)
            if text and not text.startswith(GONE):
                return text
    return ""


def ready_pod(cluster: Cluster, component: str, namespace: str) -> str:
    """Name of a pod that takes requests.

    Raises:
        ClusterError: there is none.
    """
    for pod in pods_of(cluster, component, namespace):
        conditions = {c["type"]: c["status"] for c in pod.get("status", {}).get("conditions", [])}
        if conditions.get("Ready") == "True":
            return str(pod["metadata"]["name"])
    raise ClusterError(
        f"no pod of {component} in {namespace} is ready", f"python3 -m bootstrap logs {component}", NOT_FOUND
    )


def logs(cluster: Cluster, component: str, namespace: str, lines: int) -> str:
    """The last lines of each pod."""
    parts = []
    for pod in pods_of(cluster, component, namespace):
        name = pod["metadata"]["name"]
        for container in pod["spec"]["containers"]:
            try:
                text = cluster.logs(name, namespace, container=container["name"], lines=lines)
            except ClusterError as error:
                text = f"no log: {error.problem}"
            parts += [f"--- {name} {container['name']}", text.rstrip()]
    return "\n".join(parts)
