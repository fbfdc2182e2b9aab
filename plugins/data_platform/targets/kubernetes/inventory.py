"""What a cluster is like: everything that preflight judges. Looks, and decides nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from data_platform.stack import services
from data_platform.stack.errors import PlatformError
from data_platform.stack.model import Loaded
from data_platform.stack.service import ClusterService
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes import grants, ownership, rbac
from data_platform.targets.kubernetes.needs import MIB, Need, of_pod, quantity
from data_platform.targets.kubernetes.permissions import DEPLOYER, namespaces, permissions

Object = dict[str, Any]

DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
#: How many images a kubelet lists where it is told nothing else (`nodeStatusMaxImages`).
LISTED_IMAGES = 50
#: What the bootstrap itself makes outside of namespaces: group, resource.
_CLUSTER_WIDE = (("", "namespaces"), (rbac.GROUP, "clusterroles"), (rbac.GROUP, "clusterrolebindings"))
#: How kinds of cluster services are made known.
_DEFINITIONS = ("apiextensions.k8s.io", "customresourcedefinitions")
_DEFINITION = (f"{_DEFINITIONS[0]}/v1", "CustomResourceDefinition")
#: Kinds that a cluster may lack; the right to make them is asked for only where they are.
_OPTIONAL = frozenset({"gateway.networking.k8s.io", "monitoring.coreos.com"})
_PENDING = "owner=helm,status in (pending-install,pending-upgrade,pending-rollback)"


class Reader(Protocol):
    """The part of a cluster's client that looks."""

    def version(self) -> tuple[int, int]:
        """Of the API server."""

    def list_objects(self, api_version: str, kind: str, namespace: str = "", labels: str = "") -> list[Object]:
        """All objects of a kind."""

    def get(self, api_version: str, kind: str, name: str, namespace: str = "") -> Object | None:
        """One object."""

    def can_i(self, verb: str, resource: str, namespace: str = "", *, group: str = "") -> bool:
        """Whether we may."""

    def knows(self, api_version: str, kind: str) -> bool:
        """Whether the cluster has that kind."""


class Node(NamedTuple):
    """A node that takes pods: what is free on it. Memory in MiB."""

    name: str
    cpu: float
    memory: float
    pods: int


class Facts(NamedTuple):
    """What was seen of a cluster.

    Attributes:
        version: of the API server.
        storage_classes: by name, and whether it is the default.
        provisioners: who makes the volumes of a class, by its name.
        cut: nodes that may have more images than they list.
        denied: permissions that we lack, as `create deployments.apps in NAMESPACE`.
        nodes: those that take pods; what our own pods have counts as free.
        unfit: nodes that take none, and why.
        entries: ingress classes and gateways.
        labels: of the namespaces of our names that are there.
        roles: labels of what of our names belongs to the whole cluster, as `ClusterRole NAME`.
        pending: helm releases in the middle of an operation, as NAMESPACE/NAME, and its state.
        left: namespaces of cluster services that this platform deployed once and is not to have any more.
        lacking: kinds of cluster services that are the administrator's and that the cluster does not know, by service.
    """

    version: tuple[int, int]
    storage_classes: Mapping[str, bool]
    denied: Sequence[str]
    nodes: Sequence[Node]
    unfit: Mapping[str, str]
    entries: Sequence[str]
    labels: Mapping[str, Mapping[str, str]]
    pending: Mapping[str, str]
    lacking: Mapping[str, Sequence[str]] = {}
    left: Sequence[str] = ()
    roles: Mapping[str, Mapping[str, str]] = {}
    provisioners: Mapping[str, str] = {}
    cut: Sequence[str] = ()


def read_facts(cluster: Reader, stack: Stack) -> Facts:
    """Look at a cluster.

    Raises:
        ClusterError: it cannot be reached, or does not let us look.
    """
    names = namespaces(stack)
    there = {name: found for name in names if (found := cluster.get("v1", "Namespace", name))}
    nodes, unfit = _read_nodes(cluster, names)
    classes = cluster.list_objects("storage.k8s.io/v1", "StorageClass")
    return Facts(
        version=cluster.version(),
        storage_classes={
            str(item["metadata"]["name"]): (item["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) == "true"
            for item in classes
        },
        provisioners={str(item["metadata"]["name"]): str(item.get("provisioner", "")) for item in classes},
        cut=[str(node["metadata"]["name"]) for node in cluster.list_objects("v1", "Node") if lists_cut(node)],
        denied=_read_denied(cluster, stack, names),
        nodes=nodes,
        unfit=unfit,
        entries=_read_entries(cluster),
        labels={name: found["metadata"].get("labels") or {} for name, found in there.items()},
        pending={
            f"{name}/{secret['metadata']['labels']['name']}": str(secret["metadata"]["labels"]["status"])
            for name in there
            for secret in cluster.list_objects("v1", "Secret", name, _PENDING)
        },
        lacking={name: kinds for name, item in stack.components.items() if (kinds := _lacking(cluster, item))},
        left=_read_left(cluster, stack),
        roles={
            f"{kind} {name}": found["metadata"].get("labels") or {}
            for version, kind, name in _cluster_wide(stack)
            if (found := cluster.get(version, kind, name))
        },
    )


def _read_left(cluster: Reader, stack: Stack) -> list[str]:
    """Those of ours, by their labels; another platform's are none of this one's business."""
    others = services.names(stack.root / "stack") - stack.parts.keys()
    found = [cluster.get("v1", "Namespace", f"{stack.file.name}-{name}") for name in sorted(others)]
    return [
        str(there["metadata"]["name"])
        for there in found
        if there is not None and ownership.owner(there, "") is ownership.Owner.OURS
    ]


def _lacking(cluster: Reader, item: Loaded) -> list[str]:
    if item.service is None or item.is_deployed:
        return []
    return [str(kind) for kind in item.service.kinds if not cluster.knows(kind.api_version, kind.kind)]


def _cluster_wide(stack: Stack) -> list[tuple[str, str, str]]:
    """What the bootstrap makes for the whole cluster: roles, and definitions of kinds."""
    found = [
        (f"{rbac.GROUP}/v1", o["kind"], o["metadata"]["name"])
        for o in permissions(stack)
        if o["kind"].startswith("ClusterRole")
    ]
    return found + [(*_DEFINITION, kind.definition) for service in _defining(stack) for kind in service.kinds]


def _defining(stack: Stack) -> list[ClusterService]:
    """Services whose kinds the bootstrap makes known."""
    return [i.service for i in stack.components.values() if i.service and i.is_deployed and i.service.definitions]


def _read_denied(cluster: Reader, stack: Stack, names: Sequence[str]) -> list[str]:
    """What the bootstrap needs and may not; one question is enough where everything is allowed."""
    if cluster.can_i("*", "*", group="*"):
        return []
    found = [
        f"create {resource}{f'.{group}' if group else ''}"
        for group, resource in (*_CLUSTER_WIDE, *([_DEFINITIONS] if _defining(stack) else []))
        if not cluster.can_i("create", resource, group=group)
    ]
    for group, resources, verbs in DEPLOYER:
        if group in _OPTIONAL:
            continue
        # Nobody may grant what he may not do himself, so each verb counts.
        for resource in resources:
            for verb in verbs:
                lacking = [name for name in names if not cluster.can_i(verb, resource, name, group=group)]
                if lacking:
                    found.append(f"{verb} {resource}{f'.{group}' if group else ''} in {', '.join(lacking)}")
    return [*found, *_read_denied_of_services(cluster, stack)]


def _read_denied_of_services(cluster: Reader, stack: Stack) -> Iterator[str]:
    for each in grants.all_granted(stack):
        for right in each.rights:
            for resource in right.resources:
                for verb in right.verbs:
                    if not cluster.can_i(verb, resource, each.namespace, group=right.group):
                        where = f" in {each.namespace}" if each.namespace else " in the whole cluster"
                        of = f".{right.group}" if right.group else ""
                        yield f"{verb} {resource}{of}{where} (for {each.service})"


def _read_nodes(cluster: Reader, ours: Sequence[str]) -> tuple[list[Node], dict[str, str]]:
    used: dict[str, Need] = {}
    for pod in cluster.list_objects("v1", "Pod"):
        node = pod["spec"].get("nodeName")
        if node and pod["metadata"]["namespace"] not in ours and pod["status"].get("phase") in ("Pending", "Running"):
            used[node] = used.get(node, Need()).plus(of_pod(pod["spec"]))
    nodes, unfit = [], {}
    for item in cluster.list_objects("v1", "Node"):
        name, status = str(item["metadata"]["name"]), item["status"]
        if reason := unfit_reason(item):
            unfit[name] = reason
            continue
        has, gone = status["allocatable"], used.get(name, Need())
        nodes.append(
            Node(
                name,
                quantity(has["cpu"]) - gone.cpu,
                quantity(has["memory"]) / MIB - gone.memory,
                int(has["pods"]) - gone.pods,
            )
        )
    return nodes, unfit


def lists_cut(node: Mapping[str, Any]) -> bool:
    """Whether a node may have more images than it lists: a kubelet lists the largest ones up to its limit."""
    return len(node["status"].get("images") or []) >= LISTED_IMAGES


def unfit_reason(node: Mapping[str, Any]) -> str:
    """Why a node takes no pods of ours; empty when it does."""
    conditions = {c["type"]: c for c in node["status"].get("conditions") or []}
    if conditions.get("Ready", {}).get("status") != "True":
        return "not ready"
    for kind in ("DiskPressure", "MemoryPressure", "PIDPressure"):
        if conditions.get(kind, {}).get("status") == "True":
            return kind
    if node["spec"].get("unschedulable"):
        return "cordoned"
    for taint in node["spec"].get("taints") or []:
        if taint["effect"] in ("NoSchedule", "NoExecute"):
            return f"taint {taint['key']}"
    return ""


def _read_entries(cluster: Reader) -> list[str]:
    found = [
        f"IngressClass {o['metadata']['name']}" for o in cluster.list_objects("networking.k8s.io/v1", "IngressClass")
    ]
    if cluster.knows("gateway.networking.k8s.io/v1", "GatewayClass"):
        objects = cluster.list_objects("gateway.networking.k8s.io/v1", "GatewayClass")
        found += [f"GatewayClass {item['metadata']['name']}" for item in objects]
    return found


def api_server_address(cluster: Reader) -> str:
    """ADDRESS:PORT of the API server as pods reach it, all instances with commas between.

    Raises:
        PlatformError: the cluster does not tell.
    """
    found = set()
    for item in cluster.list_objects(
        "discovery.k8s.io/v1", "EndpointSlice", "default", "kubernetes.io/service-name=kubernetes"
    ):
        ports = [port["port"] for port in item.get("ports") or []]
        for endpoint in item.get("endpoints") or []:
            found |= {
                f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
                for address in endpoint["addresses"]
                for port in ports
            }
    if not found:
        raise PlatformError(
            "the Service kubernetes in the namespace default has no endpoint",
            "look at the API server: kubectl get endpointslices -n default",
        )
    return ",".join(sorted(found))
