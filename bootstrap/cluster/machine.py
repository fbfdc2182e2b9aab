"""What a cluster changes on this machine: written down before it is changed, and put back.

Namespaces, mounts, network devices and the kernel settings of the network end with the cluster's last process. What
does not end by itself is in the record: control groups, the link to the node, and empty folders that the servers'
fixed paths are mounted over. Kernel settings of the whole machine are not changed (see `inside.py`).
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bootstrap.cluster import cgroups, network
from bootstrap.cluster.layout import CGROUP_PREFIX, Layout
from data_platform.clients.commands import run
from data_platform.targets.local.state import read_json, write_private

#: Paths that containerd, CNI and the kubelet do not let one choose. They exist on the machine only as a place to mount
#: our own folders over, in the cluster's mount namespace.
MOUNT_POINTS = (
    "/var/lib/kubelet",
    "/var/lib/cni",
    "/var/log/pods",
    "/var/log/containers",
    "/run/containerd",
    "/run/netns",
)
#: In a folder that we made. Nobody in the cluster sees it: another folder is mounted over.
MARK = ".made-by-data-platform"
_REMOVE_SECONDS = 900.0


@dataclass(frozen=True)
class Record:
    """`machine.json`: what there is to put back."""

    id: str
    group: str
    link: str
    node: str
    machine: str
    folders: tuple[str, ...]


def read(layout: Layout) -> Record | None:
    """The record of a cluster; None where there is none."""
    found = read_json(layout.record)
    return Record(**{**found, "folders": tuple(found["folders"])}) if found else None


@contextmanager
def alone() -> Iterator[None]:
    """Clusters change the machine one after the other. The lock leaves nothing behind."""
    descriptor = os.open("/run", os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def claim(layout: Layout) -> Record:
    """Write down what will be changed, then make the control groups and folders; changes nothing the second time."""
    with alone():
        missing = {path for path in MOUNT_POINTS if not Path(path).exists() or Path(path, MARK).exists()}
        record = read(layout) or _choose(layout)
        # Those of an earlier time too: a restart of the machine empties /run.
        record = replace(record, folders=tuple(sorted(missing | set(record.folders))))
        write_private(layout.record, json.dumps(asdict(record), indent=2) + "\n")
        for path in map(Path, record.folders):
            path.mkdir(exist_ok=True)
            (path / MARK).touch()
        cgroups.make(record.group)
    return record


def _choose(layout: Layout) -> Record:
    link = network.choose(layout.state.id, network.routes())
    return Record(
        id=layout.state.id,
        group=f"{CGROUP_PREFIX}{layout.state.id}",
        link=f"dp{layout.state.id}",
        node=link.node,
        machine=link.machine,
        folders=(),
    )


def end(record: Record) -> None:
    """Kill the cluster's processes, and with them its namespaces, mounts and network devices."""
    cgroups.end_all(record.group)
    network.remove(record.link)


def restore(record: Record) -> None:
    """Put everything back that is in the record. Safe to repeat."""
    with alone():
        end(record)
        cgroups.remove(record.group)
        if cgroups.others(record.group):
            return  # Another cluster has mounts over these folders, and removes them as the last one.
        for path in map(Path, record.folders):
            (path / MARK).unlink(missing_ok=True)
            # What others have put there in the meantime stays, and so does the folder.
            with suppress(OSError):
                path.rmdir()


def forget(layout: Layout) -> None:
    """Remove everything of the cluster in the state folder; the record last, so that it can be repeated."""
    others = [path for path in layout.folder.glob("*") if path != layout.record]
    _remove(*others)
    _remove(layout.folder)


def _remove(*paths: Path) -> None:
    # Layers of images are some hundred thousand files; and whatever is mounted there is not ours to remove.
    run(
        ["rm", "--recursive", "--force", "--one-file-system", "--", *map(str, paths)],
        doing=f"removing {', '.join(map(str, paths))}",
        remedy="look who uses it, then run it again",
        seconds=_REMOVE_SECONDS,
    )
