"""The checkout in pods by git-sync, in the place of the image's own. Pure.

The library chart writes the same container for Airflow's servers (`platform.gitSync`); a test compares them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from data_platform.targets.kubernetes import places

Object = dict[str, Any]
#: The user of git-sync's image: ssh refuses one that is not in its /etc/passwd.
_USER = 65533
_VOLUME, _TMP, _CREDENTIALS = "checkout", "git-sync-tmp", "git-sync-credentials"


class GitSync(NamedTuple):
    """Which commit pods run: `gitSync` in the values of Airflow's chart.

    Attributes:
        image: of git-sync, version 4.
        repository: its address.
        ref: branch, tag or commit.
        credentials: Secret with `username` and `password`, or with `ssh` and `known_hosts`; empty for none.
        resources: of its containers.
    """

    image: str
    repository: str
    ref: str
    credentials: str
    resources: Mapping[str, Any]


def git_sync(values: Mapping[str, Any]) -> GitSync | None:
    """What the values of Airflow's chart say; None where pods run the image's own checkout."""
    if not (said := values.get("gitSync")):
        return None
    credentials = said.get("credentialsSecret", "")
    return GitSync(said["image"], said["repository"], said["ref"], credentials, values["gitSyncResources"])


def add_checkout(pod: Object, git: GitSync, security: Mapping[str, Any]) -> None:
    """Let all containers of a pod that ends by itself run the commit that the ref has when the pod starts.

    Args:
        pod: to be changed.
        git: which commit.
        security: of its containers.
    """
    mounts: list[Object] = [
        {"name": _VOLUME, "mountPath": str(places.CHECKOUT)},
        {"name": _TMP, "mountPath": "/tmp"},  # noqa: S108 - a volume of the container's own
    ]
    volumes: list[Object] = [{"name": _VOLUME, "emptyDir": {}}, {"name": _TMP, "emptyDir": {}}]
    container: Object = {
        "name": "checkout",
        "image": git.image,
        "imagePullPolicy": "IfNotPresent",
        "args": [
            f"--repo={git.repository}",
            f"--ref={git.ref}",
            # Not the volume itself, which is not its own: git refuses a folder of somebody else.
            f"--root={places.CHECKOUT / 'git'}",
            f"--link={places.CHECKOUT / places.ROOT.name}",
            "--one-time",
            "--max-failures=3",
        ],
        "resources": git.resources,
        "securityContext": {**security, "runAsUser": _USER},
        "volumeMounts": mounts,
    }
    if git.credentials:
        container["env"] = [
            {
                "name": f"GITSYNC_{key.upper()}",
                "valueFrom": {"secretKeyRef": {"name": git.credentials, "key": key, "optional": True}},
            }
            for key in ("username", "password")
        ]
        mounts.append({"name": _CREDENTIALS, "mountPath": "/etc/git-secret", "readOnly": True})
        volumes.append({"name": _CREDENTIALS, "secret": {"secretName": git.credentials, "defaultMode": 0o440}})
    spec = pod["spec"]
    spec["initContainers"] = [container]
    spec["volumes"] += volumes
    for each in spec["containers"]:
        each["volumeMounts"].append({"name": _VOLUME, "mountPath": str(places.CHECKOUT), "readOnly": True})
