"""Images of single static programs, as archives (OCI layout) that depend on their content alone."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

#: The annotation from which containerd takes the whole name of an image.
NAME_ANNOTATION = "io.containerd.image.name"
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
_USER = "65532:65532"


def write(archive: Path, name: str, files: Mapping[str, Path], entrypoint: Sequence[str], user: str = _USER) -> None:
    """Write an archive of one image with one layer.

    Args:
        archive: file to write.
        name: whole name of the image, registry and tag included.
        files: programs, by their path in the image.
        entrypoint: what it runs.
        user: who runs it.
    """
    with tarfile.open(archive, "w") as tar:
        layer = _layer(files)
        config = {
            "architecture": _MACHINES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": {"Entrypoint": list(entrypoint), "User": user},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _blob(tar, _json(config), "application/vnd.oci.image.config.v1+json"),
            "layers": [_blob(tar, layer, "application/vnd.oci.image.layer.v1.tar")],
        }
        described = _blob(tar, _json(manifest), "application/vnd.oci.image.manifest.v1+json")
        index = {"schemaVersion": 2, "manifests": [{**described, "annotations": {NAME_ANNOTATION: name}}]}
        _add(tar, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _add(tar, "index.json", _json(index))


def names(archive: Path) -> list[str]:
    """Names of the images in an archive, as its index or (`docker save`) its manifest gives them."""
    with tarfile.open(archive) as tar:
        members = {member.name.removeprefix("./"): member for member in tar.getmembers()}
        found = []
        if "index.json" in members and (stream := tar.extractfile(members["index.json"])):
            for manifest in json.load(stream)["manifests"]:
                annotations = manifest.get("annotations", {})
                found.append(annotations.get(NAME_ANNOTATION) or annotations.get("org.opencontainers.image.ref.name"))
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


def _layer(files: Mapping[str, Path]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, source in sorted(files.items()):
            info = tarfile.TarInfo(path.lstrip("/"))
            info.mode, info.size = 0o755, source.stat().st_size
            with source.open("rb") as content:
                tar.addfile(info, content)
    return stream.getvalue()


def _json(content: object) -> bytes:
    return json.dumps(content, sort_keys=True).encode()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _blob(tar: tarfile.TarFile, content: bytes, kind: str) -> dict[str, object]:
    digest = _digest(content)
    _add(tar, f"blobs/sha256/{digest.partition(':')[2]}", content)
    return {"mediaType": kind, "digest": digest, "size": len(content)}


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.mode, info.size = 0o644, len(content)
    tar.addfile(info, io.BytesIO(content))
