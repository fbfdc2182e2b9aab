"""Which images a stack has, and which layers each: decided from `kubernetes.yaml`, before anything is fetched."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from data_platform.stack.definition import Artifact
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import KUBERNETES
from data_platform.stack.stack import Stack
from data_platform.targets.images import content
from data_platform.targets.images.base import BaseFile, base_entries, read_base
from data_platform.targets.images.layers import Entry
from data_platform.targets.kubernetes import places
from data_platform.targets.local.artifacts import Placed, digest_of, place, place_all

#: Part of every layer's key: what is made in another way than before is made again.
_FORMAT = "1"
_PLATFORM = "platform"
#: Programs of the platform's images, which Airflow's tasks deploy with.
PROGRAMS = ("helm", "kubectl")


@dataclass(frozen=True)
class Layer:
    """A layer that may have been made already.

    Attributes:
        name: what it is, for people.
        key: digest of all that decides its content.
        make: its entries, given an empty folder and the version of the base's Python.
        artifact: what has to be fetched first.
        base: whether this is the base itself.
    """

    name: str
    key: str
    make: Callable[[Path, str], Iterable[Entry]] = field(compare=False)
    artifact: Placed | None = None
    base: bool = False


@dataclass(frozen=True)
class Image:
    """An image: its layers from the base up, and whether it holds the platform itself."""

    component: str
    layers: tuple[Layer, ...]
    platform: bool


def images(stack: Stack, cache: Path, release: str, tools: Placed) -> dict[str, Image]:
    """The images of a stack, by component.

    Args:
        stack: of the target `kubernetes`.
        cache: the per-user cache.
        release: Debian's, for the base.
        tools: the artifact with helm and kubectl.

    Raises:
        PlatformError: an image names an artifact that its component does not have, or stands on one that is none.
    """
    if stack.target != KUBERNETES:
        raise PlatformError(f"images belong to the target kubernetes, not {stack.target}", "load the stack for it")
    wanted = {
        name: item.kubernetes.image
        for name, item in stack.components.items()
        if item.kubernetes is not None and item.kubernetes.image is not None
    }
    base = _base(read_base(stack.root), release)
    below, above = _platform(stack, cache, tools) if any(spec.platform for spec in wanted.values()) else ((), ())
    found = {}
    for name, spec in wanted.items():
        placed = place(stack, name, cache)
        if unknown := sorted(set(spec.artifacts) - set(placed)):
            raise PlatformError(
                f"{stack.components[name].folder / 'kubernetes.yaml'}: image.artifacts names {', '.join(unknown)}",
                f"use some of: {', '.join(placed)}",
            )
        chosen = {key: placed[key] for key in spec.artifacts}
        homes = {item.folder: str(places.ARTIFACTS / key) for key, item in chosen.items()}
        layers = tuple(_artifact(item, homes) for item in chosen.values())
        if spec.platform:
            layers = (*below, *layers, *above)
        found[name] = Image(name, (base, *layers), spec.platform)
    return {name: _over(stack, wanted[name].over, image, found) for name, image in found.items()}


def _over(stack: Stack, over: str | None, image: Image, known: Mapping[str, Image]) -> Image:
    """An image with all that was built for another one below it; the checkout, which changes often, is not."""
    if over is None:
        return image
    if (other := known.get(stack.resolve(over))) is None:
        raise PlatformError(
            f"{stack.components[image.component].folder / 'kubernetes.yaml'}: image.over: {over} has no image",
            f"use one of: {', '.join(known)}",
        )
    found = [layer for layer in other.layers if layer.base or layer.artifact is not None]
    # An artifact of both is there once.
    found += [layer for layer in image.layers if layer not in found]
    return replace(image, layers=tuple(found))


def _base(spec: BaseFile, release: str) -> Layer:
    key = digest_of(_FORMAT, "base", release, json.dumps(spec.model_dump(mode="json")))

    def make(scratch: Path, _: str) -> Iterable[Entry]:
        return base_entries(spec, release, scratch)

    return Layer(f"Debian {release}", key, make, base=True)


def _artifact(placed: Placed, homes: Mapping[Path, str]) -> Layer:
    to = content.in_image(places.ARTIFACTS / placed.name)
    if placed.spec.environment:
        return _environment(placed, to)
    # Links lead to other artifacts by the places that these have in the image.
    key = digest_of(_FORMAT, "artifact", placed.name, placed.digest)

    def make(_: Path, __: str) -> Iterable[Entry]:
        return content.artifact_entries(placed, to, homes)

    return Layer(placed.name, key, make, artifact=placed)


def _environment(placed: Placed, to: str) -> Layer:
    key = digest_of(_FORMAT, "environment", to, placed.digest)

    def make(scratch: Path, python: str) -> Iterable[Entry]:
        return content.environment_entries(placed, to, python, scratch)

    return Layer(f"Python environment {placed.name}", key, make, artifact=placed)


def _platform(stack: Stack, cache: Path, tools: Placed) -> tuple[tuple[Layer, ...], tuple[Layer, ...]]:
    """Environment and programs, which come first because images share them; and the checkout, which changes often.

    A node keeps a layer once for each sequence of layers below it.
    """
    specs = {_PLATFORM: (Artifact.model_validate({"environment": _PLATFORM}), stack.root)}
    placed = place_all(specs, stack.root, stack.root / "locks", cache)[_PLATFORM]
    programs = Layer(
        " and ".join(PROGRAMS),
        digest_of(_FORMAT, "programs", *PROGRAMS, tools.digest),
        lambda _, __: content.program_entries({name: tools.folder / name for name in PROGRAMS}),
        artifact=tools,
    )
    checkout = Layer(
        "the checkout",
        digest_of(_FORMAT, "project", content.project_digest(stack.root)),
        lambda scratch, _: content.project_entries(stack.root, scratch),
    )
    return (_environment(placed, content.in_image(places.PLATFORM)), programs), (checkout,)
