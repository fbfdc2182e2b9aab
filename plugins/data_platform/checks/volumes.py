"""Each class and way of access that the platform's volumes ask for gives a volume, to which a pod writes."""

from __future__ import annotations

from typing import Any

from data_platform.checks.base import CheckFailed, Deadline, Params, Platform

__all__ = ["Params", "check"]
_SIZE = "16Mi"
#: Where the volumes are in the pod, a folder for each.
_FOLDER = "/volumes"
_WRITE = f"for volume in {_FOLDER}/*; do echo written > $volume/check; done"


def check(params: Params, platform: Platform, deadline: Deadline) -> str:
    """Claim one of each, write a file to each in one pod, and remove all of it."""
    from data_platform.checks.objects import made, new_name, on_cluster
    from data_platform.clients.kubernetes_errors import ClusterError

    del params
    place = on_cluster(platform)
    if not (asked := place.volumes()):
        raise CheckFailed("no component asks for a volume")
    name = new_name()
    folders = {f"{_FOLDER}/{number}": f"{name}-{number}" for number in range(len(asked))}
    pod = place.scratch_pod(name, _WRITE, folders)
    namespace = str(pod["metadata"]["namespace"])
    claims = [_claim(claim, namespace, *each) for claim, each in zip(folders.values(), asked, strict=True)]
    with made(place.cluster, [*claims, pod]):
        try:
            ended = place.cluster.wait_for_pod(name, namespace, deadline.remaining)
        except ClusterError as error:
            there = [place.cluster.get("v1", claim["kind"], claim["metadata"]["name"], namespace) for claim in claims]
            phases = ((found or {}).get("status", {}).get("phase", "gone") for found in there)
            said = ", ".join(f"{_named([each])} is {phase}" for each, phase in zip(asked, phases, strict=True))
            raise CheckFailed(f"{error.problem}: {said}") from None
        if ended["status"]["phase"] != "Succeeded":
            raise CheckFailed(f"a pod cannot write to {_named(asked)}: {place.cluster.logs(name, namespace)}")
    return f"a pod has written to {_named(asked)}"


def _named(asked: list[tuple[str, str]]) -> str:
    return ", ".join(f"{mode} of {name or 'the default class'}" for name, mode in asked)


def _claim(name: str, namespace: str, storage_class: str, mode: str) -> dict[str, Any]:
    spec: dict[str, Any] = {"accessModes": [mode], "resources": {"requests": {"storage": _SIZE}}}
    spec |= {"storageClassName": storage_class} if storage_class else {}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }
