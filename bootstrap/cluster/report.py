"""`cluster status`."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bootstrap.cluster import cgroups, machine
from bootstrap.cluster.binaries import programs
from bootstrap.cluster.kubectl import Kubectl
from bootstrap.cluster.layout import API_PORT, CONTEXT, Layout
from data_platform.clients.supervisor import Supervisor
from data_platform.stack.errors import PlatformError
from data_platform.targets.local.cache import cache_folder

_MIB = 1024


def status(layout: Layout) -> int:
    """Show the cluster; 0 when all its servers run and it answers."""
    record = machine.read(layout)
    if record is None:
        print(f"There is no cluster in {layout.folder}.")
        return 1
    try:
        supervisor = Supervisor(layout.state.socket)
        states, pids = supervisor.states(), supervisor.pids()
    except PlatformError:
        print(
            f"The cluster in {layout.folder} does not run.\n  → python3 -m bootstrap cluster up, or down to remove it"
        )
        return 1
    console = Console(highlight=False)
    table = Table(title=f"https://{record.node}:{API_PORT}", title_justify="left")
    for column in ("server", "state", "memory (PSS)"):
        table.add_column(column, justify="right" if column.startswith("memory") else "left")
    for name, state in states.items():
        memory = pss_mib(pids[name]) if name in pids else 0
        table.add_row(name, state if state == "RUNNING" else f"[red]{state}[/]", f"{memory} MiB")
    servers = set(pids.values())
    others = sum(pss_mib(pid) for pid in _node_processes(record.group) - servers)
    table.add_row("supervisor, shims of pods", "", f"{others} MiB")
    console.print(table)
    told, good = _tell(layout, "kubelet" in states)
    console.print(told, soft_wrap=True)
    console.print(f"KUBECONFIG={layout.kubeconfig} (context {CONTEXT})", soft_wrap=True)
    return 0 if good and all(state == "RUNNING" for state in states.values()) else 1


def _node_processes(group: str) -> set[int]:
    with suppress(OSError):
        return {int(line) for line in cgroups.entrance(group).read_text(encoding="ascii").split()}
    return set()


def _tell(layout: Layout, full: bool) -> tuple[str, bool]:
    kubectl = Kubectl(programs(cache_folder()).path("kubernetes", "kubectl"), layout)
    try:
        version = kubectl.json("version")["serverVersion"]["gitVersion"]
        if not full:
            return f"Kubernetes {version}, level api", True
        found = kubectl.json("get", "nodes,pods", "--all-namespaces")["items"]
    except PlatformError as error:
        return f"[red]{escape(str(error))}[/]", False
    (node,) = [item for item in found if item["kind"] == "Node"]
    pods = [item for item in found if item["kind"] == "Pod"]
    running = sum(pod["status"].get("phase") == "Running" for pod in pods)
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"]["conditions"])
    word = "ready" if ready else "[red]not ready[/]"
    return f"Kubernetes {version}, level full, node {word}, {running} of {len(pods)} pods run", ready


def pss_mib(pid: int) -> int:
    """Memory of a process, with its share of what it has in common with others; 0 when it has ended."""
    with suppress(OSError):
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        if found := re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE):
            return int(found[1]) // _MIB
    return 0
