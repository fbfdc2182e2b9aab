"""The `kubernetes` target as the command line sees it: which cluster, which images, what was asked for."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bootstrap.arguments import ROOT
from bootstrap.progress import Progress
from data_platform.clients import kubernetes
from data_platform.clients.kubernetes import Cluster
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import DEFAULT_PROFILE, KUBERNETES, Stack, load_stack
from data_platform.targets.base import Target
from data_platform.targets.kubernetes import guard_rails, places, preflight, releases
from data_platform.targets.kubernetes.settings import Settings
from data_platform.targets.kubernetes.target import KubernetesTarget
from data_platform.targets.local.cache import cache_folder
from data_platform.targets.local.state import State, write_private

#: Context of the cluster that `bootstrap cluster up` makes (bootstrap/cluster/).
TEST_CONTEXT = "data-platform-test"


def test_kubeconfig(state: State) -> Path:
    """Where `bootstrap cluster up` of this state folder leaves its kubeconfig."""
    return state.folder / "cluster" / "kubeconfig"


def choose(state: State, arguments: argparse.Namespace) -> dict[str, Any]:
    """What this platform is asked to be: the arguments over what was remembered.

    Raises:
        PlatformError: no cluster was named and there is no test cluster; or another one is in use here.
    """
    used = state.settings()
    if used and used.get("target") != KUBERNETES:
        raise PlatformError(
            f"{state.folder} holds a platform on {used.get('target')}", "use --state with another folder for this one"
        )
    for key in ("profile", "context", "size"):
        asked = getattr(arguments, key)
        if used.get(key) and asked and asked != used[key]:
            raise PlatformError(
                f"{state.folder} was brought up with the {key} {used[key]!r}, not {asked!r}",
                f"use --state with another folder, or --{key} {used[key]}",
            )
    found = {
        "target": KUBERNETES,
        "profile": arguments.profile or used.get("profile") or DEFAULT_PROFILE,
        "context": arguments.context or used.get("context"),
        "kubeconfig": used.get("kubeconfig"),
        "size": arguments.size or used.get("size") or "small",
        "registry": arguments.registry or used.get("registry") or "",
        "images": used.get("images", {}),
        "storage_class": used.get("storage_class", ""),
        "api_server": used.get("api_server", ""),
    }
    if found["context"] is None:
        if not test_kubeconfig(state).exists():
            raise PlatformError(
                "no cluster was named, and this state folder has no test cluster",
                "give --context NAME (a context of your kubeconfig), or make a test cluster first: "
                "python3 -m bootstrap cluster up",
            )
        found |= {"context": TEST_CONTEXT, "kubeconfig": str(test_kubeconfig(state))}
    return found


def open_cluster(chosen: dict[str, Any]) -> Cluster:
    """A client of the chosen cluster."""
    kubeconfig = chosen.get("kubeconfig")
    return kubernetes.connect(chosen["context"], Path(kubeconfig) if kubeconfig else None)


def open_target(chosen: dict[str, Any]) -> KubernetesTarget:
    """The target of a platform whose settings are known."""
    keys = ("profile", "size", "images", "storage_class", "api_server")
    settings = Settings.model_validate({key: chosen[key] for key in keys})
    file = ["--kubeconfig", str(chosen["kubeconfig"])] if chosen.get("kubeconfig") else []
    helm = releases.Helm(helm_program(), ("--kube-context", str(chosen["context"]), *file))
    return KubernetesTarget(
        load_stack(ROOT, settings.profile, KUBERNETES), settings, open_cluster(chosen), helm, inside=False
    )


def helm_program() -> str:
    """Path of helm: the user's own, or the one that is built with the test cluster's programs."""
    if own := shutil.which("helm"):
        return own
    from bootstrap.cluster import tools

    return str(tools(cache_folder())["helm"])


def prepare(
    state: State, arguments: argparse.Namespace, progress: Progress
) -> tuple[KubernetesTarget, Callable[[], object]]:
    """Everything before the first component: images, preflight, namespaces. Remembers what was asked for.

    Returns the target, and what to call before others than the bootstrap's components are installed: it returns when
    their images are there too.

    Raises:
        PlatformError: the cluster cannot take the platform; names all of it.
    """
    chosen = choose(state, arguments)
    stack = load_stack(ROOT, chosen["profile"], KUBERNETES)
    cluster = open_cluster(chosen)
    chosen["api_server"] = preflight.api_server_address(cluster)
    verdict = preflight.judge(stack, chosen["size"], preflight.read_facts(cluster, stack), chosen["storage_class"])
    verdict.refuse()
    for warning in verdict.warnings:
        progress.say("cluster", f"[yellow]{warning.what}[/]; {warning.remedy}")
    chosen["images"], ready = _images(state, stack, cluster, chosen, progress)
    write_private(state.settings_file, json.dumps(chosen, indent=2) + "\n")
    target = open_target(chosen)
    for change in target.prepare():
        progress.say("namespaces", change)
    return target, ready


def _images(
    state: State, stack: Stack, cluster: Cluster, chosen: dict[str, Any], progress: Progress
) -> tuple[dict[str, str], Callable[[], object]]:
    """References of the images, and a wait for them: the test cluster's node is given those that it has not."""
    from bootstrap import images

    if chosen["registry"]:
        return images.references(stack, chosen["registry"]), lambda: None
    if chosen["context"] != TEST_CONTEXT:
        raise PlatformError(
            "nodes of this cluster must get the images from somewhere",
            "push them to a registry that it can pull from (python3 -m bootstrap images push REGISTRY), then give "
            "--registry REGISTRY",
        )
    loaded = images.load(state, stack, cluster, progress)
    return loaded.references, loaded.rest.result


def write_credentials(state: State, target: Target) -> None:
    """The credentials of all components for the person who brought the platform up, 0600."""
    found = {name: dict(known) for name in target.stack.components if (known := target.credentials(name))}
    write_private(state.credentials_file, json.dumps(found, indent=2) + "\n")


def remove(target: KubernetesTarget, purge: bool, progress: Progress) -> None:
    """Remove the platform's releases; with `purge` also its data, secrets and namespaces. Only what bears our labels.

    Args:
        target: the platform.
        purge: whether data goes too.
        progress: shows it.
    """
    for name in reversed(target.stack.components):
        here = places.namespace(target.stack, name)
        if releases.newest(target.cluster, name, here) is not None:
            progress.say(name, "uninstall")
            target.helm.uninstall(name, here)
    spaces = [f"{target.stack.file.name}-{name}" for name in target.stack.file.namespaces]
    ours = [name for name in spaces if _is_ours(target.cluster.get("v1", "Namespace", name))]
    if purge:
        _purge(target, ours, progress)
        return
    for here in ours:
        for secret in target.cluster.list_objects("v1", "Secret", here, labels=f"{places.MANAGED_BY}={places.MANAGER}"):
            # Volumes are locked with what was generated.
            if not secret["metadata"]["name"].endswith("-credentials"):
                target.cluster.delete("v1", "Secret", secret["metadata"]["name"], here)


def _is_ours(thing: dict[str, Any] | None) -> bool:
    return thing is not None and thing["metadata"].get("labels", {}).get(places.MANAGED_BY) == places.MANAGER


def _purge(target: KubernetesTarget, namespaces: list[str], progress: Progress) -> None:
    for here in namespaces:
        progress.say(here, "delete the namespace with its volumes and secrets")
        target.cluster.delete("v1", "Namespace", here)
    for here in namespaces:
        target.cluster.wait_until("v1", "Namespace", here, done=_gone, seconds=300)
    ours = f"{places.MANAGED_BY}={places.MANAGER},{places.PART_OF}={target.stack.file.name}"
    for kind in sorted(guard_rails.CLUSTER_WIDE):
        for found in target.cluster.list_objects("rbac.authorization.k8s.io/v1", kind, labels=ours):
            target.cluster.delete("rbac.authorization.k8s.io/v1", kind, found["metadata"]["name"])


def _gone(found: dict[str, Any] | None) -> bool:
    return found is None
