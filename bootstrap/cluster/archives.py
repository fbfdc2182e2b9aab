"""Images of single static programs, as archives that depend on their content alone; and names of images in archives."""

from __future__ import annotations

import json
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from data_platform.targets.images.layers import Entry, write_layer
from data_platform.targets.images.layout import CONTAINERD_NAME, REF_NAME, Layout

#: Nobody, as the field's own images of single programs have him.
USER = "65532:65532"


def write(archive: Path, name: str, files: Mapping[str, Path], entrypoint: Sequence[str], user: str = USER) -> None:
    """Write an archive of one image with one layer; it gets its name when it is whole.

    Args:
        archive: file to write.
        name: whole name of the image, registry and tag included.
        files: programs, by their path in the image.
        entrypoint: what it runs.
        user: who runs it.
    """
    with tempfile.TemporaryDirectory(prefix=".image-", dir=archive.parent) as scratch:
        layout, layer = Layout(Path(scratch) / "layout"), Path(scratch) / "layer.tar"
        entries = [Entry(path.lstrip("/"), "file", source, 0o755) for path, source in files.items()]
        blob = write_layer(entries, layer)
        layout.adopt(layer, blob)
        manifest, _ = layout.add_image({"Entrypoint": list(entrypoint), "User": user}, [("programs", blob)])
        layout.write_index({name: manifest})
        layout.write_archive(archive, [name])


def names(archive: Path) -> list[str]:
    """Names of the images in an archive, as its index or (`docker save`) its manifest gives them."""
    with tarfile.open(archive) as tar:
        members = {member.name.removeprefix("./"): member for member in tar.getmembers()}
        found = []
        if "index.json" in members and (stream := tar.extractfile(members["index.json"])):
            for manifest in json.load(stream)["manifests"]:
                annotations = manifest.get("annotations", {})
                found.append(annotations.get(CONTAINERD_NAME) or annotations.get(REF_NAME))
        elif "manifest.json" in members and (stream := tar.extractfile(members["manifest.json"])):
            for manifest in json.load(stream):
                found += manifest.get("RepoTags") or []
    return [name for name in found if name]


def whole_name(name: str) -> str:
    """The name by which Kubernetes asks containerd for an image: with its registry, and a tag."""
    first, slash, _ = name.partition("/")
    if not slash:
        name = f"docker.io/library/{name}"
    elif not ("." in first or ":" in first or first == "localhost"):
        name = f"docker.io/{name}"
    return name if ":" in name.rpartition("/")[2] or "@" in name else f"{name}:latest"
