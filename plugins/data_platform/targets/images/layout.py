"""One OCI image layout for all images: a blob that several images have is there once.

https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from data_platform.stack.errors import PlatformError
from data_platform.targets.images.layers import Blob
from data_platform.targets.local.artifacts import EPOCH
from data_platform.targets.local.disk import drafted
from data_platform.targets.local.state import read_json

_CONFIG = "application/vnd.oci.image.config.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
#: Names of an image in the index: the specification's, and the one that containerd takes.
REF_NAME, CONTAINERD_NAME = "org.opencontainers.image.ref.name", "io.containerd.image.name"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class Layout:
    """An OCI image layout in a folder.

    Args:
        folder: where; made when it is written to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.blobs = folder / "blobs" / "sha256"

    def path(self, digest: str) -> Path:
        """File of a blob."""
        return self.blobs / digest.partition(":")[2]

    def has(self, digest: str) -> bool:
        """Whether a blob is there. It gets its name in one step, so what is there is whole."""
        return self.path(digest).is_file()

    def add(self, content: bytes) -> Blob:
        """Keep some bytes."""
        blob = Blob(f"sha256:{hashlib.sha256(content).hexdigest()}", len(content))
        self.blobs.mkdir(parents=True, exist_ok=True)
        draft = self.blobs / f".{blob.digest[7:]}"
        with drafted(draft):
            draft.write_bytes(content)
            draft.rename(self.path(blob.digest))
        return blob

    def adopt(self, file: Path, blob: Blob) -> None:
        """Take over a file, on the same file system, as a blob."""
        self.blobs.mkdir(parents=True, exist_ok=True)
        file.chmod(0o644)
        file.rename(self.path(blob.digest))

    def add_image(self, config: Mapping[str, Any], layers: Sequence[tuple[str, Blob]]) -> tuple[Blob, Blob]:
        """Write the configuration and manifest of an image; returns both, the manifest first.

        Args:
            config: what the specification calls `config`: user, environment, …
            layers: what each is, and its blob.
        """
        created = _when(EPOCH)
        image = {
            "architecture": _architecture(),
            "os": "linux",
            "created": created,
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [blob.digest for _, blob in layers]},
            "history": [{"created": created, "created_by": name} for name, _ in layers],
        }
        configuration = self.add(_json(image))
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _descriptor(_CONFIG, configuration),
            "layers": [_descriptor(_LAYER, blob) for _, blob in layers],
        }
        return self.add(_json(manifest)), configuration

    def write_index(self, images: Mapping[str, Blob]) -> None:
        """Name the images.

        Args:
            images: manifest of each full name.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "oci-layout").write_bytes(_json({"imageLayoutVersion": "1.0.0"}))
        draft = self.folder / ".index.json"
        with drafted(draft):
            draft.write_bytes(self._index(images))
            draft.rename(self.folder / "index.json")

    @staticmethod
    def _index(images: Mapping[str, Blob]) -> bytes:
        manifests = [
            {
                **_descriptor(_MANIFEST, blob),
                "platform": {"architecture": _architecture(), "os": "linux"},
                "annotations": {REF_NAME: name, CONTAINERD_NAME: name},
            }
            for name, blob in sorted(images.items())
        ]
        return _json({"schemaVersion": 2, "mediaType": _INDEX, "manifests": manifests})

    def images(self) -> dict[str, Blob]:
        """Manifests by full name."""
        index = read_json(self.folder / "index.json")
        return {
            item["annotations"][REF_NAME]: Blob(item["digest"], item["size"]) for item in index.get("manifests", [])
        }

    def manifest(self, blob: Blob) -> dict[str, Any]:
        """Content of a manifest.

        Raises:
            PlatformError: it is not there.
        """
        if not (found := read_json(self.path(blob.digest))):
            raise PlatformError(
                f"{self.folder}: there is no blob {blob.digest}", "run: python3 -m bootstrap images build"
            )
        return found

    def blobs_of(self, manifest: Blob) -> list[Blob]:
        """All blobs of an image: manifest, configuration, layers."""
        content = self.manifest(manifest)
        found = [Blob(item["digest"], item["size"]) for item in (content["config"], *content["layers"])]
        return [manifest, *found]

    def layers(self, name: str) -> dict[str, Path]:
        """Files of an image's layers, by digest.

        Raises:
            PlatformError: the image is not there.
        """
        content = self.manifest(self._known([name])[name])
        return {item["digest"]: self.path(item["digest"]) for item in content["layers"]}

    def _known(self, names: Iterable[str]) -> dict[str, Blob]:
        """Manifests of some images, by full name."""
        wanted, known = list(names), self.images()
        if missing := sorted(set(wanted) - set(known)):
            raise PlatformError(
                f"{self.folder} has no image {', '.join(missing)}", "run: python3 -m bootstrap images build"
            )
        return {name: known[name] for name in wanted}

    def write_archive(self, file: Path, names: Iterable[str], without: Container[str] = ()) -> None:
        """Write some images as one tar, which `ctr images import` and `skopeo copy oci-archive:` read.

        Args:
            file: where to; it gets its name when it is whole.
            names: full names of the images.
            without: digests of blobs that the reader has already.

        Raises:
            PlatformError: one of them is not there.
        """
        chosen = self._known(names)
        every = {blob.digest: blob for manifest in chosen.values() for blob in self.blobs_of(manifest)}
        blobs = {digest: blob for digest, blob in every.items() if digest not in without}
        draft = file.with_name(f".{file.name}.partial")
        file.parent.mkdir(parents=True, exist_ok=True)
        with drafted(draft):
            with tarfile.open(draft, "w") as tar:
                _put(tar, "oci-layout", (self.folder / "oci-layout").read_bytes())
                _put(tar, "index.json", self._index(chosen))
                for digest in sorted(blobs):
                    info = tarfile.TarInfo(f"blobs/sha256/{digest[7:]}")
                    info.size, info.mtime = blobs[digest].size, EPOCH
                    with self.path(digest).open("rb") as stream:
                        tar.addfile(info, stream)
            draft.rename(file)


def _put(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mtime = len(content), EPOCH
    tar.addfile(info, io.BytesIO(content))


def _descriptor(media_type: str, blob: Blob) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": blob.digest, "size": blob.size}


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def _architecture() -> str:
    return _ARCHITECTURES.get(platform.machine(), platform.machine())


def _when(seconds: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
