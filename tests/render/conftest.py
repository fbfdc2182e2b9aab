"""Charts are rendered with the values that the target would give them, by helm, without a cluster."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

from data_platform.clients.kubernetes import Cluster
from data_platform.stack.holders import holders
from data_platform.stack.load import KUBERNETES, load_stack
from data_platform.stack.service import Provided
from data_platform.targets.kubernetes.releases import Helm
from data_platform.targets.kubernetes.settings import Settings
from data_platform.targets.kubernetes.target import KubernetesTarget
from data_platform.targets.local.cache import cache_folder

Object = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]
COMPONENTS = ROOT / "stack" / "components"
CHARTS = sorted(path.parent for path in COMPONENTS.glob("*/*/chart/Chart.yaml"))
SIZES = ("small", "production")
#: Kinds of the Prometheus Operator; a cluster that has it is told to helm by this name.
MONITORING = "monitoring.coreos.com/v1"
#: So that every chart is rendered.
ALL_DEPLOYED: dict[str, Provided] = {"openebs": "deployed"}
#: Is in every generated credential.
CANARY = "canary"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each test of this room renders charts."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.helm)


@functools.cache
def helm() -> str:
    """The helm on the PATH, or the one that is built with the test cluster's programs."""
    from bootstrap.helm import helm_program

    return helm_program()


@functools.cache
def kubectl() -> str:
    """The kubectl on the PATH, or the one that is built with the test cluster's programs."""
    from bootstrap.cluster import tools

    return shutil.which("kubectl") or str(tools(cache_folder())["kubectl"])


@functools.cache
def target() -> KubernetesTarget:
    """The platform on a cluster that nobody asks, with credentials that are nobody's."""
    stack = load_stack(ROOT, target=KUBERNETES, cluster_services=ALL_DEPLOYED)
    images = {name: f"localhost/data-platform/{name}:0123456789ab" for name in stack.components}
    nobody = cast("Cluster", SimpleNamespace(knows=lambda *_: False))
    found = KubernetesTarget(stack, Settings(images=images), nobody, Helm(helm()), inside=True)
    for name, each in holders(stack).items():
        found._known[name] = {**each.fixed, **{key: f"{CANARY}-{name}-{key}" for key in each.generated}}
    return found


def definition(chart: Path) -> Object:
    """Values as the target writes them, for one chart."""
    found = target()
    release = found._release(found.stack.components[chart.parent.name])
    # As a file would have them.
    return cast("Object", json.loads(json.dumps(release.values)))


class RefusedError(Exception):
    """Helm did not take the values; its words."""


def render(chart: Path, size: str, *, changes: Object | None = None, apis: tuple[str, ...] = ()) -> list[Object]:
    """Objects of one chart in one size.

    Args:
        chart: folder of the chart.
        size: small or production.
        changes: values on top, by path.
        apis: what the cluster has besides.

    Raises:
        RefusedError: the values are wrong.
    """
    text = _template(chart, size, tuple((key, json.dumps(value)) for key, value in (changes or {}).items()), apis)
    return [found for found in yaml.safe_load_all(text) if found]


@functools.cache
def _template(chart: Path, size: str, changes: tuple[tuple[str, str], ...], apis: tuple[str, ...]) -> str:
    name, part = chart.parent.name, chart.parent.parent.name
    command = [helm(), "template", name, str(chart), "--namespace", f"data-platform-{part}", "--values", "-"]
    command += ["--values", str(chart.parent / f"values.{size}.yaml")]
    command += [word for api in apis for word in ("--api-versions", api)]
    command += [word for key, value in changes for word in ("--set-json", f"{key}={value}")]
    text = yaml.safe_dump(definition(chart))
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise RefusedError(done.stderr)
    return done.stdout
