"""The landing folders in the cluster: a volume that pods of one component share. Files come through one of them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from uuid import uuid4

from data_platform.clients.kubernetes import Cluster
from data_platform.clients.kubernetes_streams import Executed
from data_platform.datasets.landing import SET_ASIDE, waits
from data_platform.datasets.landing.lying import Entry, Left, Lying, judge, reason
from data_platform.datasets.landing.names import landing_name, shown
from data_platform.stack.errors import PlatformError
from data_platform.targets.kubernetes import places
from data_platform.targets.kubernetes.rollout import ready_pod

_SECONDS = 30.0
#: A slow line takes a file of some hundred megabytes.
_COPY_SECONDS = 1800.0
#: What scripts end with: a file of that name waits there; nothing is there as it was; the copy could not be written.
_TAKEN, _GONE, _UNWRITTEN = 3, 4, 5
#: Copies under a name that flows leave alone and no other copy has, then gives it its own, unless a file of that name
#: waits there: from the beginning, or since the copy began. To `cat` a connection that breaks is the content's end.
#: What `mv -n` that moved nothing returns differs between versions of it. A shell that a signal ends runs no EXIT.
_PLACE = """
mkdir -p "$1" || exit 1
[ ! -e "$1/$2" ] || exit 3
trap 'rm -f "$1/$3"' EXIT
trap 'exit 1' HUP INT TERM PIPE
cat > "$1/$3" || { df -Pk "$1" | tail -n 1 >&2; exit 5; }
size=$(wc -c < "$1/$3")
[ "$size" -eq "$4" ] || { echo "the copy has $size bytes of $4" >&2; exit 1; }
digest=$(sha256sum < "$1/$3") || exit 1
[ "${digest%% *}" = "$5" ] || { echo "the copy has the right size and another content" >&2; exit 1; }
mv -n "$1/$3" "$1/$2"
[ -e "$1/$3" ] || exit 0
[ ! -e "$1/$2" ] || exit 3
exit 1
"""
#: The time, then each entry of the folder. A NUL ends each, since names may hold line feeds.
_LIST = """
mkdir -p "$1" && date +%s.%N &&
find "$1" -ignore_readdir_race -mindepth 1 -maxdepth 1 \\( -readable -printf r -o -printf - \\) \\
  -printf '%y %T@ %C@ %i %f\\0'
"""
#: By number and time, since a name that is no UTF-8 cannot be sent.
_SET_ASIDE = """
found=$(find "$1" -ignore_readdir_race -mindepth 1 -maxdepth 1 -inum "${4%% *}" -printf '%i %C@\\n' | head -n 1)
[ "$found" = "$4" ] || exit 4
trap 'rmdir "$2/$3" 2> /dev/null && rm -f "$2/$3.reason.json"' EXIT
mkdir -p "$2/$3" && printf '%s\\n' "$5" > "$2/$3.reason.json" || exit 1
find "$1" -ignore_readdir_race -mindepth 1 -maxdepth 1 -inum "${4%% *}" -exec mv -n -- {} "$2/$3/" \\;
[ -n "$(ls -A "$2/$3")" ] || exit 1
"""


class PodLanding:
    """Landing folders as one of the component's pods sees them.

    Args:
        cluster: where.
        namespace: of the component.
        component: whose pods have the volume.
    """

    def __init__(self, cluster: Cluster, namespace: str, component: str) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._component = component

    def _run(self, script: str, *words: str, stdin: bytes = b"", seconds: float = _SECONDS) -> Executed:
        pod = ready_pod(self._cluster, self._component, self._namespace)
        argv = ["sh", "-c", script, "sh", *words]
        done = self._cluster.execute(pod, self._namespace, argv, stdin, seconds=seconds)
        said = done.stderr.decode(errors="replace").strip()
        remedy = f"python3 -m bootstrap logs {self._component}"
        if done.returncode == _UNWRITTEN:
            said, disk, free = _room(said)
            if free < int(words[3]):
                said = f"{said}; the disk {disk} has {free:,} bytes free, the file has {int(words[3]):,}"
                remedy = f"give the volume of {words[0]} more room, then run it again"
        if done.returncode not in (0, _TAKEN, _GONE):
            raise PlatformError(f"{pod}: {said or done.returncode}", remedy)
        return done

    def made(self, dataset: str) -> str:
        """See `Landing`."""
        folder = str(places.LANDING / dataset)
        self._run('mkdir -p "$1"', folder)
        return folder

    def lying(self, dataset: str) -> Lying:
        """See `Landing`."""
        now, _, entries = self._run(_LIST, str(places.LANDING / dataset)).stdout.partition(b"\n")
        return judge((_entry(line) for line in entries.split(b"\0")[:-1]), float(now))

    def set_aside(self, dataset: str, left: Left) -> str:
        """See `Landing`."""
        folder, number = str(places.LANDING / dataset), uuid4().hex
        words = (folder, f"{folder}{SET_ASIDE}", number, left.entry.mark, reason(left, folder))
        if self._run(_SET_ASIDE, *words).returncode == _GONE:
            return ""
        return f"{folder}{SET_ASIDE}/{number}/{shown(left.entry.name)}"

    def place(self, dataset: str, file: Path) -> str:
        """See `Landing`."""
        folder, name, content = str(places.LANDING / dataset), landing_name(file), file.read_bytes()
        expected = (str(len(content)), hashlib.sha256(content).hexdigest())
        words = (folder, name, f".{uuid4().hex}.part", *expected)
        if self._run(_PLACE, *words, stdin=content, seconds=_COPY_SECONDS).returncode == _TAKEN:
            raise waits(f"{folder}/{name}", self._component)
        return f"{folder}/{name}"

    def kept(self, name: str) -> bytes:
        """See `Landing`."""
        pod, path = ready_pod(self._cluster, self._component, self._namespace), str(places.DATA / name)
        done = self._cluster.execute(pod, self._namespace, ["cat", path], seconds=_SECONDS)
        if done.returncode != 0:
            raise FileNotFoundError(done.stderr.decode(errors="replace").strip())
        return done.stdout


def _entry(line: bytes) -> Entry:
    kind, changed, touched, inode, name = line.split(b" ", 4)
    mark = f"{inode.decode()} {touched.decode()}"
    return Entry(name, kind[1:].decode(), kind[:1] == b"r", float(changed), float(touched), mark)


def _room(said: str) -> tuple[str, str, int]:
    """What `cat` said, and of the last line, which is `df`'s: where the disk is mounted, and its free bytes."""
    *lines, disk = said.splitlines()
    _device, _size, _used, free, _share, mounted = disk.split(None, 5)
    return "; ".join(lines), mounted, int(free) * 1024
