"""The cluster's programs: built once from Go modules, in the per-user cache by the digest of their inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from bootstrap.arguments import ROOT
from data_platform.stack.definition import Artifact
from data_platform.stack.load import load_toolchains, parse
from data_platform.stack.terms import Key, Strict
from data_platform.targets.local.artifacts import Placed, fetch, place_all

_FOLDER = ROOT / "stack" / "cluster"
_FILE = _FOLDER / "cluster.yaml"
_TOOLCHAINS = ROOT / "stack" / "toolchains.yaml"
_GO = "go"


class ClusterFile(Strict):
    """`stack/cluster/cluster.yaml`."""

    artifacts: dict[Key, Artifact] = Field(min_length=1)


@dataclass(frozen=True)
class Programs:
    """Where the programs are, or will be."""

    placed: dict[str, Placed]

    @property
    def are_there(self) -> bool:
        """Whether nothing is to be built."""
        return all(artifact.is_there for artifact in self.placed.values())

    def fetch(self, cache: Path) -> None:
        """Build what is missing, one after the other: each finds in Go's cache what the ones before have compiled.

        Raises:
            PlatformError: a module is not to be had, or does not compile.
        """
        for artifact in self.placed.values():
            fetch(artifact, {}, cache)

    def path(self, artifact: str, program: str) -> Path:
        """One program."""
        return self.placed[artifact].folder / program

    def digest(self, artifact: str) -> str:
        """Of all inputs of an artifact."""
        return self.placed[artifact].digest

    @property
    def kubeall(self) -> str:
        """Kubernetes' own processes and etcd; the first argument says which."""
        return str(self.path("kubernetes", "kubeall"))


def programs(cache: Path) -> Programs:
    """The programs in the cache; nothing is built yet."""
    return Programs(_place(parse(ClusterFile, _FILE).artifacts, cache))


def _place(wanted: Mapping[str, Artifact], cache: Path) -> dict[str, Placed]:
    toolchains = load_toolchains(_TOOLCHAINS)
    specs = {_GO: (toolchains[_GO], _TOOLCHAINS.parent)} | {name: (spec, _FOLDER) for name, spec in wanted.items()}
    placed = place_all(specs, ROOT, _FILE, cache)
    return {name: artifact for name, artifact in placed.items() if name != _GO}


def tools(cache: Path) -> dict[str, Path]:
    """Paths of kubectl and helm, built when they are not in the cache.

    Args:
        cache: the per-user cache.
    """
    found = programs(cache)
    fetch(found.placed["kubernetes"], {}, cache)
    return {name: found.path("kubernetes", name) for name in ("kubectl", "helm")}
