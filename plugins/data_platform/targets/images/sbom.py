"""The bill of materials of an image: CycloneDX, the same for the same image."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from data_platform.stack.model import Component
from data_platform.targets.images.layers import Blob
from data_platform.targets.local.artifacts import EPOCH


def write(file: Path, component: Component, reference: str, manifest: Blob, parts: Iterable[Mapping[str, str]]) -> None:
    """Write the bill of materials of an image.

    Args:
        file: where to.
        component: whose image it is.
        reference: full name of the image.
        manifest: of the image.
        parts: what `parts_of` found in its layers.
    """
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component as Item
    from cyclonedx.model.component import ComponentType
    from cyclonedx.output.json import JsonV1Dot6
    from packageurl import PackageURL

    items = [
        Item(
            name=part["name"],
            version=part["version"],
            purl=PackageURL.from_string(part["purl"]),
            bom_ref=part["purl"],
            type=ComponentType.LIBRARY,
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=part["sha256"])] if part["sha256"] else [],
        )
        for part in {part["purl"]: part for part in parts}.values()
    ]
    image = Item(
        name=reference.rpartition(":")[0],
        version=component.version,
        description=component.summary,
        type=ComponentType.CONTAINER,
        bom_ref=reference,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=manifest.digest.partition(":")[2])],
    )
    # Usually a random number: here two builds of one image give one file.
    bom = Bom(components=items, serial_number=uuid.uuid5(uuid.NAMESPACE_URL, manifest.digest))
    bom.metadata.timestamp = datetime.fromtimestamp(EPOCH, UTC)
    bom.metadata.component = image
    bom.register_dependency(image, items)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(JsonV1Dot6(bom).output_as_string(indent=1) + "\n", encoding="utf-8")
