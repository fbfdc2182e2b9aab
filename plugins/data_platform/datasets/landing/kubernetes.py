"""The landing folders in the cluster: a volume that pods of one component share. Files come through one of them."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from data_platform.clients.kubernetes import Cluster
from data_platform.datasets.landing import waits
from data_platform.stack.errors import PlatformError
from data_platform.targets.kubernetes import places
from data_platform.targets.kubernetes.rollout import ready_pod

_SECONDS = 30.0
#: A slow line takes a file of some hundred megabytes.
_COPY_SECONDS = 1800.0
_TAKEN = 3
#: Copies under a name that flows leave alone and no other copy has, then gives it its own, unless a file of that name
#: waits there: from the beginning, or since the copy began. To `cat` a connection that breaks is the content's end.
#: What `mv -n` that moved nothing returns differs between versions of it.
_PLACE = """
mkdir -p "$1" || exit 1
[ ! -e "$1/$2" ] || exit 3
trap 'rm -f "$1/$3"' EXIT
cat > "$1/$3" || exit 1
size=$(wc -c < "$1/$3")
[ "$size" -eq "$4" ] || { echo "the copy has $size bytes of $4" >&2; exit 1; }
mv -n "$1/$3" "$1/$2"
[ -e "$1/$3" ] || exit 0
[ ! -e "$1/$2" ] || exit 3
exit 1
"""
_LIST = 'mkdir -p "$1" && find "$1" -maxdepth 1 -type f ! -name ".*" ! -name "*.part" -printf "%f\\n"'


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

    def _run(self, script: str, *words: str, stdin: bytes = b"", seconds: float = _SECONDS) -> tuple[int, str]:
        pod = ready_pod(self._cluster, self._component, self._namespace)
        argv = ["sh", "-c", script, "sh", *words]
        done = self._cluster.execute(pod, self._namespace, argv, stdin, seconds=seconds)
        if done.returncode not in (0, _TAKEN):
            raise PlatformError(
                f"{pod}: {done.stderr.decode(errors='replace').strip() or done.returncode}",
                f"python3 -m bootstrap logs {self._component}",
            )
        return done.returncode, done.stdout.decode()

    def made(self, dataset: str) -> str:
        """See `Landing`."""
        folder = str(places.LANDING / dataset)
        self._run('mkdir -p "$1"', folder)
        return folder

    def waiting(self, dataset: str) -> list[str]:
        """See `Landing`."""
        return sorted(self._run(_LIST, str(places.LANDING / dataset))[1].splitlines())

    def place(self, dataset: str, file: Path) -> str:
        """See `Landing`."""
        folder, content, draft = str(places.LANDING / dataset), file.read_bytes(), f".{uuid4().hex}.part"
        words = (folder, file.name, draft, str(len(content)))
        returncode, _ = self._run(_PLACE, *words, stdin=content, seconds=_COPY_SECONDS)
        if returncode == _TAKEN:
            raise waits(f"{folder}/{file.name}", self._component)
        return f"{folder}/{file.name}"

    def kept(self, name: str) -> bytes:
        """See `Landing`."""
        pod, path = ready_pod(self._cluster, self._component, self._namespace), str(places.DATA / name)
        done = self._cluster.execute(pod, self._namespace, ["cat", path], seconds=_SECONDS)
        if done.returncode != 0:
            raise FileNotFoundError(done.stderr.decode(errors="replace").strip())
        return done.stdout
