"""Helm releases: what is there, what differs from it in the cluster, and how it is brought to its definition."""

from __future__ import annotations

import base64
import gzip
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from data_platform.clients.commands import run
from data_platform.clients.kubernetes import Cluster
from data_platform.clients.kubernetes_errors import NOT_FOUND, UNKNOWN_KIND, ClusterError
from data_platform.stack.errors import PlatformError
from data_platform.targets.kubernetes.faults import of_helm

Object = dict[str, Any]
#: Label of Helm's own record that says what a release was made from. A label's value has at most 63 characters.
DIGEST_LABEL = "data-platform-digest"
#: Label of the same record: id of the platform, for people (helm list --selector).
PLATFORM_LABEL = "data-platform-platform"
_DIGEST_LENGTH = 40
_HISTORY = "5"
#: What helm does without a cluster.
_ON_PAPER = ("template", "version")
_PENDING = ("pending-install", "pending-upgrade", "pending-rollback", "uninstalling")
#: What the API server writes into every object, and no definition says.
_SERVER_KEYS = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink")


class Record(NamedTuple):
    """Helm's record of one revision of a release.

    Attributes:
        values: what it was told.
        is_ours: whether one of the release's revisions says that the platform made it. Which platform that was, its
            namespace decides, which bears the id.
    """

    revision: int
    status: str
    digest: str
    secret: str
    manifest: str
    is_ours: bool = False
    values: Mapping[str, Any] = {}

    @property
    def is_pending(self) -> bool:
        """Whether a Helm that was killed left it half done."""
        return self.status in _PENDING


class Release(NamedTuple):
    """What a release is made from.

    Attributes:
        name: of the release.
        namespace: where.
        chart: a folder, or what helm calls a chart of the field's own.
        values: the component's definition; no secrets.
        sizes: files with values of the size, on top.
        digest: of all that; kept with it.
        source: arguments that say where such a chart is, and which version.
        platform: id of the platform that it is of.
        over: values of the environment, on top of all others.
    """

    name: str
    namespace: str
    chart: Path | str
    values: Mapping[str, Any]
    sizes: tuple[Path, ...]
    digest: str
    source: tuple[str, ...] = ()
    platform: str = ""
    over: Mapping[str, Any] = {}

    @property
    def place(self) -> list[str]:
        """Arguments that say which release, of which chart, where."""
        return [self.name, str(self.chart), *self.source, "--namespace", self.namespace]

    @contextmanager
    def files(self) -> Iterator[list[str]]:
        """Arguments that give its values, while the context lasts."""
        with _written(self.values) as first, _written(self.over) as last:
            files = (first, *map(str, self.sizes), *([last] if self.over else []))
            yield [word for file in files for word in ("--values", file)]


@contextmanager
def _written(values: Mapping[str, Any]) -> Iterator[str]:
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
        yaml.safe_dump(dict(values), file, sort_keys=True)
        file.flush()
        yield file.name


def short(digest: str) -> str:
    """A digest as a label's value."""
    return digest[:_DIGEST_LENGTH]


def history(cluster: Cluster, name: str, namespace: str) -> list[Record]:
    """Helm's records of a release, the newest last; none where it was never installed."""
    kept = cluster.list_objects("v1", "Secret", namespace, labels=f"owner=helm,name={name}")
    is_ours = any(DIGEST_LABEL in secret["metadata"]["labels"] for secret in kept)
    return sorted((_record(secret, is_ours=is_ours) for secret in kept), key=lambda record: record.revision)


def newest(cluster: Cluster, name: str, namespace: str) -> Record | None:
    """Helm's newest record of a release; None where it was never installed."""
    return next(reversed(history(cluster, name, namespace)), None)


def _record(secret: Object, *, is_ours: bool) -> Record:
    labels = secret["metadata"]["labels"]
    content = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(secret["data"]["release"]))))
    return Record(
        int(labels["version"]),
        str(labels["status"]),
        str(labels.get(DIGEST_LABEL, "")),
        str(secret["metadata"]["name"]),
        str(content.get("manifest", "")),
        is_ours,
        content.get("config") or {},
    )


def refuse_others(record: Record, name: str, namespace: str) -> None:
    """Refuse to upgrade a release that has our component's name and is not ours.

    Raises:
        PlatformError: it is somebody else's.
    """
    if not record.is_ours:
        raise PlatformError(
            f"the Helm release {name} in {namespace} was not made by this platform",
            f"see whose it is (helm get metadata {name} -n {namespace}); if it may go: "
            f"helm uninstall {name} -n {namespace}",
        )


def objects_of(manifest: str, namespace: str) -> list[Object]:
    """Objects of a release's manifest."""
    found = [thing for thing in yaml.safe_load_all(manifest) if thing]
    for thing in found:
        thing["metadata"].setdefault("namespace", namespace)
    return found


def drift(cluster: Cluster, record: Record, namespace: str) -> list[str]:
    """What in the cluster is not what the release says, in words; empty when nothing differs.

    Each object is applied without being kept (server-side, dry run): what the API server would make of it is compared
    with what is there. Fields that the release does not name are others' business.
    """
    found = []
    for wanted in objects_of(record.manifest, namespace):
        named = f"{wanted['kind']} {wanted['metadata']['name']}"
        here = wanted["metadata"]["namespace"]
        try:
            there = cluster.get(wanted["apiVersion"], wanted["kind"], wanted["metadata"]["name"], here)
            if there is None:
                found.append(f"{named} was deleted")
                continue
            would_be = cluster.server_side_apply(wanted, dry_run=True)
        except ClusterError as error:
            if error.reason in (UNKNOWN_KIND, NOT_FOUND):
                found.append(f"{named}: {error.problem}")
                continue
            raise
        if paths := differences(_bare(there), _bare(would_be)):
            found.append(f"{named} was changed: {', '.join(paths[:5])}")
    return found


def _bare(thing: Mapping[str, Any]) -> Object:
    meta = {key: value for key, value in thing["metadata"].items() if key not in _SERVER_KEYS}
    return {key: value for key, value in thing.items() if key != "status"} | {"metadata": meta}


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Paths at which two pieces of JSON differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted({*one, *other})
        return [d for key in keys for d in differences(one.get(key), other.get(key), f"{path}.{key}".lstrip("."))]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [d for n, pair in enumerate(zip(one, other, strict=True)) for d in differences(*pair, f"{path}[{n}]")]
    return [] if one == other else [path]


class Helm:
    """The helm program for one cluster.

    Args:
        program: its path.
        access: arguments that name the cluster; none inside of it.
        seconds: deadline of one call.
    """

    def __init__(self, program: str, access: tuple[str, ...] = (), seconds: float = 600) -> None:
        self._program = program
        self._access = access
        self._seconds = seconds

    def version(self) -> str:
        """What it calls itself.

        Raises:
            PlatformError: it does not run.
        """
        return self._run(["version"], "asking helm for its version").strip()

    def upgrade(self, release: Release) -> None:
        """Install or upgrade a release; fields that others took over are taken back.

        Raises:
            PlatformError: Helm says why.
        """
        # Readiness is looked at by `wait`, with reasons; Helm itself waits for its hooks.
        how = ["--install", "--wait=hookOnly", "--server-side=true", "--force-conflicts", "--take-ownership"]
        kept = ["--history-max", _HISTORY, "--labels", f"{DIGEST_LABEL}={short(release.digest)}"]
        kept[-1] += f",{PLATFORM_LABEL}={release.platform}" if release.platform else ""
        with release.files() as layers:
            try:
                self._run(
                    ["upgrade", *release.place, *layers, *how, *kept, "--timeout", f"{self._seconds:.0f}s"],
                    f"installing release {release.name} in {release.namespace}",
                )
            except PlatformError as error:
                raise of_helm(release.name, release.namespace, error.problem) from None

    def rollback(self, name: str, namespace: str, revision: int) -> None:
        """Bring an earlier revision back."""
        self._run(
            ["rollback", name, str(revision), "--namespace", namespace, "--wait=hookOnly", "--force-conflicts"],
            f"rolling release {name} in {namespace} back to revision {revision}",
        )

    def uninstall(self, name: str, namespace: str) -> None:
        """Remove a release; volumes of StatefulSets stay."""
        self._run(
            ["uninstall", name, "--namespace", namespace, "--ignore-not-found", "--wait"],
            f"removing release {name} in {namespace}",
        )

    def template(self, release: Release) -> list[Object]:
        """The objects of a release but for its tests; needs no cluster.

        Raises:
            PlatformError: Helm says why.
        """
        # Into a folder: its output has words besides, such as that the link to the library was followed.
        with release.files() as layers, tempfile.TemporaryDirectory(prefix="chart-") as folder:
            words = ["template", *release.place, *layers, "--skip-tests", "--output-dir", folder]
            self._run(words, f"rendering the chart of {release.name}")
            # Helm writes objects alone, each below the name of its template, which need not end with .yaml.
            written = sorted(path for path in Path(folder).rglob("*") if path.is_file())
            texts = [path.read_text(encoding="utf-8") for path in written]
        return [thing for text in texts for thing in objects_of(text, release.namespace)]

    def _run(self, words: list[str], doing: str) -> str:
        with tempfile.TemporaryDirectory(prefix="helm-") as home:
            # Helm keeps caches and its settings at home, which may be read-only in a pod.
            own = {
                "HELM_CACHE_HOME": home,
                "HELM_CONFIG_HOME": home,
                "HELM_DATA_HOME": home,
                "HELM_MAX_HISTORY": _HISTORY,
            }
            return run(
                [self._program, *words, *(self._access if words[0] not in _ON_PAPER else ())],
                doing=doing,
                remedy="the message above names the object; when it is mended, run it again",
                seconds=self._seconds + 30,
                environment={**os.environ, **own},
            )


def heal(cluster: Cluster, record: Record, name: str, namespace: str) -> str:
    """Forget a revision that a killed Helm left half done, so that the next one can begin; returns what was done.

    Only Helm's record goes. Its objects stay, and the next upgrade takes them over.

    Raises:
        PlatformError: it is not half done.
    """
    if not record.is_pending:
        raise PlatformError(
            f"release {name} in {namespace} is {record.status}, not half done", "nothing is to be healed"
        )
    cluster.delete("v1", "Secret", record.secret, namespace)
    return f"revision {record.revision} of {name} was left {record.status}; its record was removed, its objects stay"
