"""A platform on Kubernetes: what the cluster says of it."""

from __future__ import annotations

from collections.abc import Iterator

from bootstrap.support.archive import Entry, as_json
from bootstrap.support.known import CLUSTER, Known
from bootstrap.support.scene import Scene, ended
from data_platform.stack.errors import PlatformError
from data_platform.targets.kubernetes import evidence, inventory, places, preflight, releases
from data_platform.targets.kubernetes.permissions import namespaces
from data_platform.targets.kubernetes.target import KubernetesTarget
from data_platform.targets.local.tails import from_line

#: Lines, and then bytes, of the end of each container's log.
_LINES, _BYTES = 2000, 256 << 10
_REMEDY = "give this user the permission (docs/kubernetes/guard-rails.md), or look at the API server"


def _on(target: object) -> KubernetesTarget:
    if not isinstance(target, KubernetesTarget):
        raise PlatformError("the platform is not on Kubernetes", "leave --target kubernetes out")
    return target


def cluster(scene: Scene) -> Iterator[Entry]:
    """Versions and nodes, and whether the cluster can take the platform, as `up` would judge it.

    Raises:
        PlatformError: it does not answer, or does not let us look.
    """
    with scene.target() as opened:
        target = _on(opened)
        major, minor = target.cluster.version()
        helm = target.helm.version()
        found = {"kubernetes": f"{major}.{minor}", "helm": helm, "settings": target.settings.model_dump()}
        yield Entry("cluster/versions.json", "versions of Kubernetes and helm, and the platform's size", as_json(found))
        nodes = evidence.nodes(target.cluster)
        yield Entry("cluster/nodes.json", "nodes with their conditions and versions", as_json(nodes))
        facts = inventory.read_facts(target.cluster, target.stack)
        settings = target.settings
        verdict = preflight.judge(
            target.stack,
            settings.size,
            target.asked,
            facts,
            storage_class=settings.storage_class,
            platform=settings.platform,
        )
        said_of_it = {"facts": facts._asdict(), "problems": verdict.problems, "warnings": verdict.warnings}
        yield Entry("cluster/preflight.json", "what stands in the way of `up` on this cluster", as_json(said_of_it))


def objects(scene: Scene, known: Known) -> Iterator[Entry]:
    """Objects and events of each namespace, and the releases of its components.

    Raises:
        PlatformError: some of them could not be had.
    """
    failed: list[str] = []
    with scene.target() as opened:
        target = _on(opened)
        for namespace in _seen(target, known, failed):
            try:
                for kind, found in evidence.objects(target.cluster, namespace):
                    yield Entry(f"cluster/{namespace}/{kind}.json", f"each {kind} in {namespace}", as_json(found))
                events = evidence.events(target.cluster, namespace)
                yield Entry(f"cluster/{namespace}/events.txt", f"events in {namespace}", events)
            except PlatformError as error:
                failed.append(str(error))
        history = {
            name: [
                {"revision": each.revision, "status": each.status, "digest": each.digest}
                for each in releases.history(target.cluster, name, places.namespace(target.stack, name))
            ]
            for name, item in target.stack.components.items()
            if item.is_deployed and item.has_chart
        }
        yield Entry("cluster/releases.json", "revisions of Helm's releases, by component", as_json(history))
    ended(failed, _REMEDY)


def logs(scene: Scene, known: Known) -> Iterator[Entry]:
    """The end of what each container said, of the try before its last restart too.

    Raises:
        PlatformError: some could not be had.
    """
    failed: list[str] = []
    with scene.target() as opened:
        target = _on(opened)
        for namespace in _seen(target, known, failed):
            try:
                for said in evidence.logs(target.cluster, namespace, _LINES):
                    whole = said.text.encode()
                    end = whole if len(whole) <= _BYTES else from_line(whole[-_BYTES:])
                    name = f"{said.container}{'.previous' if said.previous else ''}.log"
                    yield Entry(
                        f"logs/{namespace}/{said.pod}/{name}",
                        f"the last {_LINES} lines of a container{' before its last restart' if said.previous else ''}",
                        end.decode(errors="replace"),
                        len(whole) - len(end),
                    )
            except PlatformError as error:
                failed.append(str(error))
    ended(failed, _REMEDY)


def _seen(target: KubernetesTarget, known: Known, failed: list[str]) -> Iterator[str]:
    """Namespaces whose secrets are known; of others nothing is taken."""
    for namespace in namespaces(target.stack):
        if why := known.blind.get(namespace) or known.blind.get(CLUSTER):
            failed.append(f"{namespace} is left out, for its Secrets could not be read: {why}")
        else:
            yield namespace
