"""Why a component does not come up, out of what the API says of it: the object to look at, and what to do. Pure.

Each rule looks at one kind of object. The most basic fault is told first, because the others often follow from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from data_platform.stack.errors import PlatformError
from data_platform.targets.kubernetes.refusals import HEALED, HELM, PODS, recognise

Object = dict[str, Any]

RUNBOOK = "docs/runbooks/kubernetes-deploy-is-red.md"
#: Lines of a log that an error shows.
LINES = 15
_NO_IMAGE = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError"}
)
_NO_START = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
#: Rank of what may pass by itself.
_MAY_PASS = 6
_NOT_STARTED = frozenset({"StartError", "ContainerCannotRun"})
_DISK = "free disk on that node (images, logs, volumes); it takes pods again by itself after some minutes"
_WRITTEN = "deploy the component again: it writes its Secrets; if a program is missing, build its image again"


class Facts(NamedTuple):
    """What was seen in a component's namespace, as the API returns it.

    Attributes:
        pods: of the component.
        workloads: Deployments, StatefulSets and Jobs of the component.
        events: of the namespace, those of other components too.
        claims: PersistentVolumeClaims of the component.
        classes: names of the StorageClasses.
        nodes: all nodes.
        logs: last lines of a container's log (of its last try, if it restarts), by (pod, container).
        release: state of its helm release, such as `deployed`; empty when there is none.
    """

    pods: Sequence[Object] = ()
    workloads: Sequence[Object] = ()
    events: Sequence[Object] = ()
    claims: Sequence[Object] = ()
    classes: Sequence[str] = ()
    nodes: Sequence[Object] = ()
    logs: Mapping[tuple[str, str], str] = {}
    release: str = ""


class Fault(NamedTuple):
    """One thing that is wrong.

    Attributes:
        rank: the lower, the more basic.
        problem: what, naming the object.
        remedy: what to do.
    """

    rank: int
    problem: str
    remedy: str


def explain(component: str, namespace: str, facts: Facts, *, certain: bool = False) -> PlatformError | None:
    """The error that says why a component does not come up; None when nothing was seen that is known to be wrong.

    Args:
        component: which.
        namespace: where.
        facts: what was seen.
        certain: leave out what may pass by itself: a server that starts is not ready either.
    """
    found = [fault for fault in faults(component, namespace, facts) if not certain or fault.rank < _MAY_PASS]
    if not found:
        return None
    problems = "\n".join(f"- {fault.problem}" for fault in found)
    remedies = "\n  → ".join(dict.fromkeys(fault.remedy for fault in found))
    return PlatformError(f"{component} in {namespace} does not come up:\n{problems}", remedies)


def of_helm(component: str, namespace: str, output: str) -> PlatformError:
    """The error of a helm command that failed.

    Args:
        component: the release.
        namespace: of the release.
        output: what helm said.
    """
    known = recognise(output, HELM)
    last = "\n".join(output.strip().splitlines()[-LINES:])
    problem, remedy = known or (f"helm failed:\n{last}", f"see {RUNBOOK}")
    return PlatformError(f"the release {component} in {namespace}: {problem}", remedy)


def faults(component: str, namespace: str, facts: Facts) -> list[Fault]:
    """All that is wrong, the most basic first, each once."""
    found = [
        *_of_nodes(facts),
        *_of_release(component, namespace, facts),
        *_of_controllers(facts),
        *(fault for claim in facts.claims for fault in _of_claim(claim, namespace, facts)),
        *(fault for pod in facts.pods for fault in _of_pod(pod, facts)),
    ]
    return sorted(dict.fromkeys(found))


def _of_nodes(facts: Facts) -> Iterator[Fault]:
    for node in facts.nodes:
        name, states = node["metadata"]["name"], _conditions(node)
        if states.get("DiskPressure", {}).get("status") == "True":
            yield Fault(0, _said(f"Node {name} is out of disk (DiskPressure)", states["DiskPressure"]), _DISK)
        elif states.get("Ready", {}).get("status", "True") != "True":
            yield Fault(0, _said(f"Node {name} is not ready", states["Ready"]), f"kubectl describe node {name}")


def _of_release(component: str, namespace: str, facts: Facts) -> Iterator[Fault]:
    if facts.release.startswith("pending-"):
        what = f"the helm release {component} in {namespace} is {facts.release}: a deploy was cut off"
        yield Fault(1, what, HEALED)


def _of_controllers(facts: Facts) -> Iterator[Fault]:
    """Pods that could not even be made: quota, limits, Pod Security, accounts."""
    for workload in facts.workloads:
        who = f"{workload['kind']} {workload['metadata']['name']}"
        if message := _not_made(workload, facts.events):
            problem, remedy = recognise(message, PODS) or (message, f"see {RUNBOOK}")
            yield Fault(2, f"{who} gets no pod: {problem}", remedy)


def _not_made(workload: Object, events: Sequence[Object]) -> str:
    """Why a workload's pods are not made; empty when they are. An event alone says nothing: it is kept for an hour."""
    status, name = workload.get("status") or {}, workload["metadata"]["name"]
    if workload["kind"] == "Deployment":
        failed = _conditions(workload).get("ReplicaFailure", {})
        return str(failed.get("message", "")) if failed.get("status") == "True" else ""
    if workload["kind"] == "Job":
        made = any(status.get(key) for key in ("active", "succeeded", "failed"))
    else:
        made = status.get("replicas", 0) >= workload["spec"].get("replicas", 1)
    return "" if made else _last(events, workload["kind"], name, "FailedCreate")


def _of_claim(claim: Object, namespace: str, facts: Facts) -> Iterator[Fault]:
    phase = (claim.get("status") or {}).get("phase")
    name, wanted = claim["metadata"]["name"], claim["spec"].get("storageClassName")
    size = ((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage", "?")
    who = f"PersistentVolumeClaim {name} in {namespace} ({size}, StorageClass {wanted or 'none'})"
    said = _last(facts.events, "PersistentVolumeClaim", name)
    if phase == "Lost":
        yield Fault(3, f"{who} has lost its volume", "bring its data back from the backup, then delete the claim")
    elif phase != "Pending":
        return
    elif not wanted:
        remedy = "make a StorageClass the default (docs/kubernetes/guard-rails.md); the claim is empty, delete it"
        yield Fault(3, f"{who} is pending: no class is the default", remedy)
    elif wanted not in facts.classes:
        there = ", ".join(sorted(facts.classes)) or "none"
        remedy = "install that class, or name another one (storageClass in the values); the claim is empty, delete it"
        yield Fault(3, f"{who} is pending: there is no such class, only {there}", remedy)
    # Until its pod has a node such a claim waits, and that is right.
    elif said and "first consumer" not in said:
        yield Fault(3, f"{who} is pending: {said}", "look at the provisioner of that class: its log, its room")


def _of_pod(pod: Object, facts: Facts) -> Iterator[Fault]:
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    if status.get("reason") == "Evicted":
        remedy = "free what the node lacks, or lower what the pod uses; its workload makes a new one by itself"
        yield Fault(1, _said(f"Pod {name} was evicted", status), remedy)
        return
    scheduled = _conditions(pod).get("PodScheduled", {})
    if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
        said = str(scheduled.get("message", ""))
        yield Fault(4, f"no node takes the Pod {name}: {said}", _room(said))
        return
    containers = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    specs = {c["name"]: c for kind in ("initContainers", "containers") for c in pod["spec"].get(kind) or ()}
    for container in containers:
        yield from _of_container(name, container, specs.get(container["name"], {}), facts)
    said = _last(facts.events, "Pod", name, "FailedMount")
    if said and any("running" not in (container.get("state") or {}) for container in containers):
        yield Fault(4, f"Pod {name} cannot mount a volume: {said}", _WRITTEN)


def _room(said: str) -> str:
    """What to do when no node takes a pod."""
    if "disk-pressure" in said:
        return _DISK
    if "persistentvolumeclaim" in said.lower():
        return "look at its claims (kubectl get pvc): a pending one is told here too"
    if "Insufficient" in said:
        return "add a node, stop something else, or lower the requests in the values of this size"
    return "make a node that the pod may run on: labels, taints and spread are in the message"


def _of_container(pod: str, container: Mapping[str, Any], spec: Mapping[str, Any], facts: Facts) -> Iterator[Fault]:
    name, state = container["name"], container.get("state") or {}
    who = f"Pod {pod}, container {name}"
    waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
    last = ended or (container.get("lastState") or {}).get("terminated") or {}
    log = "\n".join(f"    {line}" for line in facts.logs.get((pod, name), "").strip().splitlines()[-LINES:])
    if waiting.get("reason") in _NO_IMAGE:
        image = spec.get("image") or container.get("image", "?")
        what = _said(f"{who}: the image {image} is not there ({waiting['reason']})", waiting)
        yield Fault(4, what, _image_remedy(str(spec.get("imagePullPolicy", ""))))
    elif waiting.get("reason") in _NO_START:
        yield Fault(4, _said(f"{who} cannot start", waiting), _WRITTEN)
    elif last.get("reason") in _NOT_STARTED and "running" not in state:
        yield Fault(4, _said(f"{who} cannot start", last), _WRITTEN)
    elif last.get("reason") == "OOMKilled":
        limit = ((spec.get("resources") or {}).get("limits") or {}).get("memory", "none")
        what = f"{who} took more than its memory limit of {limit} and was killed (OOMKilled)"
        yield Fault(5, _with(what, log), "raise its memory in the values of this size, then deploy again")
    elif waiting.get("reason") == "CrashLoopBackOff" or ended.get("exitCode"):
        tries = container.get("restartCount", 0)
        what = f"{who} ended with {last.get('exitCode', '?')} ({tries} restarts); its last lines"
        remedy = f"mend what its log says; all of it: kubectl logs {pod} -c {name} --previous"
        yield Fault(5, _with(what, log or "    (none)"), remedy)
    elif "running" in state and not container.get("ready") and (said := _last(facts.events, "Pod", pod, "Unhealthy")):
        yield Fault(_MAY_PASS, _with(f"{who} runs and is not ready: {said}", log), f"kubectl logs {pod} -c {name}")


def _image_remedy(policy: str) -> str:
    if policy == "Never":
        return "bring the image onto each node (docs/how-to/air-gapped.md)"
    return (
        "build the images (python3 -m bootstrap images build) and push them where the values say "
        "(python3 -m bootstrap images push HOST/PATH), or bring them onto each node (docs/how-to/air-gapped.md)"
    )


def _conditions(thing: Object) -> dict[str, dict[str, Any]]:
    return {condition["type"]: condition for condition in (thing.get("status") or {}).get("conditions") or ()}


def _said(what: str, source: Mapping[str, Any]) -> str:
    message = str(source.get("message") or "").strip()
    return f"{what}: {message}" if message else what


def _with(what: str, log: str) -> str:
    return f"{what}:\n{log}" if log else what


def _time(event: Object) -> str:
    series = (event.get("series") or {}).get("lastObservedTime")
    return str(series or event.get("lastTimestamp") or event.get("eventTime") or "")


def _last(events: Iterable[Object], kind: str, name: str, reason: str = "") -> str:
    """The newest message about an object."""
    found = [
        (_time(event), str(event.get("message", "")))
        for event in events
        if event["involvedObject"].get("kind") == kind
        and event["involvedObject"].get("name") == name
        and reason in ("", event.get("reason"))
    ]
    return max(found, default=("", ""))[1]
