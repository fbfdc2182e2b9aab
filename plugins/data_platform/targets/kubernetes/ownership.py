"""Whose an object of a cluster is, by its labels: this platform's, another one's, or somebody else's. Pure, but `kept`.

A name proves nothing: a namespace of our name may be another state folder's, or a person's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, Protocol

from data_platform.stack.errors import PlatformError
from data_platform.targets.kubernetes import places
from data_platform.targets.kubernetes.releases import DIGEST_LABEL

Object = dict[str, Any]

#: Kinds whose mark decides: what is in a namespace of ours, and what gives permissions in the whole cluster.
HOLDERS = ("Namespace", "ClusterRole", "ClusterRoleBinding")
#: What a person would miss, when a namespace goes with all that it holds.
_MISSED = (
    ("v1", "PersistentVolumeClaim"),
    ("v1", "Secret"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("batch/v1", "CronJob"),
)
_RELEASE = "meta.helm.sh/release-name"
#: Labels by which charts, ours and those of others, name their release or component.
_NAMING = (places.NAME, places.INSTANCE, "release", "app")
_TOKEN = "kubernetes.io/service-account-token"  # noqa: S105 - a type of Secrets


class Owner(Enum):
    """Who made an object."""

    OURS = "ours"
    #: An earlier version of the platform, which did not say which one; `up` takes it over.
    UNTOLD = "untold"
    ANOTHER = "another platform"
    SOMEBODY = "somebody else"


class Reader(Protocol):
    """The part of a cluster's client that is needed here."""

    def list_objects(self, api_version: str, kind: str, namespace: str = "", labels: str = "") -> list[Object]:
        """All objects of a kind."""


def owner(thing: Mapping[str, Any], platform: str) -> Owner:
    """Who made an object.

    Args:
        thing: the object; its labels decide.
        platform: our own id; empty where the bootstrap did not make this platform, and any mark of ours will do.
    """
    labels = thing["metadata"].get("labels") or {}
    if labels.get(places.MANAGED_BY) != places.MANAGER:
        return Owner.SOMEBODY
    told = labels.get(places.PLATFORM_ID, "")
    if platform in ("", told):
        return Owner.OURS
    return Owner.ANOTHER if told else Owner.UNTOLD


def named(thing: Mapping[str, Any]) -> str:
    """`Namespace data-platform-core`."""
    meta = thing["metadata"]
    return f"{thing['kind']} {meta['name']}" + (f" in {meta['namespace']}" if meta.get("namespace") else "")


def objection(thing: Mapping[str, Any], name: str, platform: str) -> tuple[str, str] | None:
    """Why `up` may not take an object over, and what to do; None where it may.

    Args:
        thing: what bears a name of ours.
        name: of the platform (stack/stack.yaml).
        platform: our own id.
    """
    kind, its = str(thing["kind"]), str(thing["metadata"]["name"])
    match owner(thing, platform):
        case Owner.SOMEBODY:
            remedy = (
                "give the platform another name in stack/stack.yaml, or hand it over: "
                f"kubectl label {kind.lower()} {its} {places.MANAGED_BY}={places.MANAGER}"
            )
            return f"the {_word(kind)} {its} is there and was not made by this platform", remedy
        case Owner.ANOTHER:
            told = thing["metadata"]["labels"][places.PLATFORM_ID]
            remedy = (
                "use the state folder of that platform (--state), or give this one another name in stack/stack.yaml; "
                "when that state folder is lost, hand its objects over: kubectl label "
                f"namespace,clusterrole,clusterrolebinding -l {places.PART_OF}={name},{places.PLATFORM_ID}={told} "
                f"{places.PLATFORM_ID}={platform} --overwrite"
            )
            return f"the {_word(kind)} {its} belongs to another platform ({told}; this one is {platform})", remedy
        case _:
            return None


def _word(kind: str) -> str:
    return "namespace" if kind == "Namespace" else kind


def refuse_others(thing: Mapping[str, Any], name: str, platform: str) -> None:
    """Refuse to change what we may not take over.

    Raises:
        PlatformError: see `objection`.
    """
    if said := objection(thing, name, platform):
        raise PlatformError(*said)


def kept(cluster: Reader, namespace: str, components: Iterable[str]) -> list[Object]:
    """What others have put into a namespace of ours: releases, volumes, Secrets and workloads of their own.

    Args:
        cluster: where.
        namespace: a namespace that the platform made.
        components: names of the platform's own.
    """
    ours = frozenset(components)
    return [
        thing
        for version, kind in _MISSED
        for thing in cluster.list_objects(version, kind, namespace)
        if not is_of_components(thing, ours)
    ]


def is_of_components(thing: Mapping[str, Any], components: frozenset[str]) -> bool:
    """Whether an object in a namespace of ours comes with one of our components."""
    meta = thing["metadata"]
    labels, annotations = meta.get("labels") or {}, meta.get("annotations") or {}
    if labels.get("owner") == "helm":
        return labels.get("name") in components and DIGEST_LABEL in labels
    return bool(
        labels.get(places.MANAGED_BY) == places.MANAGER
        or meta.get("ownerReferences")
        or thing.get("type") == _TOKEN
        or annotations.get(_RELEASE) in components
        or components.intersection(str(labels.get(key, "")) for key in _NAMING)
    )
