"""The guard rails of the platform's namespaces, as objects: what may run there, how much of it, who may call whom, and
who may change it. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes import needs, places
from data_platform.targets.kubernetes.needs import Asked, Need
from data_platform.targets.kubernetes.network import policies
from data_platform.targets.kubernetes.permissions import namespaces, permissions, privileged

Object = dict[str, Any]

#: Names of the one quota and the one range of limits in each namespace.
QUOTA, LIMITS = "platform", "platform"
#: Kinds in the order in which they are applied: what refuses nothing comes before what does.
ORDER = (
    "Namespace",
    "ServiceAccount",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "LimitRange",
    "ResourceQuota",
    "NetworkPolicy",
)
#: Made by the bootstrap alone: who could change these could give himself everything.
CLUSTER_WIDE = frozenset({"ClusterRole", "ClusterRoleBinding"})
_LEVEL = "restricted"
#: Room in every namespace, for a hand to look around with, and for pods that end while others start.
_SPARE = Need(pods=4, cpu=0.5, memory=512, cpu_limit=4, memory_limit=2048, storage=1024, claims=2)
#: A container may be this much larger than the largest that is declared.
_GROWTH = 2


def guard_rails(
    stack: Stack, size: str, asked: Mapping[str, Asked], api_server: str, platform: str = ""
) -> list[Object]:
    """All objects, in the order in which they are to be applied; the same for the same stack.

    Args:
        stack: the platform, on the target kubernetes.
        size: small or production.
        asked: what each component asks for in it (`sizes.Paper`).
        api_server: ADDRESS:PORT of the API server as pods reach it; several with commas between.
        platform: id of the platform that makes them; empty where others than the bootstrap do.

    Raises:
        PlatformError: there is no such size, or the address is none.
    """
    found = [_namespace(stack, name) for name in namespaces(stack)]
    for part in stack.parts:
        found += _bounds(stack, part, size, asked)
    said = needs.execution(stack, size)
    found += permissions(stack, str(said["runner"]) if said else "pod")
    found += policies(stack, api_server)
    closed = {f"{stack.file.name}-{item.part}" for item in privileged(stack)}
    for thing in found:
        labels = thing["metadata"].setdefault("labels", {})
        labels |= _labels(stack, platform)
        if closed & {thing["metadata"]["name"], thing["metadata"].get("namespace", "")}:
            labels[places.APPLIED_BY] = places.BOOTSTRAP
    # A stable sort: within a kind the order above counts.
    return sorted(found, key=lambda thing: ORDER.index(thing["kind"]))


def inside(objects: list[Object]) -> list[Object]:
    """Those that Airflow's own account may apply, in their order: its deploy repairs them."""
    return [
        thing
        for thing in objects
        if thing["kind"] not in CLUSTER_WIDE and places.APPLIED_BY not in thing["metadata"].get("labels", {})
    ]


def _labels(stack: Stack, platform: str) -> dict[str, str]:
    found = {places.PART_OF: stack.file.name, places.MANAGED_BY: places.MANAGER}
    return found | ({places.PLATFORM_ID: platform} if platform else {})


def _namespace(stack: Stack, name: str) -> Object:
    part = name.removeprefix(f"{stack.file.name}-")
    service = stack.components[part].service if part in stack.components else None
    level = dict.fromkeys((f"pod-security.kubernetes.io/{mode}" for mode in ("enforce", "audit", "warn")), _LEVEL)
    # What it may be is said; what it should be is audited all the same.
    level |= {"pod-security.kubernetes.io/enforce": service.pod_security} if service else {}
    summary = stack.parts[part]
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": level, "annotations": {"data-platform/summary": summary}},
    }


def _bounds(stack: Stack, part: str, size: str, asked: Mapping[str, Asked]) -> list[Object]:
    """The quota of a namespace, and the limits of each container in it."""
    namespace = f"{stack.file.name}-{part}"
    quota, largest = quota_of(stack, part, size, asked)
    hard = {
        "pods": str(quota.pods),
        "requests.cpu": _cores(quota.cpu),
        "requests.memory": _mib(quota.memory),
        "limits.cpu": _cores(quota.cpu_limit),
        "limits.memory": _mib(quota.memory_limit),
        "requests.storage": _mib(quota.storage),
        "persistentvolumeclaims": str(quota.claims),
        # Ways in are the site's ingress or gateway, not ports of the nodes.
        "services.nodeports": "0",
        "services.loadbalancers": "0",
    }
    container = {
        "type": "Container",
        "defaultRequest": {"cpu": _cores(needs.DEFAULT.cpu), "memory": _mib(needs.DEFAULT.memory)},
        "default": {"cpu": _cores(needs.DEFAULT.cpu_limit), "memory": _mib(needs.DEFAULT.memory_limit)},
        "max": {"cpu": _cores(_GROWTH * largest.cpu_limit), "memory": _mib(_GROWTH * largest.memory_limit)},
    }
    return [
        _object("ResourceQuota", QUOTA, namespace, {"hard": hard}),
        _object("LimitRange", LIMITS, namespace, {"limits": [container]}),
    ]


def quota_of(stack: Stack, part: str, size: str, asked: Mapping[str, Asked]) -> tuple[Need, Need]:
    """What the pods and volumes of a namespace may ask for together, and the largest pod that is declared.

    Args:
        stack: the platform.
        part: namespace without prefix.
        size: small or production.
        asked: what each component asks for.
    """
    found, largest = _SPARE, needs.DEFAULT
    for name, item in stack.components.items():
        if item.part != part:
            continue
        found = found.plus(asked[name].steady).plus(asked[name].extra)
        largest = largest.most(asked[name].largest)
        pod, count = needs.beside(stack, name, size)
        found, largest = found.plus(pod.times(count)), largest.most(pod)
    return found, largest


def _cores(value: float) -> str:
    """The API server's own way to write it, so that nothing differs when it is read again."""
    milli = round(value * 1000)
    return str(milli // 1000) if milli % 1000 == 0 else f"{milli}m"


def _mib(value: float) -> str:
    mib = math.ceil(value)
    return f"{mib // 1024}Gi" if mib % 1024 == 0 else f"{mib}Mi"


def _object(kind: str, name: str, namespace: str, spec: Object) -> Object:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}
