"""Build the images of a stack into the per-user cache, each layer once, whoever needs it."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from data_platform.clients import debian
from data_platform.stack.errors import PlatformError
from data_platform.stack.stack import Stack
from data_platform.targets.images import sbom
from data_platform.targets.images.base import python_of
from data_platform.targets.images.definition import Image, Layer, images
from data_platform.targets.images.layers import Blob, write_layer
from data_platform.targets.images.layout import Layout
from data_platform.targets.images.parts import parts_of
from data_platform.targets.kubernetes import places
from data_platform.targets.local.artifacts import Placed, digest_of, fetch
from data_platform.targets.local.state import read_json, write_private

#: Where images are named that no registry serves. The kubelet takes `localhost/` as it is.
LOCAL_REGISTRY = "localhost"
_TAG_DIGITS = 12
_PARTIAL = ".partial-"
#: Held while images are made or removed.
BUILD_LOCK = "build.lock"
_PATH = "/usr/local/bin:/usr/bin:/usr/local/sbin:/usr/sbin"
_Say = Callable[[str], None]


@dataclass(frozen=True)
class Built:
    """An image that is in the layout.

    Attributes:
        reference: its full name with the tag.
        manifest: its manifest.
        size: bytes of its layers, shared ones included.
        seconds: how long its own layers took; 0 when they were there.
    """

    reference: str
    manifest: Blob
    size: int
    seconds: float


class Builder:
    """Builds the images of a stack.

    Args:
        stack: of the target `kubernetes`.
        cache: the per-user cache.
        tools: the artifact with helm and kubectl.
        say: told what is done.
    """

    def __init__(self, stack: Stack, cache: Path, tools: Placed, say: _Say = lambda _: None) -> None:
        self.stack, self.cache, self.tools, self.say = stack, cache, tools, say
        self.folder = cache / "images"
        self.layout = Layout(self.folder / "layout")
        self.release = debian.release()
        self.images = images(stack, cache, self.release, tools)

    # --- what is there --------------------------------------------------------------------------------------------

    def known(self) -> dict[str, str]:
        """References of the images that are there, by component. Builds nothing."""
        found = self.layout.images()
        return {
            name: reference
            for name, image in self.images.items()
            if (reference := self._remembered(image)) and reference in found and self._is_whole(found[reference])
        }

    def _is_whole(self, manifest: Blob) -> bool:
        return self.layout.has(manifest.digest) and all(
            self.layout.has(blob.digest) for blob in self.layout.blobs_of(manifest)
        )

    def _remembered(self, image: Image) -> str | None:
        reference = read_json(self._image_record(image)).get("reference")
        return None if reference is None else str(reference)

    def _image_record(self, image: Image) -> Path:
        layers = [str(self._record(layer).get("digest")) for layer in image.layers]
        key = digest_of(json.dumps(_config(self.stack, image), sort_keys=True), *layers)
        return self.folder / "records" / f"{image.component}-{key[:16]}.json"

    def _record(self, layer: Layer) -> dict[str, Any]:
        """What is known of a layer that is there."""
        found = read_json(self.folder / "layers" / f"{layer.key}.json")
        return found if found and self.layout.has(found["digest"]) else {}

    # --- build ----------------------------------------------------------------------------------------------------

    def build(self, *, new_base: bool = False) -> dict[str, Built]:
        """Build what is missing; returns all images by component.

        Args:
            new_base: make the base again, with the packages that Debian has today.

        Raises:
            PlatformError: something is not to be had, or does not fit.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / BUILD_LOCK):
            # Left by a build that was killed; others wait for this lock.
            for partial in self.folder.glob(f"{_PARTIAL}*"):
                shutil.rmtree(partial)
            layers = {layer.key: layer for image in self.images.values() for layer in image.layers}
            seconds: dict[str, float] = {}
            base = next(layer for layer in layers.values() if layer.base)
            if new_base or not self._record(base):
                seconds[base.key] = self._make(base, "")
            python = str(self._record(base)["python"])
            missing = [layer for layer in layers.values() if not self._record(layer)]
            return self._assemble(seconds | self._make_all(missing, python))

    def _make_all(self, missing: Sequence[Layer], python: str) -> dict[str, float]:
        """Make layers; the seconds of each by its key.

        Artifacts are fetched one after the other, since their builds use all cores; what is there need not wait.
        """
        with ThreadPoolExecutor(1) as fetcher, ThreadPoolExecutor(os.cpu_count()) as makers:

            def prepare(layer: Layer) -> Future[float]:
                if layer.artifact is not None and not layer.artifact.is_there:
                    self.say(f"{layer.name}: fetching or building it")
                    fetch(layer.artifact, self._values(), self.cache)
                return makers.submit(self._make, layer, python)

            # What takes longest, the tools of Go, comes last.
            order = sorted(missing, key=lambda layer: layer.artifact is self.tools)
            prepared = [(layer, fetcher.submit(prepare, layer)) for layer in order]
            return {layer.key: future.result().result() for layer, future in prepared}

    def _values(self) -> dict[str, str]:
        """What the build of an artifact may know."""
        return {"ROOT": str(self.stack.root), "PLATFORM_PYTHON": sys.executable}

    def _make(self, layer: Layer, python: str) -> float:
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix=_PARTIAL, dir=self.folder) as partial:
            scratch = Path(partial) / "scratch"
            scratch.mkdir()
            entries = list(layer.make(scratch, python))
            tar = Path(partial) / "layer.tar"
            blob = write_layer(entries, tar)
            record: dict[str, Any] = {"digest": blob.digest, "size": blob.size, "name": layer.name}
            if layer.base:
                record["python"] = python_of({entry.path: entry for entry in entries})
            record["parts"] = parts_of(entries, layer.artifact)
            self.layout.adopt(tar, blob)
        write_private(self.folder / "layers" / f"{layer.key}.json", json.dumps(record))
        seconds = time.monotonic() - started
        self.say(f"{layer.name}: {blob.size / 1e6:.0f} MB in {seconds:.1f} s")
        return seconds

    def _assemble(self, seconds: Mapping[str, float]) -> dict[str, Built]:
        built, index = {}, self.layout.images()
        known = self.known()
        for name, image in self.images.items():
            records = [self._record(layer) for layer in image.layers]
            reference = known.get(name, "")
            if not reference or not self._bill(name, reference).exists():
                reference, index = self._add(name, image, records, index)
            own = sum(seconds.get(layer.key, 0.0) for layer in image.layers)
            built[name] = Built(reference, index[reference], sum(int(record["size"]) for record in records), own)
        self.layout.write_index(index)
        return built

    def _add(
        self, name: str, image: Image, records: Sequence[Mapping[str, Any]], index: Mapping[str, Blob]
    ) -> tuple[str, dict[str, Blob]]:
        """Write an image of layers that are there; returns its reference, and the index in which it is the newest."""
        layers = [(str(record["name"]), Blob(record["digest"], record["size"])) for record in records]
        reference, newer = self._write(name, _config(self.stack, image), layers, index)
        write_private(self._image_record(image), json.dumps({"reference": reference}))
        for old in self.folder.glob(f"sbom/{name}-{'?' * _TAG_DIGITS}.cdx.json"):
            old.unlink()
        parts = [part for record in records for part in record["parts"]]
        component = self.stack.components[name].component
        sbom.write(self._bill(name, reference), component, reference, newer[reference], parts)
        return reference, newer

    def _write(
        self, name: str, config: Mapping[str, Any], layers: Sequence[tuple[str, Blob]], index: Mapping[str, Blob]
    ) -> tuple[str, dict[str, Blob]]:
        manifest, configuration = self.layout.add_image(config, layers)
        repository = f"{LOCAL_REGISTRY}/{self.stack.file.name}/{name}"
        # Of the configuration, which names the layers' content: it is the same in a registry that compresses.
        reference = f"{repository}:{configuration.digest[7:][:_TAG_DIGITS]}"
        others = {known: blob for known, blob in index.items() if known.rpartition(":")[0] != repository}
        return reference, {**others, reference: manifest}

    def _bill(self, name: str, reference: str) -> Path:
        """The image's bill of materials."""
        return self.folder / "sbom" / f"{name}-{reference.rpartition(':')[2]}.cdx.json"


def _config(stack: Stack, image: Image) -> dict[str, Any]:
    component = stack.components[image.component].component
    path = f"{places.BIN}:{places.PLATFORM}/bin:{_PATH}" if image.platform else _PATH
    return {
        "User": f"{places.USER}:{places.USER}",
        "Env": [f"PATH={path}", f"HOME={places.DATA}", "LANG=C.UTF-8"],
        "WorkingDir": str(places.DATA),
        "Labels": {
            "org.opencontainers.image.title": component.name,
            "org.opencontainers.image.description": component.summary,
            "org.opencontainers.image.version": component.version,
        },
    }


def build_images(stack: Stack, cache: Path, tools: Placed, say: _Say = lambda _: None) -> dict[str, str]:
    """Build all images of a stack that are not there; returns the reference of each component's.

    Args:
        stack: of the target `kubernetes`.
        cache: the per-user cache.
        tools: the artifact with helm and kubectl.
        say: told what is done.

    Raises:
        PlatformError: something is not to be had, or does not fit.
    """
    builder = Builder(stack, cache, tools, say)
    known = builder.known()
    if len(known) == len(builder.images):
        return known
    return {name: image.reference for name, image in builder.build().items()}


def known_images(stack: Stack, cache: Path, tools: Placed) -> dict[str, str]:
    """References of the images as they would be built now.

    Raises:
        PlatformError: some were not built from what is there now.
    """
    builder = Builder(stack, cache, tools)
    known = builder.known()
    if missing := [name for name in builder.images if name not in known]:
        raise PlatformError(
            f"the images of {', '.join(missing)} are not built, or not from what is there now",
            "run: python3 -m bootstrap images build",
        )
    return known
