"""`images`: build the platform's container images without a daemon, load them, push them, list them."""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from bootstrap import environments, preflight
from bootstrap.progress import Progress
from data_platform.clients import skopeo
from data_platform.clients.kubernetes import Cluster
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import KUBERNETES
from data_platform.stack.stack import Stack
from data_platform.targets.images.build import LOCAL_REGISTRY, Builder, Built, known_images
from data_platform.targets.images.layout import Layout
from data_platform.targets.local.artifacts import Placed
from data_platform.targets.local.cache import cache_folder
from data_platform.targets.local.state import State

#: Images that are sent to a registry at the same time.
_PUSHES = 4
_BUILDER = preflight.Problem("mmdebstrap is missing; it makes the base of all images", "install it", ("mmdebstrap",))
_PUSHER = preflight.Problem("skopeo is missing; it copies images to a registry", "install it", ("skopeo",))


def images(arguments: argparse.Namespace) -> int:
    """Run one of the verb's actions."""
    given = environments.given(arguments)
    settings: dict[str, Any] = environments.settings_of(given) if given else {"target": KUBERNETES}
    if settings["target"] != KUBERNETES:
        raise PlatformError(
            f"the environment {arguments.environment} is of the target {settings['target']}, which has no images",
            "give an environment of the target kubernetes",
        )
    if arguments.profile:
        settings["profile"] = arguments.profile
    if arguments.action == "push" and not (arguments.registry or settings.get("registry")):
        raise PlatformError(
            f"the environment {arguments.environment} says no registry", "add it there, or: images push HOST/PATH"
        )
    stack = environments.stack_of(settings)
    if arguments.action == "push":
        return _push(stack, arguments, arguments.registry or settings["registry"])
    return _build(stack, arguments) if arguments.action == "build" else _list(stack)


def _build(stack: Stack, arguments: argparse.Namespace) -> int:
    started = time.monotonic()
    progress = Progress()
    built = build(stack, progress, new_base=arguments.new_base)
    for name, image in built.items():
        made = f"{image.seconds:.1f} s" if image.seconds else "was there"
        print(f"{name:12} {image.size / 1e6:6.0f} MB  {made:>10}  {image.reference}  {image.manifest.digest}")
    folder = cache_folder() / "images"
    unique = {blob.digest: blob.size for image in built.values() for blob in _layout().blobs_of(image.manifest)}
    print(
        f"{len(built)} images, {sum(unique.values()) / 1e6:.0f} MB together, {time.monotonic() - started:.1f} s; "
        f"layout: {folder / 'layout'}, bills of materials: {folder / 'sbom'}"
    )
    if arguments.archive:
        _layout().write_archive(arguments.archive, [image.reference for image in built.values()])
        print(f"archive: {arguments.archive} ({arguments.archive.stat().st_size / 1e6:.0f} MB)")
    return 0


def _push(stack: Stack, arguments: argparse.Namespace, registry: str) -> int:
    _have("skopeo", _PUSHER)
    known = known_images(stack, cache_folder(), _tools())
    with tempfile.TemporaryDirectory() as scratch:

        def push(item: tuple[str, str]) -> str:
            name, reference = item
            target = _in_registry(reference, registry)
            digest = skopeo.push(
                _layout().folder,
                reference,
                target,
                compression=arguments.compression,
                plain_http=arguments.plain_http,
                digest_file=Path(scratch, name),
            )
            return f"{target}@{digest}"

        with ThreadPoolExecutor(_PUSHES) as pool:
            for line in pool.map(push, known.items()):
                print(line, flush=True)
    return 0


def _list(stack: Stack) -> int:
    there = _layout().images()
    for name, reference in builder(stack).known().items():
        print(f"{name:12} {reference}  {there[reference].digest}")
    return 0


def _layout() -> Layout:
    return Layout(cache_folder() / "images" / "layout")


def _tools() -> Placed:
    """The artifact with helm and kubectl."""
    from bootstrap.cluster.binaries import programs

    return programs(cache_folder()).placed["kubernetes"]


def builder(stack: Stack, progress: Progress | None = None) -> Builder:
    """Of a stack's images, in the per-user cache."""
    say = (lambda text: progress.say("images", text)) if progress else (lambda _: None)
    return Builder(stack, cache_folder(), _tools(), say)


def _have(program: str, problem: preflight.Problem) -> None:
    if shutil.which(program) is None and preflight.mend([problem]):
        raise PlatformError(problem.what, f"apt-get install {' '.join(problem.packages)}")


def build(stack: Stack, progress: Progress, *, new_base: bool = False) -> dict[str, Built]:
    """Build what is missing of a stack's images.

    Raises:
        PlatformError: something is not to be had, or does not fit.
    """
    _have("mmdebstrap", _BUILDER)
    return builder(stack, progress).build(new_base=new_base)


def references(stack: Stack, registry: str) -> dict[str, str]:
    """Names of the images in a registry to which they were pushed, by component.

    Raises:
        PlatformError: they are not built from what is there now.
    """
    known = known_images(stack, cache_folder(), _tools())
    return {name: _in_registry(reference, registry) for name, reference in known.items()}


def _in_registry(reference: str, registry: str) -> str:
    return f"{registry.rstrip('/')}/{reference.removeprefix(f'{LOCAL_REGISTRY}/')}"


class Loaded(NamedTuple):
    """Images on their way to the node.

    Attributes:
        references: names of all, by component.
        rest: done when the last one is there; those that the bootstrap installs are there already.
    """

    references: dict[str, str]
    rest: Future[None]


def load(state: State, stack: Stack, cluster: Cluster, progress: Progress) -> Loaded:
    """Bring the images onto the node of the test cluster, built where they are missing.

    Returns when what the bootstrap installs is there. Loading is the disk's work, so the rest comes beside its start.

    Raises:
        PlatformError: something is not to be had, or the cluster does not run.
    """
    built = {name: image.reference for name, image in build(stack, progress).items()}
    missing = set(_missing(built, cluster))
    first = [built[n] for n, item in stack.components.items() if item.component.bootstrap and built.get(n) in missing]
    bring(state, first, progress)
    pool = ThreadPoolExecutor(1, thread_name_prefix="images")
    rest = pool.submit(bring, state, sorted(missing - set(first)), progress)
    pool.shutdown(wait=False)
    return Loaded(built, rest)


def bring(state: State, images: Sequence[str], progress: Progress) -> None:
    """Bring images of the layout onto the node of the test cluster.

    Raises:
        PlatformError: one is not in the layout, or the cluster does not run.
    """
    if images:
        with tempfile.TemporaryDirectory(dir=cache_folder()) as scratch:
            for image in images:
                _bring(state, image, Path(scratch) / "image.tar")
        progress.say("images", f"{len(images)} loaded into the cluster")


def _bring(state: State, image: str, archive: Path) -> None:
    from bootstrap.cluster.images import add_layers, load_images

    layers = _layout().layers(image)
    _layout().write_archive(archive, [image], without=layers)

    def load() -> None:
        add_layers(state.folder, layers)
        load_images(state.folder, archive)

    try:
        load()
    except PlatformError:
        # containerd may have removed a layer before there was an image that names it. Now there is one.
        load()


def _missing(built: Mapping[str, str], cluster: Cluster) -> Sequence[str]:
    nodes = cluster.list_objects("v1", "Node")
    there = {name for node in nodes for image in node["status"].get("images", []) for name in image.get("names", [])}
    return [reference for reference in built.values() if reference not in there]
