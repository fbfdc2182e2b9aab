"""What checks make in a cluster for a moment: objects with a label, which a later run removes after a killed one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, cast

from data_platform.checks.base import CheckFailed, Platform
from data_platform.checks.scratch import left_over, scratch_name
from data_platform.clients.cleanup import removed_after

if TYPE_CHECKING:
    from data_platform.clients.kubernetes import Cluster

Object = dict[str, Any]

#: On every object that a check has made.
LABEL = "data-platform/check"


class OnCluster(Platform, Protocol):
    """What a check may know of a platform that is on a cluster."""

    cluster: Cluster

    def namespace(self, component: str) -> str:
        """Namespace of a component (or capability)."""

    def volumes(self) -> list[tuple[str, str]]:
        """Which volumes components ask for: classes (the default one when empty), with the way of access."""

    def scratch_pod(self, name: str, script: str, volumes: Mapping[str, str]) -> Object:
        """A pod that runs a script of the shell to its end, in a namespace of the platform; claims by their folders."""


def on_cluster(platform: Platform) -> OnCluster:
    """The platform, where it is on a cluster.

    Raises:
        CheckFailed: it is on none.
    """
    if not hasattr(platform, "cluster"):
        raise CheckFailed("this platform is on no cluster")
    return cast("OnCluster", platform)


def new_name() -> str:
    """A name for an object; it holds its time."""
    return scratch_name().replace("_", "-")


@contextmanager
def made(cluster: Cluster, wanted: Sequence[Mapping[str, Any]]) -> Iterator[list[Object]]:
    """Objects that are there while the block runs. Those of the same kinds that killed checks left go, too.

    Args:
        cluster: where.
        wanted: the objects, in their order; what comes last goes first.
    """
    for thing in wanted:
        _remove_left_over(cluster, thing)
    with ExitStack() as stack:
        found = []
        for thing in wanted:
            marked = {**thing, "metadata": {**thing["metadata"], "labels": {LABEL: "scratch"}}}
            found.append(cluster.server_side_apply(marked))
            remove = partial(cluster.delete, *_place(thing), thing["metadata"].get("namespace", ""))
            stack.enter_context(removed_after(remove, "an object of a check", required=True))
        yield found


def _place(thing: Mapping[str, Any]) -> tuple[str, str, str]:
    return str(thing["apiVersion"]), str(thing["kind"]), str(thing["metadata"]["name"])


def _remove_left_over(cluster: Cluster, like: Mapping[str, Any]) -> None:
    version, kind, _ = _place(like)
    namespace = like["metadata"].get("namespace", "")
    there = cluster.list_objects(version, kind, namespace, labels=LABEL)
    names = {str(thing["metadata"]["name"]).replace("-", "_"): str(thing["metadata"]["name"]) for thing in there}
    for name in left_over(names):
        cluster.delete(version, kind, names[name], namespace)
