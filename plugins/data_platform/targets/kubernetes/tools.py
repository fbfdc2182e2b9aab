"""Tools of components: in this container where it has their programs, otherwise in a pod of their own."""

from __future__ import annotations

import fnmatch
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data_platform.checks.base import ToolCommand, ToolResult
from data_platform.clients.cleanup import removed_after
from data_platform.clients.kubernetes import Cluster
from data_platform.clients.kubernetes_errors import TIMEOUT, ClusterError
from data_platform.stack.bindings import Bindings
from data_platform.stack.definition import Tool
from data_platform.stack.errors import PlatformError
from data_platform.stack.model import Loaded
from data_platform.targets.kubernetes import places
from data_platform.targets.local.state import write_private
from data_platform.targets.render import render

_ALWAYS = ("PATH", "LANG", "TZ", "TMPDIR", "DATA_PLATFORM_*")


def refuse_unknown(item: Loaded, tool: str) -> Tool:
    """The tool of that name.

    Raises:
        PlatformError: the component has none.
    """
    if tool not in item.definition.tools:
        there = ", ".join(item.definition.tools) or "it has none"
        raise PlatformError(f"{item.name} has no tool {tool!r}", f"use one of its tools: {there}")
    return item.definition.tools[tool]


def command(
    item: Loaded, tool: str, arguments: Sequence[str], values: Bindings, etc: Mapping[str, bytes]
) -> ToolCommand:
    """How a tool is started in a container that has its programs.

    Its configuration is written first, privately, below the data folder: Secrets of other namespaces cannot be
    mounted.
    """
    spec, where = refuse_unknown(item, tool), f"{item.name}.{tool}"
    folder = Path(places.DATA) / "etc" / item.name
    for name, content in etc.items():
        write_private(folder / name, content.decode())
    own = {
        **values.open,
        "ETC": str(folder),
        "HOME": str(places.DATA),
        "NODE_ADDRESS": os.environ.get("NODE_ADDRESS", ""),
    }
    environment = {
        **_inherit(_ALWAYS),
        **own,
        **{key: render(text, {**own, **values.secret}, where) for key, text in spec.environment.items()},
        **_inherit(spec.inherit),
    }
    return ToolCommand([*(render(word, own, where) for word in spec.command), *arguments], environment)


def _inherit(patterns: Sequence[str]) -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if any(fnmatch.fnmatchcase(k, pattern) for pattern in patterns)}


def pod_name(component: str, tool: str) -> str:
    """A name that no other run has."""
    return f"tool-{component}-{tool}-{secrets.token_hex(4)}"


def run_pod(cluster: Cluster, pod: dict[str, Any], seconds: float) -> ToolResult:
    """Run a pod to its end and remove it.

    Args:
        cluster: where.
        pod: with one container.
        seconds: deadline.
    """
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    pod["spec"]["activeDeadlineSeconds"] = max(1, int(seconds))
    cluster.create(pod)
    with removed_after(lambda: cluster.delete("v1", "Pod", name, namespace), f"Pod {name} in {namespace}"):
        try:
            ended = cluster.wait_for_pod(name, namespace, seconds)
        except ClusterError as error:
            if error.reason != TIMEOUT:
                raise
            return ToolResult(-1, f"{_log(cluster, name, namespace)}\nnot done after {seconds:.0f} s")
        statuses = ended["status"].get("containerStatuses", [])
        codes = [s["state"]["terminated"]["exitCode"] for s in statuses if "terminated" in s.get("state", {})]
        reason = f"\n{ended['status'].get('reason', '')} {ended['status'].get('message', '')}".rstrip()
        return ToolResult(codes[0] if codes else -1, _log(cluster, name, namespace) + reason)


def _log(cluster: Cluster, name: str, namespace: str) -> str:
    try:
        return cluster.logs(name, namespace)
    except ClusterError as error:
        return f"no log: {error.problem}"
