"""What runs in the cluster and belongs to it: DNS and the default storage class."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from bootstrap.arguments import ROOT
from bootstrap.cluster.images import Own
from bootstrap.cluster.kubectl import Kubectl
from bootstrap.cluster.layout import DNS_SERVICE, DOMAIN, Layout
from data_platform.targets.local.state import write_private
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


def apply(layout: Layout, own: Mapping[str, Own], kubectl: Kubectl) -> None:
    """Have all objects as they should be.

    Raises:
        PlatformError: the API server refuses one.
    """
    file = layout.etc / "addons.yaml"
    write_private(file, yaml.safe_dump_all(objects(layout.volumes, own), sort_keys=False))
    settings = ["--server-side", "--force-conflicts", f"--field-manager={_MANAGER}"]
    # The API server makes its own namespaces just after it answers.
    kubectl.run("wait", "--for=create", "namespace/kube-system", "--timeout=30s", seconds=40)
    kubectl.run("apply", *settings, f"--filename={file}", seconds=60)


def wait(layout: Layout, own: Mapping[str, Own], kubectl: Kubectl, seconds: int) -> None:
    """Wait until all of them serve.

    Raises:
        PlatformError: one does not.
    """
    for wanted in objects(layout.volumes, own):
        if wanted["kind"] == "Deployment":
            name, namespace = wanted["metadata"]["name"], wanted["metadata"]["namespace"]
            words = ["status", f"deployment/{name}", f"--namespace={namespace}", f"--timeout={seconds}s"]
            kubectl.run("rollout", *words, seconds=seconds + 10)
