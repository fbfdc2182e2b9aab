"""The cluster's own namespaces: made by its supervisor, and gone with its last process."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from bootstrap.cluster import cgroups, inside, network
from bootstrap.cluster.layout import SERVICE_NETWORK, Layout
from bootstrap.cluster.machine import Record
from data_platform.clients.commands import run
from data_platform.clients.supervisor import Supervisor
from data_platform.stack.errors import PlatformError
from data_platform.targets.local.state import write_private

#: The kubelet insists on these settings of the whole machine.
_FIXED = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
#: Settings of the network namespace.
_SETTINGS = {"net/ipv4/ip_forward": "1", "net/ipv4/conf/all/rp_filter": "0", "net/ipv4/conf/default/rp_filter": "0"}
_TEMPORARY = ("/run/containerd", "/run/netns", "/var/log/containers")
_SECONDS = 60.0


def start_supervisor(layout: Layout, record: Record, configuration: Path) -> None:
    """Start the cluster's supervisor in new namespaces, and join their network with the machine's.

    Raises:
        PlatformError: the kernel refuses, or the supervisor does not start.
    """
    binds = {
        "/var/lib/kubelet": layout.data / "kubelet",
        "/var/lib/cni": layout.data / "cni",
        "/var/log/pods": layout.data / "podlogs",
    }
    fixed = layout.state.run / "settings"
    # What the network plugins and containers left of an earlier time is not true any more.
    shutil.rmtree(binds["/var/lib/cni"], ignore_errors=True)
    for folder in (*binds.values(), layout.volumes, fixed):
        folder.mkdir(parents=True, exist_ok=True)
    # Only the node itself goes through here; a volume's own folder is open to any pod's user.
    layout.volumes.chmod(0o700)
    supervisord = ["-W", "ignore", "-m", "supervisor.supervisord", "--configuration", str(configuration)]
    plan: inside.Plan = {
        "entrance": str(cgroups.entrance(record.group)),
        "temporary": list(_TEMPORARY),
        "binds": [(str(source), path) for path, source in binds.items()],
        "link": record.link,
        "address": f"{record.node}/{network.PREFIX}",
        "services": SERVICE_NETWORK,
        "settings": _SETTINGS,
        "fixed": _FIXED,
        "fixed_folder": str(fixed),
        "command": [sys.executable, *supervisord],
    }
    file = layout.state.run / "inside.json"
    write_private(file, json.dumps(plan))
    script = str(Path(inside.__file__))
    run(
        ["unshare", "--mount", "--net", "--propagation", "slave", sys.executable, "-I", script, str(file)],
        doing="making the cluster's namespaces",
        remedy=f"run as root, outside of an unprivileged container; {layout.state.logs / 'supervisord.log'}",
        seconds=_SECONDS,
    )
    network.join(record.link, record.machine)


def entering(layout: Layout) -> list[str]:
    """Words before a command that run it among the cluster's servers.

    Raises:
        PlatformError: there is no cluster.
    """
    try:
        pid = Supervisor(layout.state.socket).pid()
    except PlatformError:
        raise PlatformError(
            f"no cluster runs for {layout.platform_state}", "run: python3 -m bootstrap cluster up"
        ) from None
    return ["nsenter", f"--target={pid}", "--mount", "--net", "--"]


def refused(layout: Layout) -> str:
    """What network policies have refused in the last ten minutes; fails as long as none are enforced."""
    return run(
        [*entering(layout), "nft", "list", "set", "inet", "netpol", "refused"],
        doing="reading the refused connections",
        remedy=f"read {layout.state.logs / 'netpol.log'}",
        seconds=_SECONDS,
    )
