"""What runs in the cluster and belongs to it: DNS and the default storage class."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from bootstrap.arguments import ROOT
from bootstrap.cluster.images import Own
from bootstrap.cluster.layout import DNS_SERVICE, DOMAIN, Layout
from data_platform.clients.kubernetes import Cluster
from data_platform.targets.render import render

_FOLDER = ROOT / "stack" / "cluster" / "addons"
_MANAGER = "data-platform-cluster"


def objects(folder: Path, own: Mapping[str, Own]) -> list[dict[str, Any]]:
    """All objects, in the order in which they can be made.

    Args:
        folder: of the persistent volumes on the node.
        own: the cluster's images.
    """
    values = {"DOMAIN": DOMAIN, "DNS_SERVICE": DNS_SERVICE, "VOLUMES": str(folder)}
    values |= {f"IMAGE_{name.upper()}": image.name for name, image in own.items()}
    files = sorted(_FOLDER.glob("*.yaml"))
    return [o for f in files for o in yaml.safe_load_all(render(f.read_text(encoding="utf-8"), values, str(f)))]


def apply(layout: Layout, own: Mapping[str, Own], cluster: Cluster) -> None:
    """Have all objects as they should be."""
    for wanted in objects(layout.volumes, own):
        cluster.server_side_apply(wanted, field_manager=_MANAGER)


def wait(layout: Layout, own: Mapping[str, Own], cluster: Cluster, seconds: float) -> None:
    """Wait until all of them serve.

    Raises:
        ClusterError: one does not.
    """
    for wanted in objects(layout.volumes, own):
        if wanted["kind"] == "Deployment":
            meta = wanted["metadata"]
            cluster.wait_until(
                "apps/v1", "Deployment", meta["name"], meta["namespace"], done=_is_rolled_out, seconds=seconds
            )


def _is_rolled_out(deployment: dict[str, Any] | None) -> bool:
    if deployment is None:
        return False
    status, wanted = deployment.get("status", {}), deployment["spec"]["replicas"]
    current = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    return bool(current and status.get("updatedReplicas", 0) == status.get("availableReplicas", 0) == wanted)
