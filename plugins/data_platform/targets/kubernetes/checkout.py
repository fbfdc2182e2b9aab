"""The checkout in pods by git-sync, in the place of the image's own: of Airflow's servers, of tasks, of pods that tools
have made. Pure.

All of it is said here: the chart of Airflow's servers is given the containers, volumes and mount as a value.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, NamedTuple

from data_platform.targets.kubernetes import places

Object = dict[str, Any]
#: What people say of it in the values of Airflow's chart, and what is made of that.
SAID, MADE = ("gitSync", "gitSyncResources"), "checkout"
#: The user of git-sync's image: ssh refuses one that is not in its /etc/passwd.
_USER = 65533
_VOLUME, _TMP, _CREDENTIALS = "checkout", "git-sync-tmp", "git-sync-credentials"


class GitSync(NamedTuple):
    """Which commit pods run: `gitSync` in the values of Airflow's chart.

    Attributes:
        image: of git-sync, version 4.
        repository: its address.
        ref: branch, tag or commit.
        period: seconds between two looks of a server for a new commit.
        credentials: Secret with `username` and `password`, or with `ssh` and `known_hosts`; empty for none.
        resources: of its containers.
    """

    image: str
    repository: str
    ref: str
    period: int
    credentials: str
    resources: Mapping[str, Any]


def git_sync(values: Mapping[str, Any]) -> GitSync | None:
    """What the values of Airflow's chart say; None where pods run the image's own checkout."""
    if not (said := values.get("gitSync")):
        return None
    credentials = said.get("credentialsSecret", "")
    return GitSync(
        said["image"], said["repository"], said["ref"], said["periodSeconds"], credentials, values["gitSyncResources"]
    )


def add_checkout(pod: Object, git: GitSync, security: Mapping[str, Any]) -> None:
    """Let all containers of a pod that ends by itself run the commit that the ref has when the pod starts.

    Args:
        pod: to be changed.
        git: which commit.
        security: of its containers.
    """
    spec = pod["spec"]
    spec["initContainers"] = [_first(git, security)]
    spec["volumes"] += _volumes(git)
    for each in spec["containers"]:
        each["volumeMounts"].append(_mount())


def chart_values(values: Mapping[str, Any], security: Mapping[str, Any]) -> Object:
    """What a chart is told for its servers; nothing where they run the image's own checkout.

    Args:
        values: of the chart.
        security: of its containers.
    """
    if (git := git_sync(values)) is None:
        return {}
    found = {
        # The chart refuses other ones than these: tasks would not know of them.
        "said": {key: values[key] for key in SAID},
        "containers": [_first(git, security), _beside(git, security)],
        "mount": _mount(),
        "volumes": _volumes(git),
    }
    # Without parts that are one object: a reader of YAML need not know its anchors.
    return {MADE: copy.deepcopy(found)}


def _first(git: GitSync, security: Mapping[str, Any]) -> Object:
    """Fetches the checkout before anything else starts."""
    return {"name": "checkout", **_container(git, security, "--one-time", "--max-failures=3")}


def _beside(git: GitSync, security: Mapping[str, Any]) -> Object:
    """Follows the ref beside a server, which stays up while the repository is away."""
    # What a server reads at the moment of a change stays a while.
    words = (f"--period={git.period}s", "--max-failures=-1", "--stale-worktree-timeout=10m")
    return {"name": "git-sync", "restartPolicy": "Always", **_container(git, security, *words)}


def _container(git: GitSync, security: Mapping[str, Any], *words: str) -> Object:
    mounts: list[Object] = [
        {"name": _VOLUME, "mountPath": str(places.CHECKOUT)},
        {"name": _TMP, "mountPath": str(places.TMP)},
    ]
    found: Object = {
        "image": git.image,
        "imagePullPolicy": "IfNotPresent",
        "args": [
            f"--repo={git.repository}",
            f"--ref={git.ref}",
            # Not the volume itself, which is not its own: git refuses a folder of somebody else.
            f"--root={places.CHECKOUT / 'git'}",
            f"--link={places.CHECKOUT / places.ROOT.name}",
            *words,
        ],
        "resources": git.resources,
        "securityContext": {**security, "runAsUser": _USER},
        "volumeMounts": mounts,
    }
    if git.credentials:
        found["env"] = [
            {
                "name": f"GITSYNC_{key.upper()}",
                "valueFrom": {"secretKeyRef": {"name": git.credentials, "key": key, "optional": True}},
            }
            for key in ("username", "password")
        ]
        mounts.append({"name": _CREDENTIALS, "mountPath": "/etc/git-secret", "readOnly": True})
    return found


def _mount() -> Object:
    return {"name": _VOLUME, "mountPath": str(places.CHECKOUT), "readOnly": True}


def _volumes(git: GitSync) -> list[Object]:
    found: list[Object] = [
        {"name": _VOLUME, "emptyDir": {"sizeLimit": "1Gi"}},
        {"name": _TMP, "emptyDir": {"sizeLimit": "64Mi"}},
    ]
    if git.credentials:
        found.append({"name": _CREDENTIALS, "secret": {"secretName": git.credentials, "defaultMode": 0o440}})
    return found
