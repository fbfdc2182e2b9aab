"""Cluster services in a stack: who has each of them, and what follows for the components around it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from data_platform.stack.definition import Definition, Kubernetes
from data_platform.stack.errors import PlatformError
from data_platform.stack.facets import FACETS
from data_platform.stack.model import Loaded, StackFile
from data_platform.stack.service import ABSENT, CLUSTER, DEPLOYED, Provided


def names(base: Path) -> frozenset[str]:
    """Names of all cluster services of a checkout.

    Args:
        base: its folder `stack/`.
    """
    return frozenset(path.parent.name for path in base.glob(f"components/{CLUSTER}/*/component.yaml"))


def refuse_misfits(item: Loaded, file: StackFile) -> None:
    """A cluster service is in the folder of cluster services, and nothing else is; and its parts fit together.

    Raises:
        PlatformError: names the file and the key.
    """
    where, service = item.folder / "kubernetes.yaml", item.service
    if (service is not None) != (item.component.namespace == CLUSTER):
        raise PlatformError(
            f"{where}: cluster_service: what is in components/{CLUSTER}/ is a cluster service, and nothing else is one",
            f"{'say it' if service is None else f'move its folder to components/{CLUSTER}/'}; see "
            "docs/kubernetes/services.md",
        )
    if service is None:
        return
    if (item.folder / "local.yaml").exists():
        raise PlatformError(
            f"{item.folder / 'local.yaml'}: a cluster service exists on the target kubernetes alone", "remove the file"
        )
    if service.is_privileged and not item.component.bootstrap:
        raise PlatformError(
            f"{where}: cluster_service.pod_security is privileged, and Airflow would deploy it: who makes pods there "
            "has the nodes",
            "say `bootstrap: true` in its component.yaml: the bootstrap deploys it then, by the rights of a person",
        )
    if service.definitions and service.definitions.artifact not in item.definition.artifacts:
        raise PlatformError(
            f"{where}: cluster_service.definitions.artifact names {service.definitions.artifact!r}",
            f"use one of its artifacts: {', '.join(item.definition.artifacts) or 'it has none'}",
        )
    for grant in service.grants:
        if unknown := [part for part in grant.namespaces if part not in {*file.namespaces, item.name}]:
            raise PlatformError(
                f"{where}: cluster_service.grants: there is no namespace {', '.join(unknown)}",
                f"use one of: {', '.join((*file.namespaces, item.name))}",
            )


def chosen(loaded: Mapping[str, Loaded], asked: Mapping[str, Provided]) -> dict[str, Loaded]:
    """Components of which each cluster service knows who has it; without those that nobody has.

    Args:
        loaded: all components of the target.
        asked: what the environment says, by service.

    Raises:
        PlatformError: the environment says something of what is no cluster service.
    """
    there = [name for name, item in loaded.items() if item.service]
    if unknown := sorted(asked.keys() - set(there)):
        raise PlatformError(
            f"environment: cluster_services: there is no cluster service {', '.join(unknown)}",
            f"use one of: {', '.join(there) or 'this target has none'}",
        )
    found = {}
    for name, item in loaded.items():
        if item.service is None:
            found[name] = item
        elif (provided := asked.get(name, item.service.provided)) != ABSENT:
            mine = item.model_copy(update={"provided": provided})
            found[name] = mine if provided == DEPLOYED else _only_verified(mine)
    return found


def _only_verified(item: Loaded) -> Loaded:
    """What is left of a service that somebody else has: its order, and the checks of what it does for the cluster."""
    gone: dict[str, Any] = dict.fromkeys(name for name, facet in FACETS.items() if not facet.required)
    gone |= {"bootstrap": False, "endpoints": {}, "connection": None, "secrets": (), "claims": (), "calls": ()}
    left = {
        "component": item.component.model_copy(update=gone),
        "kubernetes": Kubernetes.model_validate({"cluster_service": item.service}),
        "definition": Definition.model_validate({}),
    }
    return item.model_copy(update=left)


def without(item: Loaded, away: Collection[str]) -> Loaded:
    """A component that neither waits for what takes no part nor calls it.

    Args:
        item: the component.
        away: cluster services that nobody has, and the capabilities for which they stand.
    """
    component = item.component
    kept = {
        field: tuple(name for name in getattr(component, field) if name not in away) for field in ("after", "calls")
    }
    if all(getattr(component, field) == left for field, left in kept.items()):
        return item
    return item.model_copy(update={"component": component.model_copy(update=kept)})


def given(item: Loaded, known: Collection[str], there: Collection[str]) -> Loaded:
    """A component with the values of its chart that follow from what is there (`values_with`).

    Args:
        item: the component.
        known: all capabilities.
        there: capabilities for which somebody stands.

    Raises:
        PlatformError: it names something that is no capability.
    """
    said = item.kubernetes.values_with if item.kubernetes else {}
    if unknown := sorted(said.keys() - set(known)):
        raise PlatformError(
            f"{item.folder / 'kubernetes.yaml'}: values_with names {', '.join(unknown)}, which is no capability",
            f"use one of: {', '.join(sorted(known))}",
        )
    found: dict[str, Any] = {}
    for capability, values in said.items():
        if capability in there:
            found |= values
    return item.model_copy(update={"given": found}) if found else item
