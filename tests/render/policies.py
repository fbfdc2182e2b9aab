"""What must be true of everything that a chart renders. Each policy says what is wrong with one release."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from data_platform.stack.load import KUBERNETES, load_stack
from data_platform.targets.kubernetes.permissions import permissions

ROOT = Path(__file__).resolve().parents[2]
Object = dict[str, Any]
Problems = Iterator[str]

WORKLOADS = ("Deployment", "StatefulSet")
_STABLE = {"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component"}
_LABELS = {*_STABLE, "app.kubernetes.io/part-of", "app.kubernetes.io/version", "app.kubernetes.io/managed-by"}
_PINNED = re.compile(r"^[^\s:]+(:\d+/[^\s:]+)?(:[\w][\w.-]*|@sha256:[0-9a-f]{64})$")
_SECRET_NAME = re.compile(r"PASSWORD|SECRET|TOKEN|PRIVATE|CREDENTIAL|_KEY$", re.IGNORECASE)
#: Kinds without a namespace that a chart may make.
_CLUSTER_WIDE = {"StorageClass"}
#: Volume types that the Pod Security level `restricted` allows.
_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}


def name(thing: Object) -> str:
    """`Kind/name`."""
    return f"{thing['kind']}/{thing['metadata']['name']}"


def workloads(objects: list[Object]) -> list[Object]:
    """Deployments and StatefulSets."""
    return [thing for thing in objects if thing["kind"] in WORKLOADS]


def pods(objects: list[Object]) -> list[tuple[Object, Object]]:
    """Objects that make pods, each with its pod template."""
    return [(thing, thing["spec"]["template"]) for thing in objects if thing["kind"] in (*WORKLOADS, "Job")]


def containers(objects: list[Object]) -> list[tuple[str, Object]]:
    """All containers, with `Kind/name`."""
    return [
        (name(thing), container)
        for thing, pod in pods(objects)
        for container in (*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"])
    ]


def requests_and_limits_are_set(objects: list[Object]) -> Problems:
    """A LimitRange would fill in what is missing: numbers that nobody chose."""
    for where, container in containers(objects):
        for kind in ("requests", "limits"):
            for what in ("cpu", "memory"):
                if not container.get("resources", {}).get(kind, {}).get(what):
                    yield f"{where}: no {what} in {kind}"


def images_are_pinned(objects: list[Object]) -> Problems:
    """By a tag that is not `latest`, or a digest."""
    for where, container in containers(objects):
        image = container["image"]
        if not _PINNED.match(image) or image.endswith(":latest"):
            yield f"{where}: the image {image} is not pinned"


def pods_are_restricted(objects: list[Object]) -> Problems:
    """The Pod Security level `restricted`, as far as the pod says it."""
    for thing, pod in pods(objects):
        spec, security = pod["spec"], pod["spec"].get("securityContext", {})
        if security.get("runAsNonRoot") is not True or security.get("runAsUser", 0) == 0:
            yield f"{name(thing)}: may run as root"
        if security.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{name(thing)}: no seccomp profile"
        for key in ("hostNetwork", "hostPID", "hostIPC"):
            if spec.get(key):
                yield f"{name(thing)}: {key}"
        for volume in spec.get("volumes") or ():
            if not _VOLUMES.issuperset(volume.keys() - {"name"}):
                yield f"{name(thing)}: the volume {volume['name']} is of a kind that is not allowed"


def containers_are_restricted(objects: list[Object]) -> Problems:
    """The rest of `restricted`, and no root that can be written."""
    for where, container in containers(objects):
        security = container.get("securityContext", {})
        if security.get("allowPrivilegeEscalation") is not False:
            yield f"{where}: may gain privileges"
        if security.get("readOnlyRootFilesystem") is not True:
            yield f"{where}: its root can be written"
        if security.get("capabilities", {}).get("drop") != ["ALL"] or security["capabilities"].get("add"):
            yield f"{where}: has capabilities"
        if any(port.get("hostPort") for port in container.get("ports", ())):
            yield f"{where}: a port of the node"


def servers_are_probed(objects: list[Object]) -> Problems:
    """Every server has a start, a life, and readiness where a Service leads to it."""
    for thing in workloads(objects):
        labels = thing["spec"]["template"]["metadata"]["labels"]
        routed = any(
            labels.items() >= {k: v for k, v in service["spec"]["selector"].items() if k in labels}.items()
            for service in objects
            if service["kind"] == "Service"
        )
        wanted = ["startupProbe", "livenessProbe", *(["readinessProbe"] if routed else [])]
        for container in thing["spec"]["template"]["spec"]["containers"]:
            for probe in wanted:
                if not {"httpGet", "exec", "tcpSocket"} & container.get(probe, {}).keys():
                    yield f"{name(thing)}: no {probe}"


def objects_are_labelled(objects: list[Object]) -> Problems:
    """With the six labels; those of one process have its name too. Selectors use only those that never change."""
    for thing in objects:
        wanted = _LABELS if thing["kind"] in (*WORKLOADS, "Job") else _LABELS - {"app.kubernetes.io/component"}
        for label in sorted(wanted - thing["metadata"].get("labels", {}).keys()):
            yield f"{name(thing)}: no label {label}"
    for thing, pod in pods(objects):
        for label in sorted(_LABELS - pod["metadata"]["labels"].keys()):
            yield f"{name(thing)}: no label {label} on its pods"
    for thing in workloads(objects):
        selector = thing["spec"]["selector"]["matchLabels"]
        if selector.keys() != _STABLE:
            yield f"{name(thing)}: selects by {sorted(selector)}"
        if not selector.items() <= thing["spec"]["template"]["metadata"]["labels"].items():
            yield f"{name(thing)}: does not select its own pods"


def volume_claims_have_lasting_labels(objects: list[Object]) -> Problems:
    """Volume claims of a StatefulSet cannot change, so no version may be in them."""
    for thing in workloads(objects):
        for claim in thing["spec"].get("volumeClaimTemplates", ()):
            labels = claim["metadata"].get("labels", {})
            if labels.keys() != {*_STABLE, "app.kubernetes.io/part-of"}:
                yield f"{name(thing)}: the claim {claim['metadata']['name']} has the labels {sorted(labels)}"


def several_pods_are_spread_and_kept(objects: list[Object]) -> Problems:
    """Several pods of a workload stand on several nodes, and are not all evicted at a time."""
    budgets = [thing for thing in objects if thing["kind"] == "PodDisruptionBudget"]
    for thing in workloads(objects):
        if thing["spec"]["replicas"] < 2:
            continue
        labels = thing["spec"]["template"]["metadata"]["labels"]
        if not any(budget["spec"]["selector"]["matchLabels"].items() <= labels.items() for budget in budgets):
            yield f"{name(thing)}: no PodDisruptionBudget"
        if not thing["spec"]["template"]["spec"].get("topologySpreadConstraints"):
            yield f"{name(thing)}: its pods are not spread"


def no_secret_is_in_a_release(objects: list[Object]) -> Problems:
    """Secrets are written by the target; helm keeps values and manifests where others may read them."""
    for thing in objects:
        if thing["kind"] == "Secret":
            yield f"{name(thing)}: a Secret"
    for where, container in containers(objects):
        for variable in container.get("env", ()):
            if "value" in variable and _SECRET_NAME.search(variable["name"]):
                yield f"{where}: the value of {variable['name']}"


def tokens_are_where_they_are_needed(objects: list[Object]) -> Problems:
    """A pod has a token of the API server only where its account has a role: of its release, or of the namespaces."""
    rails = permissions(load_stack(ROOT, target=KUBERNETES, cluster_services={"openebs": "deployed"}))
    bindings = [thing for thing in (*objects, *rails) if thing["kind"] in ("RoleBinding", "ClusterRoleBinding")]
    accounts = {subject["name"] for binding in bindings for subject in binding["subjects"]}
    for thing, pod in pods(objects):
        spec = pod["spec"]
        if spec.get("automountServiceAccountToken", True) and spec.get("serviceAccountName") not in accounts:
            yield f"{name(thing)}: mounts a token that it has no use for"


def ends_are_graceful(objects: list[Object]) -> Problems:
    """Service links off (they would shadow the bindings), and time to end."""
    for thing, pod in pods(objects):
        if pod["spec"].get("enableServiceLinks", True):
            yield f"{name(thing)}: has the environment of service links"
    for thing in workloads(objects):
        if thing["spec"]["template"]["spec"].get("terminationGracePeriodSeconds", 0) < 10:
            yield f"{name(thing)}: has no time to end"


def services_lead_to_pods(objects: list[Object]) -> Problems:
    """Every port of a Service is a port of a pod that it selects; labels that pods get while they run aside."""
    for service in (thing for thing in objects if thing["kind"] == "Service"):
        selector = {k: v for k, v in service["spec"]["selector"].items() if k.startswith("app.kubernetes.io/")}
        ports = {
            port["name"]
            for _, pod in pods(objects)
            if selector.items() <= pod["metadata"]["labels"].items()
            for container in pod["spec"]["containers"]
            for port in container.get("ports", ())
        }
        for port in service["spec"]["ports"]:
            if port["targetPort"] not in ports:
                yield f"{name(service)}: nobody listens on {port['targetPort']}"


def objects_name_their_namespace(objects: list[Object]) -> Problems:
    """Else `kubectl apply` of what was rendered would put them wherever one happens to be."""
    for thing in objects:
        if thing["kind"] in _CLUSTER_WIDE:
            continue
        if not thing["metadata"].get("namespace", "").startswith("data-platform-"):
            yield f"{name(thing)}: no namespace"


POLICIES: tuple[Callable[[list[Object]], Problems], ...] = (
    requests_and_limits_are_set,
    images_are_pinned,
    pods_are_restricted,
    containers_are_restricted,
    servers_are_probed,
    objects_are_labelled,
    volume_claims_have_lasting_labels,
    several_pods_are_spread_and_kept,
    no_secret_is_in_a_release,
    tokens_are_where_they_are_needed,
    ends_are_graceful,
    services_lead_to_pods,
    objects_name_their_namespace,
)
