"""Whether a cluster can take the platform, before anything is made: all that stands in the way at once, with remedies.

`read_facts` looks, `judge` decides; deciding is pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from data_platform.stack.errors import PlatformError
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes import needs, ownership, spark_application
from data_platform.targets.kubernetes.needs import Asked, Need, quantity
from data_platform.targets.kubernetes.permissions import DEPLOYER, namespaces, permissions

Object = dict[str, Any]

#: Older ones cannot say that a command's input has ended, and lack `sleep` as a lifecycle hook.
OLDEST = (1, 30)
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_RBAC = "rbac.authorization.k8s.io"
#: What the bootstrap itself makes outside of namespaces: group, resource.
_CLUSTER_WIDE = (("", "namespaces"), (_RBAC, "clusterroles"), (_RBAC, "clusterrolebindings"))
#: Kinds that a cluster may lack; the right to make them is asked for only where they are.
_OPTIONAL = frozenset({"gateway.networking.k8s.io", "monitoring.coreos.com", "sparkoperator.k8s.io"})
_PENDING = "owner=helm,status in (pending-install,pending-upgrade,pending-rollback)"
_MIB = 2.0**20


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
        denied: permissions that we lack, as `create deployments.apps in NAMESPACE`.
        nodes: those that take pods; what our own pods have counts as free.
        unfit: nodes that take none, and why.
        entries: ingress classes and gateways.
        labels: of the namespaces of our names that are there.
        roles: labels of the cluster-wide roles and bindings of our names, as `ClusterRole NAME`.
        pending: helm releases in the middle of an operation, as NAMESPACE/NAME, and its state.
        has_spark_operator: whether the cluster knows its applications.
    """

    version: tuple[int, int]
    storage_classes: Mapping[str, bool]
    denied: Sequence[str]
    nodes: Sequence[Node]
    unfit: Mapping[str, str]
    entries: Sequence[str]
    labels: Mapping[str, Mapping[str, str]]
    pending: Mapping[str, str]
    has_spark_operator: bool
    roles: Mapping[str, Mapping[str, str]] = {}


class Finding(NamedTuple):
    """Something that is wrong, or worth knowing."""

    what: str
    remedy: str


class Verdict(NamedTuple):
    """Outcome: what stands in the way, and what is only worth knowing."""

    problems: tuple[Finding, ...]
    warnings: tuple[Finding, ...]

    def refuse(self) -> None:
        """Raise when anything stands in the way.

        Raises:
            PlatformError: names all of it.
        """
        if self.problems:
            raise PlatformError(
                "this cluster cannot take the platform:\n" + "\n".join(f"- {p.what}" for p in self.problems),
                "\n  → ".join(dict.fromkeys(problem.remedy for problem in self.problems)),
            )


def judge(stack: Stack, size: str, facts: Facts, storage_class: str = "", platform: str = "") -> Verdict:
    """Decide whether the platform fits.

    Args:
        stack: the platform, on the target kubernetes.
        size: small or production.
        facts: what was seen.
        storage_class: the one that the platform is to use; the cluster's default when empty.
        platform: id of the platform; what another one made is not taken over.
    """
    asked = needs.all_asked(stack, size)
    pod, count = needs.job(stack, size)
    problems = [
        *_version(facts),
        *_permissions(facts),
        *_storage(facts, storage_class),
        *_made_by_others(stack, facts, platform),
        *_ways_in(stack, size, facts),
        *_capacity(size, facts, asked, needs.task(stack).plus(pod.times(count))),
    ]
    return Verdict(tuple(problems), (*_warnings(facts), *_operator(stack, size, facts)))


def _version(facts: Facts) -> Iterator[Finding]:
    if facts.version < OLDEST:
        major, minor = facts.version
        yield Finding(
            f"it is Kubernetes {major}.{minor}; {OLDEST[0]}.{OLDEST[1]} is the oldest that will do",
            "upgrade the cluster, or name another one with --context",
        )


def _permissions(facts: Facts) -> Iterator[Finding]:
    if facts.denied:
        yield Finding(
            f"this user may not: {'; '.join(facts.denied)}",
            "have a cluster administrator run the bootstrap, or give this user these permissions "
            "(docs/kubernetes/guard-rails.md)",
        )


def _storage(facts: Facts, wanted: str) -> Iterator[Finding]:
    names = ", ".join(sorted(facts.storage_classes)) or "none"
    if wanted and wanted not in facts.storage_classes:
        yield Finding(
            f"there is no StorageClass {wanted}; there is: {names}",
            "name one that is there, or install it (docs/kubernetes/guard-rails.md)",
        )
    elif not wanted and not any(facts.storage_classes.values()):
        yield Finding(
            f"no StorageClass is the default; there is: {names}",
            f"annotate one: kubectl annotate storageclass NAME {_DEFAULT_CLASS}=true",
        )


def _made_by_others(stack: Stack, facts: Facts, platform: str) -> Iterator[Finding]:
    there = {f"Namespace {name}": labels for name, labels in facts.labels.items() if name in namespaces(stack)}
    for named, labels in sorted({**there, **facts.roles}.items()):
        kind, _, name = named.partition(" ")
        thing = {"kind": kind, "metadata": {"name": name, "labels": labels}}
        if said := ownership.objection(thing, stack.file.name, platform):
            yield Finding(*said)


def _ways_in(stack: Stack, size: str, facts: Facts) -> Iterator[Finding]:
    """What `expose` in a component's values asks for."""
    for name, item in stack.components.items():
        if not (way := needs.values_of(item, size).get("expose")):
            continue
        # A route names its gateway, whose class is the gateway's affair.
        kind, named = ("IngressClass", way.get("className")) if way["kind"] == "Ingress" else ("GatewayClass", None)
        there = [entry.partition(" ") for entry in facts.entries]
        if not any(entry[0] == kind and named in (None, entry[2]) for entry in there):
            yield Finding(
                f"{name} asks for a way in of the kind {way['kind']}, and the cluster has no {kind}"
                f"{f' {named}' if named else ''}; there is: {', '.join(facts.entries) or 'none'}",
                "install that ingress controller or gateway, or take expose out of the component's values",
            )


def _operator(stack: Stack, size: str, facts: Facts) -> Iterator[Finding]:
    said = needs.execution(stack, size)
    if said is not None and said["runner"] == needs.OPERATOR and not facts.has_spark_operator:
        yield Finding(
            "jobs of Spark are to run by the Spark Operator (execution.runner), which this cluster has not",
            "install it before they run (docs/how-to/kubernetes.md), or set execution.runner to scheduler",
        )


def _capacity(size: str, facts: Facts, asked: Mapping[str, Asked], task: Need) -> Iterator[Finding]:
    """The sum of all requests, with one task and what it makes, and each pod for itself."""
    unfit = "".join(f"; {name}: {why}" for name, why in sorted(facts.unfit.items()))
    if not facts.nodes:
        yield Finding(f"no node takes pods{unfit}", "add a node, or make one ready: kubectl describe nodes")
        return
    wanted = needs.total({name: one.steady for name, one in asked.items()}).plus(task)
    smaller = "add nodes, or take a smaller size (--size small) or fewer components (--only)"
    for what, need, free, unit in (
        ("cores", wanted.cpu, sum(node.cpu for node in facts.nodes), ""),
        ("memory", wanted.memory / 1024, sum(node.memory for node in facts.nodes) / 1024, " GiB"),
        ("pods", wanted.pods, sum(node.pods for node in facts.nodes), ""),
    ):
        if need > free:
            yield Finding(
                f"the size {size} asks for {need:.4g}{unit} ({what}), {free:.4g}{unit} are free on "
                f"{len(facts.nodes)} node{'s' if len(facts.nodes) > 1 else ''}{unfit}",
                smaller,
            )
    for name, one in sorted(asked.items()):
        pod = one.largest
        if not any(node.cpu >= pod.cpu and node.memory >= pod.memory for node in facts.nodes):
            yield Finding(
                f"no node has room for a pod of {name}: {pod.cpu:.4g} cores and {pod.memory / 1024:.3g} GiB", smaller
            )


def _warnings(facts: Facts) -> Iterator[Finding]:
    if not facts.entries:
        yield Finding(
            "the cluster has no ingress class and no gateway",
            "pages are reached by the forwarded ports that `up` and `status` show; "
            "with an ingress controller set expose in the values",
        )
    for name, state in sorted(facts.pending.items()):
        yield Finding(
            f"the helm release {name} is {state}: a deploy was interrupted, or another one is running",
            "make sure that no other deploy is running; the next one forgets the half-done revision and goes on",
        )


def read_facts(cluster: Reader, stack: Stack) -> Facts:
    """Look at a cluster.

    Raises:
        ClusterError: it cannot be reached, or does not let us look.
    """
    names = namespaces(stack)
    there = {name: found for name in names if (found := cluster.get("v1", "Namespace", name))}
    nodes, unfit = _read_nodes(cluster, names)
    return Facts(
        version=cluster.version(),
        storage_classes={
            str(item["metadata"]["name"]): (item["metadata"].get("annotations") or {}).get(_DEFAULT_CLASS) == "true"
            for item in cluster.list_objects("storage.k8s.io/v1", "StorageClass")
        },
        denied=_read_denied(cluster, names),
        nodes=nodes,
        unfit=unfit,
        entries=_read_entries(cluster),
        labels={name: found["metadata"].get("labels") or {} for name, found in there.items()},
        pending={
            f"{name}/{secret['metadata']['labels']['name']}": str(secret["metadata"]["labels"]["status"])
            for name in there
            for secret in cluster.list_objects("v1", "Secret", name, _PENDING)
        },
        has_spark_operator=cluster.knows(spark_application.API_VERSION, spark_application.KIND),
        roles={
            f"{kind} {name}": found["metadata"].get("labels") or {}
            for kind, name in _role_names(stack)
            if (found := cluster.get(f"{_RBAC}/v1", kind, name))
        },
    )


def _role_names(stack: Stack) -> list[tuple[str, str]]:
    return [(o["kind"], o["metadata"]["name"]) for o in permissions(stack) if o["kind"].startswith("ClusterRole")]


def _read_denied(cluster: Reader, names: Sequence[str]) -> list[str]:
    """What the bootstrap needs and may not; one question is enough where everything is allowed."""
    if cluster.can_i("*", "*", group="*"):
        return []
    found = [
        f"create {resource}{f'.{group}' if group else ''}"
        for group, resource in _CLUSTER_WIDE
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
    return found


def _read_nodes(cluster: Reader, ours: Sequence[str]) -> tuple[list[Node], dict[str, str]]:
    used: dict[str, Need] = {}
    for pod in cluster.list_objects("v1", "Pod"):
        node = pod["spec"].get("nodeName")
        if node and pod["metadata"]["namespace"] not in ours and pod["status"].get("phase") in ("Pending", "Running"):
            used[node] = used.get(node, Need()).plus(requested(pod))
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
                quantity(has["memory"]) / _MIB - gone.memory,
                int(has["pods"]) - gone.pods,
            )
        )
    return nodes, unfit


def requested(pod: Mapping[str, Any]) -> Need:
    """What a pod has reserved on its node: its containers together, or its largest init container."""

    def of(containers: Sequence[Mapping[str, Any]]) -> list[Need]:
        asked = [(container.get("resources") or {}).get("requests") or {} for container in containers]
        return [Need(cpu=quantity(r.get("cpu", 0)), memory=quantity(r.get("memory", 0)) / _MIB) for r in asked]

    found = Need()
    for need in of(pod["spec"].get("containers") or []):
        found = found.plus(need)
    for need in of(pod["spec"].get("initContainers") or []):
        found = found.most(need)
    return found._replace(pods=1)


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
