"""Charts are rendered with the values that the target would give them, by helm, without a cluster."""

from __future__ import annotations

import functools
import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]
COMPONENTS = ROOT / "stack" / "components"
CHARTS = sorted(path.parent for path in COMPONENTS.glob("*/*/chart/Chart.yaml"))
SIZES = ("small", "production")
#: Kinds of the Prometheus Operator; a cluster that has it is told to helm by this name.
MONITORING = "monitoring.coreos.com/v1"


@functools.cache
def helm() -> str:
    """The helm on the PATH, or the one that is built with the test cluster's programs."""
    from bootstrap.on_cluster import helm_program

    return helm_program()


def definition(chart: Path) -> Object:
    """Values as the target writes them, for one chart."""
    folder = chart.parent
    component = yaml.safe_load((folder / "component.yaml").read_text(encoding="utf-8"))
    place = folder / "kubernetes.yaml"
    here = yaml.safe_load(place.read_text(encoding="utf-8")) if place.exists() else {}
    name = component["name"]
    endpoints = {**component.get("endpoints", {}), **here.get("endpoints", {})}
    ready = {"http": {"port": next(iter(endpoints.values()))["port"], "path": "/"}, "within": 90} if endpoints else {}
    processes = yaml.safe_load((chart / "values.yaml").read_text(encoding="utf-8"))["workloads"]
    values: Object = {
        "component": name,
        "part": component["namespace"],
        "version": component["version"],
        "endpoints": {key: {"port": spec["port"]} for key, spec in endpoints.items()},
        "etc": {"secret": f"{name}-etc", "digest": "0" * 8, "items": [{"key": "a..b", "path": "a/b"}]},
        "processes": {
            process: {
                "command": ["/opt/data-platform/artifacts/program", "--verbose"],
                "directory": "/var/lib/data-platform",
                "environmentSecret": f"{name}-{process}",
                "digest": "1" * 8,
                "stopSeconds": 20,
                "ready": ready,
            }
            for process in processes
        },
        "jobs": {
            job: {"command": ["program"], "environmentSecret": f"{name}-{job}", "digest": "2" * 8, "within": 300}
            for job in here.get("jobs", {})
        },
        "resources": {
            "cpu": component["resources"]["cpu"],
            "memoryMi": component["resources"]["memory_mib"],
            "storageMi": component["resources"].get("storage_mib", 0),
        },
        "image": {"reference": f"data-platform/{name}:0123456789ab"},
    }
    return values


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
