"""Images on the node: those of the cluster itself, and archives and layers that others bring."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock

from bootstrap.cluster import archives, namespaces
from bootstrap.cluster.binaries import Programs
from bootstrap.cluster.layout import CONTAINERD_SOCKET, Layout
from data_platform.clients.commands import run
from data_platform.stack.errors import PlatformError
from data_platform.targets.images.layout import CONTAINERD_NAME

#: containerd's namespace of what the kubelet uses.
_KUBERNETES = "k8s.io"
#: Folder of the content in what containerd keeps: a file each, named by its digest, never written to again.
_CONTENT = "io.containerd.content.v1.content/blobs/sha256"
_SECONDS = 600.0
_DIGITS = 12


class Own(NamedTuple):
    """An image of the cluster itself."""

    name: str
    files: dict[str, Path]
    entrypoint: tuple[str, ...]
    user: str = archives.USER


def own(programs: Programs) -> dict[str, Own]:
    """The cluster's images: the first process of every pod, DNS, storage, and a pod for tests."""

    def name(short: str, *artifacts: str) -> str:
        # The tag says what is in it, so an image of that name need never be replaced.
        digests = "-".join(programs.digest(artifact)[:_DIGITS] for artifact in artifacts)
        return f"localhost/data-platform/{short}:{digests}"

    def program(artifact: str, file: str) -> dict[str, Path]:
        return {f"/{file}": programs.path(artifact, file)}

    storage = program("local_path", "local-path-provisioner") | program("agents", "volume")
    return {
        "pause": Own(name("pause", "agents"), program("agents", "pause"), ("/pause",)),
        "coredns": Own(name("coredns", "kubernetes"), program("kubernetes", "coredns"), ("/coredns",)),
        # It makes and removes folders that belong to other users.
        "storage": Own(name("storage", "local_path", "agents"), storage, ("/local-path-provisioner",), "0:0"),
        "probe": Own(name("probe", "agents"), program("agents", "probe"), ("/probe",)),
    }


def archive_name(image: Own) -> str:
    """Name of the archive of one of our images, among the artifacts of the cache."""
    return f"image-{image.name.rpartition('/')[2].replace(':', '-')}.tar"


def archive_of(image: Own, cache: Path) -> Path:
    """Archive of one of our images in the cache; written when it is not there."""
    archive = cache / "artifacts" / archive_name(image)
    archive.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(archive.with_suffix(".lock")):
        if not archive.exists():
            archives.write(archive, image.name, image.files, image.entrypoint, image.user)
    return archive


def load_own(layout: Layout, programs: Programs, cache: Path) -> None:
    """Bring the cluster's own images onto the node, those that are not there."""
    there = set(_ctr(layout, "images", "list", "--quiet", doing="listing images").split())
    for image in own(programs).values():
        if image.name not in there:
            _import(layout, archive_of(image, cache))


def load_images(state: Path, archive: Path) -> list[str]:
    """Bring the images of an archive onto the node of a running cluster; returns the names that pods use.

    Args:
        state: state folder of the platform that the cluster is for.
        archive: OCI layout or `docker save`, as a tar file.

    Raises:
        PlatformError: there is no cluster, or the archive is none.
    """
    layout = Layout(state)
    found = archives.names(archive)
    if not found:
        raise PlatformError(f"{archive} names no image", f"give its index.json the annotation {CONTAINERD_NAME}")
    _import(layout, archive)
    for name in found:
        if (whole := archives.whole_name(name)) != name:
            _ctr(layout, "images", "tag", "--force", name, whole, doing=f"naming the image {whole}")
    return [archives.whole_name(name) for name in found]


def add_layers(state: Path, layers: Mapping[str, Path]) -> None:
    """Make files content of a running cluster's node, those that it has not.

    Where the files are on the disk of the node's content, nothing is copied: containerd is given links to them. It
    removes content that no image names (each hundred changes or so), so the images are to be loaded right after.

    Args:
        state: state folder of the platform that the cluster is for.
        layers: files by their digest, whole and never changed.

    Raises:
        PlatformError: there is no cluster, or a file is not what its digest says.
    """
    layout = Layout(state)
    there = set(_ctr(layout, "content", "list", "--quiet", doing="listing the node's content").split())
    folder = layout.containerd / _CONTENT
    folder.mkdir(parents=True, exist_ok=True)
    for digest, file in layers.items():
        if digest in there:
            continue
        with suppress(OSError):  # on another disk, or there already
            os.link(file, folder / digest.removeprefix("sha256:"))
        # It takes a file of that name for its own, and goes to the end of what it reads; else it copies.
        expected = [f"--expected-digest={digest}", f"--expected-size={file.stat().st_size}"]
        _ctr(layout, "content", "ingest", *expected, f"layer-{digest}", doing=f"adding the layer {digest}", reads=file)


def _import(layout: Layout, archive: Path) -> None:
    _ctr(layout, "images", "import", str(archive.absolute()), doing=f"loading {archive.name}")


def wait_for_runtime(layout: Layout) -> None:
    """Ask containerd for its version; fails as long as it does not answer."""
    _ctr(layout, "version", doing="asking containerd")


def _ctr(layout: Layout, *words: str, doing: str, reads: Path | None = None) -> str:
    command: Sequence[str] = ["ctr", "--address", CONTAINERD_SOCKET, "--namespace", _KUBERNETES, *words]
    return run(
        [*namespaces.entering(layout), *command],
        doing=doing,
        remedy=f"run: python3 -m bootstrap cluster status, and read {layout.state.logs / 'containerd.log'}",
        seconds=_SECONDS,
        reads=reads,
    )
