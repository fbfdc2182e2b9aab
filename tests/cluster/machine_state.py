"""What a machine looks like, for the comparison of before and after."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from bootstrap.cluster import cgroups
from bootstrap.cluster.machine import MOUNT_POINTS

#: Settings that change by themselves, or show a state.
_RESTLESS = ("random/", "ns_last_pid", "/nr", "nf_conntrack_count", "pty/", "/fs/", "tainted", "perf_event_max_sample")


def _settings() -> dict[str, str]:
    found = {}
    for folder, _, files in os.walk("/proc/sys"):
        for name in files:
            path = Path(folder, name)
            if any(word in str(path) for word in _RESTLESS):
                continue
            try:
                found[str(path)] = path.read_text(encoding="ascii", errors="replace")
            except OSError:
                continue
    return found


def _said(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, timeout=30, check=True).stdout


def snapshot() -> dict[str, Any]:
    """Settings, mounts, links, routes, packet filters, control groups, named namespaces and folders."""
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    links = [link["ifname"] for link in json.loads(_said("ip", "-json", "link"))]
    folders = {path: sorted(os.listdir(path)) if Path(path).exists() else None for path in MOUNT_POINTS}  # noqa: PTH208
    groups = [path.name for hierarchy in cgroups.hierarchies() for path in hierarchy.iterdir() if path.is_dir()]
    return {
        "settings": _settings(),
        "mounts": sorted(" ".join(line.split()[3:5]) for line in mounts),
        "links": sorted(links),
        "routes": sorted(_said("ip", "route", "show", "table", "all").splitlines()),
        "filters": _said("nft", "list", "ruleset"),
        "groups": sorted(groups),
        "folders": folders,
    }
