"""Whether a cluster can take the platform, before anything is made: all that stands in the way at once, with remedies.

What was seen of it: `inventory`. To decide is pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from data_platform.stack.capabilities import VOLUMES
from data_platform.stack.errors import PlatformError
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes import needs, ownership
from data_platform.targets.kubernetes.inventory import DEFAULT_CLASS, LISTED_IMAGES, Facts
from data_platform.targets.kubernetes.needs import Asked, Need
from data_platform.targets.kubernetes.permissions import namespaces

#: Older ones cannot say that a command's input has ended, and lack `sleep` as a lifecycle hook.
OLDEST = (1, 30)
#: Who makes volumes that pods of one node alone can write files to, by its own documentation. Of others it is not
#: known: the check of volumes makes one.
ONE_NODE = frozenset(
    (
        *("kubernetes.io/aws-ebs", "kubernetes.io/azure-disk", "kubernetes.io/cinder", "kubernetes.io/gce-pd"),
        *("ebs.csi.aws.com", "disk.csi.azure.com", "pd.csi.storage.gke.io", "cinder.csi.openstack.org"),
        *("rbd.csi.ceph.com", "csi.hetzner.cloud", "dobs.csi.digitalocean.com", "linodebs.csi.linode.com"),
        *("topolvm.io", "openebs.io/local", "local.csi.openebs.io", "zfs.csi.openebs.io"),
    )
)
_MANY = "ReadWriteMany"


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


def judge(
    stack: Stack, size: str, asked: Mapping[str, Asked], facts: Facts, *, storage_class: str = "", platform: str = ""
) -> Verdict:
    """Decide whether the platform fits.

    Args:
        stack: the platform, on the target kubernetes.
        size: small or production.
        asked: what each component asks for in it (`sizes.Paper`).
        facts: what was seen.
        storage_class: the one that the platform is to use; the cluster's default when empty.
        platform: id of the platform; what another one made is not taken over.
    """
    pod, count = needs.job(stack, size)
    problems = [
        *_version(facts),
        *_permissions(facts),
        *_storage(stack, size, asked, facts, storage_class),
        *_made_by_others(stack, facts, platform),
        *_services(facts),
        *_ways_in(stack, size, facts),
        *_capacity(size, facts, asked, needs.task(stack).plus(pod.times(count))),
    ]
    return Verdict(tuple(problems), tuple(_warnings(facts)))


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


def _storage(stack: Stack, size: str, asked: Mapping[str, Asked], facts: Facts, wanted: str) -> Iterator[Finding]:
    """Every class that a volume is asked of is there, or comes with who makes volumes here, and can be used so."""
    names = ", ".join(sorted(facts.storage_classes)) or "none"
    to_come = _classes(stack, size)
    wanted_of = needs.volumes(stack, size, asked, wanted)
    yield from _shared(facts, {name for name, access in wanted_of if access == _MANY})
    for name in sorted({name for name, _ in wanted_of}):
        if name and name not in {*facts.storage_classes, *to_come}:
            yield Finding(
                f"there is no StorageClass {name}; there is: {names}",
                "name one that is there, or install it (docs/kubernetes/services.md)",
            )
        elif not name and not any((*facts.storage_classes.values(), *to_come.values())):
            yield Finding(
                f"no StorageClass is the default; there is: {names}",
                f"annotate one: kubectl annotate storageclass NAME {DEFAULT_CLASS}=true",
            )


def _shared(facts: Facts, names: AbstractSet[str]) -> Iterator[Finding]:
    """Classes of which volumes for pods of several nodes are asked, and whose maker has none."""
    for name in sorted(names):
        found = name or next((each for each, default in facts.storage_classes.items() if default), "")
        maker = facts.provisioners.get(found, "")
        if any(maker == known or maker.endswith(f".{known}") for known in ONE_NODE):
            yield Finding(
                f"volumes that pods of several nodes write to ({_MANY}) are asked of the StorageClass {found}, and "
                f"{maker} makes none",
                "name a class of a shared file system (sharedVolumes.NAME.storageClass in the component's values), or "
                "set its accessMode to ReadWriteOnce with one pod (docs/kubernetes/services.md)",
            )


def _classes(stack: Stack, size: str) -> dict[str, bool]:
    """Classes that the platform itself brings, and whether each is the default."""
    name = stack.provider(VOLUMES)
    if name is None or not (item := stack.components[name]).is_deployed:
        return {}
    return {each: said["default"] for each, said in (needs.values_of(item, size).get("classes") or {}).items()}


def _made_by_others(stack: Stack, facts: Facts, platform: str) -> Iterator[Finding]:
    there = {f"Namespace {name}": labels for name, labels in facts.labels.items() if name in namespaces(stack)}
    for named, labels in sorted({**there, **facts.roles}.items()):
        kind, _, name = named.partition(" ")
        thing = {"kind": kind, "metadata": {"name": name, "labels": labels}}
        if said := ownership.objection(thing, stack.file.name, platform):
            yield Finding(*said)


def _services(facts: Facts) -> Iterator[Finding]:
    """Cluster services that are said to be the administrator's and are not there, or are still ours."""
    for name in facts.left:
        yield Finding(
            f"the namespace {name} has a cluster service that this platform deployed, and is not to have any more",
            f"remove it: helm uninstall --namespace {name} $(helm list --short --namespace {name}); kubectl delete "
            f"namespace {name}; or let the platform keep it (cluster_services in the environment)",
        )
    for name, kinds in facts.lacking.items():
        yield Finding(
            f"{name} is said to be the administrator's (cluster_services), and the cluster does not know "
            f"{', '.join(kinds)}",
            f"have it installed (docs/kubernetes/services.md), or let the platform deploy it: cluster_services: "
            f"{{{name}: deployed}} in the environment",
        )


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
    if facts.cut:
        yield Finding(
            f"{', '.join(sorted(facts.cut))}: these nodes list {LISTED_IMAGES} images or more, and a kubelet lists no "
            f"more than it is told to: whether an image without a registry is there is seen when its pod starts",
            "set nodeStatusMaxImages to -1 in the kubelet's configuration, or have images pulled from a registry",
        )
    for name, state in sorted(facts.pending.items()):
        yield Finding(
            f"the helm release {name} is {state}: a deploy was interrupted, or another one is running",
            "make sure that no other deploy is running; the next one forgets the half-done revision and goes on",
        )
