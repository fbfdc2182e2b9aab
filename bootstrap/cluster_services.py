"""What the bootstrap does for cluster services, since it belongs to the whole cluster: it makes their kinds known.

Rights that they need are guard rails (targets/kubernetes/grants.py). Everything else of a service is a release.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from bootstrap.progress import Progress
from data_platform.clients.kubernetes import Cluster
from data_platform.stack.errors import PlatformError
from data_platform.stack.model import Loaded
from data_platform.stack.service import Definitions
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes import ownership, places
from data_platform.targets.kubernetes.target import KubernetesTarget
from data_platform.targets.local.artifacts import fetch, place

Object = dict[str, Any]

_VERSION, _KIND = "apiextensions.k8s.io/v1", "CustomResourceDefinition"
_SECONDS = 60.0


def make_kinds_known(target: KubernetesTarget, cache: Path, progress: Progress) -> None:
    """Apply the CustomResourceDefinitions of all services that the platform deploys, and wait until they are served.

    Args:
        target: the platform.
        cache: the per-user cache, in which the artifacts with them are.
        progress: says what was changed.

    Raises:
        PlatformError: somebody else made one of them, or an artifact has not what the service says.
    """
    stack, cluster, platform = target.stack, target.cluster, target.settings.platform
    for item in stack.components.values():
        if item.service is None or not item.is_deployed or (where := item.service.definitions) is None:
            continue
        for wanted in _definitions(stack, item, where, cache):
            name = wanted["metadata"]["name"]
            wanted["metadata"]["labels"] = _labels(stack, wanted["metadata"].get("labels") or {}, platform)
            before = cluster.get(_VERSION, _KIND, name)
            if before is not None:
                _refuse_others(before, item, stack, platform)
            after = cluster.server_side_apply(wanted)
            if before is None or before["metadata"]["resourceVersion"] != after["metadata"]["resourceVersion"]:
                progress.say(item.name, f"{_KIND} {name}")
            cluster.wait_until(_VERSION, _KIND, name, done=_is_served, seconds=_SECONDS)


def _definitions(stack: Stack, item: Loaded, where: Definitions, cache: Path) -> list[Object]:
    artifact = place(stack, item.name, cache)[where.artifact]
    if not artifact.is_there:
        # What it is built with is not needed otherwise.
        fetch(artifact, {"ROOT": str(stack.root), "PLATFORM_PYTHON": sys.executable}, cache)
    found = [
        thing
        for path in sorted((artifact.folder / where.folder).glob("*.yaml"))
        for thing in yaml.safe_load_all(path.read_text(encoding="utf-8"))
        if thing
    ]
    names = {thing["metadata"]["name"] for thing in found if thing["kind"] == _KIND}
    wanted = {kind.definition for kind in item.service.kinds} if item.service else set()
    if lacking := sorted(wanted - names):
        raise PlatformError(
            f"{item.folder / 'kubernetes.yaml'}: cluster_service.kinds: its artifact {where.artifact} has in "
            f"{where.folder}/ no definition of {', '.join(lacking)}",
            f"correct kinds, or folder; there is: {', '.join(sorted(names)) or 'nothing'}",
        )
    return [thing for thing in found if thing["kind"] == _KIND]


def _labels(stack: Stack, theirs: Mapping[str, str], platform: str) -> dict[str, str]:
    mark = {places.PLATFORM_ID: platform} if platform else {}
    return {**theirs, places.PART_OF: stack.file.name, places.MANAGED_BY: places.MANAGER, **mark}


def _refuse_others(there: Object, item: Loaded, stack: Stack, platform: str) -> None:
    if ownership.owner(there, platform) is ownership.Owner.SOMEBODY:
        raise PlatformError(
            f"{_KIND} {there['metadata']['name']} is there and was not made by this platform: somebody has {item.name}",
            f"use theirs: cluster_services: {{{item.name}: administrator}} in the environment; or hand it over: "
            f"kubectl label crd {there['metadata']['name']} {places.MANAGED_BY}={places.MANAGER}",
        )
    ownership.refuse_others(there, stack.file.name, platform)


def _is_served(definition: Object | None) -> bool:
    # Null for as long as nobody has looked at a new one.
    conditions = (definition or {}).get("status", {}).get("conditions") or []
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


def forget_kinds(cluster: Cluster, platform: str, ours: frozenset[str]) -> list[str]:
    """Delete the definitions that this platform made, unless others have objects of their kind.

    Args:
        cluster: where.
        platform: our own id.
        ours: our namespaces; what is in them goes with them.

    Returns:
        What is left, in words.
    """
    left = []
    for definition in cluster.list_objects(_VERSION, _KIND, labels=f"{places.MANAGED_BY}={places.MANAGER}"):
        if ownership.owner(definition, platform) is not ownership.Owner.OURS:
            continue
        name = definition["metadata"]["name"]
        if theirs := sorted({where for where in _namespaces_of(cluster, definition) if where not in ours}):
            left.append(f"{_KIND} {name}: others have objects of it, in {', '.join(theirs)}")
        else:
            cluster.delete(_VERSION, _KIND, name)
    return left


def _namespaces_of(cluster: Cluster, definition: Object) -> Iterator[str]:
    spec = definition["spec"]
    served = next(version["name"] for version in spec["versions"] if version["served"])
    for thing in cluster.list_objects(f"{spec['group']}/{served}", spec["names"]["kind"]):
        yield thing["metadata"].get("namespace", "the whole cluster")
