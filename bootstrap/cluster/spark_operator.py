"""The Spark Operator in the test cluster, as production has it: by its own chart and with our values.

Its program is built here, and its image is Spark's with that program, for it starts Spark to make a driver.
"""

from __future__ import annotations

import time
from typing import Any

import yaml

from bootstrap import images
from bootstrap.arguments import ROOT
from bootstrap.cluster import binaries
from bootstrap.cluster.layout import CONTEXT, Layout
from bootstrap.progress import Progress
from data_platform.clients.kubernetes import Cluster, connect
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import KUBERNETES, load_stack
from data_platform.targets.images.build import Builder
from data_platform.targets.kubernetes import places, rollout
from data_platform.targets.kubernetes.releases import Helm, Release
from data_platform.targets.local.artifacts import Placed, fetch
from data_platform.targets.local.cache import cache_folder
from data_platform.targets.local.state import State

_SPARK, _JAVA = "spark", "java21"
#: Its release, its namespace and its image.
NAME = "spark-operator"
_SECONDS = 180
VALUES = ROOT / "stack" / "components" / "processing" / _SPARK / "values.operator.yaml"


def bring_in(layout: Layout) -> None:
    """Have the operator run in a cluster that is up, and wait until it does.

    Raises:
        PlatformError: a namespace that it is to watch is not there, or something is not to be had.
    """
    started = time.monotonic()
    progress = Progress()
    cluster = connect(CONTEXT, layout.kubeconfig)
    _refuse_without_namespaces(cluster)
    program = binaries.on_demand(cache_folder())["spark_operator"]
    if not program.is_there:
        progress.say(NAME, "building it from its Go module (once: some minutes)…")
        fetch(program, {}, cache_folder())
    reference = _image(program, progress)
    images.bring(State(layout.platform_state), [reference], progress)
    _namespace(cluster)
    helm = Helm(
        str(binaries.tools(cache_folder())["helm"]),
        ("--kube-context", CONTEXT, "--kubeconfig", str(layout.kubeconfig)),
    )
    helm.upgrade(_release(program, reference))
    cluster.wait_until("apps/v1", "Deployment", f"{NAME}-controller", NAME, done=_runs, seconds=_SECONDS)
    progress.say(NAME, f"[green]ready[/] after {time.monotonic() - started:.1f} s")


def _refuse_without_namespaces(cluster: Cluster) -> None:
    for name in yaml.safe_load(VALUES.read_text(encoding="utf-8"))["spark"]["jobNamespaces"]:
        if cluster.get("v1", "Namespace", name) is None:
            raise PlatformError(
                f"the namespace {name}, which the Spark Operator is to watch, is not there",
                "have the platform make it first: python3 -m bootstrap up --target kubernetes --only airflow",
            )


def _image(program: Placed, progress: Progress) -> str:
    """Build it; returns its reference."""
    stack = load_stack(ROOT, target=KUBERNETES)
    images.build(stack, progress)
    found: Builder = images.builder(stack, progress)
    home = {
        "JAVA_HOME": str(places.ARTIFACTS / _JAVA / stack.toolchains[_JAVA].home),
        "SPARK_HOME": str(places.ARTIFACTS / "home" / _SPARK),
    }
    return found.extend(NAME, _SPARK, program.folder / NAME, home)


def _namespace(cluster: Cluster) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.server_side_apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAME, "labels": labels}})


def _release(program: Placed, reference: str) -> Release:
    registry, _, rest = reference.partition("/")
    repository, _, tag = rest.rpartition(":")
    image = {"registry": registry, "repository": repository, "tag": tag}
    return Release(NAME, NAME, program.folder / "chart", {"image": image}, (VALUES,), program.digest)


def _runs(deployment: dict[str, Any] | None) -> bool:
    return deployment is not None and not rollout.progress(deployment)
