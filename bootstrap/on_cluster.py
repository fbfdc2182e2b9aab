"""The `kubernetes` target as the command line sees it: which cluster, which images, what was asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bootstrap import cluster_services, environments
from bootstrap.helm import helm_program
from bootstrap.progress import Progress
from data_platform import promotion
from data_platform.clients import kubernetes
from data_platform.clients.kubernetes import Cluster
from data_platform.stack.errors import PlatformError
from data_platform.stack.holders import holders
from data_platform.stack.load import DEFAULT_PROFILE, KUBERNETES
from data_platform.stack.stack import Stack
from data_platform.targets import trust
from data_platform.targets.base import Target
from data_platform.targets.kubernetes import guard_rails, inventory, ownership, places, preflight, releases
from data_platform.targets.kubernetes.needs import Asked
from data_platform.targets.kubernetes.permissions import namespaces, permissions
from data_platform.targets.kubernetes.settings import Settings
from data_platform.targets.kubernetes.sizes import Paper
from data_platform.targets.kubernetes.target import KubernetesTarget
from data_platform.targets.local.cache import cache_folder
from data_platform.targets.local.state import State, write_private

#: Context of the cluster that `bootstrap cluster up` makes (bootstrap/cluster/).
TEST_CONTEXT = "data-platform-test"


def test_kubeconfig(state: State) -> Path:
    """Where `bootstrap cluster up` of this state folder leaves its kubeconfig."""
    return state.cluster / "kubeconfig"


def choose(state: State, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What this platform is to be: what was asked (environments.asked), and the defaults.

    Raises:
        PlatformError: no cluster was named and there is no test cluster.
    """
    used = state.settings()
    defaults = {"profile": DEFAULT_PROFILE, "size": environments.DEFAULT_SIZE, "registry": "", "storage_class": ""}
    found = {
        **defaults,
        "kubeconfig": None,
        "images": used.get("images", {}),
        "api_server": used.get("api_server", ""),
        **asked,
        "target": KUBERNETES,
    }
    if found.get("context") is None:
        if not test_kubeconfig(state).exists():
            raise PlatformError(
                f"no cluster was named, and there is no test cluster in {state.folder}",
                "give --context NAME (a context of your kubeconfig), or make a test cluster first: "
                f"python3 -m bootstrap cluster up --state {state.folder}",
            )
        found |= {"context": TEST_CONTEXT, "kubeconfig": str(test_kubeconfig(state))}
    return found


def open_cluster(chosen: dict[str, Any]) -> Cluster:
    """A client of the chosen cluster."""
    kubeconfig = chosen.get("kubeconfig")
    return kubernetes.connect(chosen["context"], Path(kubeconfig) if kubeconfig else None)


def open_target(chosen: dict[str, Any], platform: str) -> KubernetesTarget:
    """The target of a platform whose settings and id are known."""
    settings = _settings(chosen, platform)
    file = Path(chosen["authorities"]) if chosen.get("authorities") else None
    kubeconfig = ["--kubeconfig", str(chosen["kubeconfig"])] if chosen.get("kubeconfig") else []
    helm = releases.Helm(helm_program(), ("--kube-context", str(chosen["context"]), *kubeconfig))
    stack, cluster = environments.stack_of(chosen), open_cluster(chosen)
    return KubernetesTarget(stack, settings, cluster, helm, inside=False, authorities=file)


def _settings(chosen: Mapping[str, Any], platform: str) -> Settings:
    """What pods are told that the platform is to be."""
    said = {key: value for key, value in chosen.items() if key in Settings.model_fields}
    file = Path(chosen["authorities"]) if chosen.get("authorities") else None
    return Settings.model_validate({**said, "authorities": trust.read(file) if file else "", "platform": platform})


def prepare(
    state: State, asked: Mapping[str, Any], platform: str, progress: Progress
) -> tuple[KubernetesTarget, Callable[[], object]]:
    """Everything before the first component: images, preflight, namespaces. Remembers what was asked for.

    Returns the target, and what to call before others than the bootstrap's components are installed: it returns when
    their images are there too.

    Raises:
        PlatformError: the cluster cannot take the platform; names all of it.
    """
    chosen = choose(state, asked)
    stack = environments.stack_of(chosen)
    promotion.refuse_unproven(stack, chosen)
    cluster = open_cluster(chosen)
    chosen["api_server"] = inventory.api_server_address(cluster)
    facts = inventory.read_facts(cluster, stack)
    asked_for = Paper(stack, _settings(chosen, platform), releases.Helm(helm_program())).asked()
    storage_class = chosen["storage_class"]
    verdict = preflight.judge(stack, chosen["size"], asked_for, facts, storage_class=storage_class, platform=platform)
    verdict.refuse()
    for warning in verdict.warnings:
        progress.say("cluster", f"[yellow]{warning.what}[/]; {warning.remedy}")
    chosen["images"], ready = _images(state, stack, cluster, chosen, progress)
    write_private(state.settings_file, json.dumps(chosen, indent=2) + "\n")
    target = open_target(chosen, platform)
    target.asked = asked_for
    for change in target.prepare():
        progress.say("namespaces", change)
    cluster_services.make_kinds_known(target, cache_folder(), progress)
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
    """The credentials of all holders for the person who brought the platform up, 0600."""
    found = {name: dict(known) for name in holders(target.stack) if (known := target.credentials(name))}
    write_private(state.credentials_file, json.dumps(found, indent=2) + "\n")


def is_gone(state: State, settings: dict[str, Any]) -> bool:
    """Whether the platform was on this state folder's test cluster, and that is no more."""
    return settings.get("context") == TEST_CONTEXT and not test_kubeconfig(state).exists()


def remove(target: KubernetesTarget, purge: bool, progress: Progress) -> list[str]:
    """Remove the platform's releases; with `purge` also its data, secrets and namespaces. Only what bears our mark.

    Args:
        target: the platform.
        purge: whether data goes too.
        progress: shows it.

    Returns:
        What of our names, or in our namespaces, somebody else made, in words; it is left.
    """
    platform, left, ours = target.settings.platform, [], []
    for name in namespaces(target.stack):
        found = target.cluster.get("v1", "Namespace", name)
        if found is None:
            continue
        match ownership.owner(found, platform):
            case ownership.Owner.OURS:
                ours.append(name)
            case ownership.Owner.UNTOLD:
                left.append(f"{ownership.named(found)} (a version without marks made it; `up` takes it over)")
            case _:
                left.append(ownership.named(found))
    for name in reversed(target.stack.components):
        here = places.namespace(target.stack, name)
        if here not in ours or (record := releases.newest(target.cluster, name, here)) is None:
            continue
        # One that others made is found below, with all else that is theirs.
        if record.is_ours:
            progress.say(name, "uninstall")
            target.helm.uninstall(name, here)
    theirs = {here: ownership.kept(target.cluster, here, target.stack.components) for here in ours}
    left += [f"{here}: {ownership.named(thing)}" for here, things in theirs.items() for thing in things]
    if purge:
        left += _purge(target, theirs, progress)
    else:
        for here in ours:
            # Volumes are locked with what was generated.
            _delete_secrets(target, here, but="-credentials")
    return left


def _delete_secrets(target: KubernetesTarget, namespace: str, but: str = "") -> None:
    ours = f"{places.MANAGED_BY}={places.MANAGER}"
    for secret in target.cluster.list_objects("v1", "Secret", namespace, labels=ours):
        name = secret["metadata"]["name"]
        if not (but and name.endswith(but)):
            target.cluster.delete("v1", "Secret", name, namespace)


def _purge(target: KubernetesTarget, theirs: dict[str, list[dict[str, Any]]], progress: Progress) -> list[str]:
    """Delete the namespaces of ours; of those in which others have something, what is ours there.

    Returns cluster-wide roles and bindings of our names that somebody else made, and kinds that others use.
    """
    empty = [here for here, things in theirs.items() if not things]
    for here in empty:
        progress.say(here, "delete the namespace with its volumes and secrets")
        target.cluster.delete("v1", "Namespace", here)
    for here, things in theirs.items():
        if things:
            progress.say(here, "[yellow]keep the namespace[/]: others have something there; delete what is ours in it")
            _purge_inside(target, here, {ownership.named(thing) for thing in things})
    for here in empty:
        target.cluster.wait_until("v1", "Namespace", here, done=_gone, seconds=300)
    left = cluster_services.forget_kinds(target.cluster, target.settings.platform, frozenset(empty))
    for wanted in permissions(target.stack):
        version, kind, name = wanted["apiVersion"], wanted["kind"], wanted["metadata"]["name"]
        if kind not in guard_rails.CLUSTER_WIDE or (found := target.cluster.get(version, kind, name)) is None:
            continue
        if ownership.owner(found, target.settings.platform) is ownership.Owner.OURS:
            target.cluster.delete(version, kind, name)
        else:
            left.append(ownership.named(found))
    return left


def _purge_inside(target: KubernetesTarget, namespace: str, theirs: set[str]) -> None:
    _delete_secrets(target, namespace)
    for claim in target.cluster.list_objects("v1", "PersistentVolumeClaim", namespace):
        if ownership.named(claim) not in theirs:
            target.cluster.delete("v1", "PersistentVolumeClaim", claim["metadata"]["name"], namespace)
    # Which they are, not how large.
    none = dict.fromkeys(target.stack.components, Asked())
    rails = guard_rails.guard_rails(target.stack, target.settings.size, none, target.settings.api_server)
    for thing in reversed(rails):
        if thing["metadata"].get("namespace") == namespace:
            target.cluster.delete(thing["apiVersion"], thing["kind"], thing["metadata"]["name"], namespace)
    # Without our labels it is theirs: fields that we owned and no longer say go.
    bare = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    target.cluster.server_side_apply(bare)


def _gone(found: dict[str, Any] | None) -> bool:
    return found is None
