"""The manifest of a run: which raw objects to load and which files were refused before. Plain Python, no Spark."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

_SHA256 = re.compile(r"[0-9a-f]{64}")


class ManifestError(Exception):
    """The manifest does not say what a load needs; the message names the field."""


@dataclass(frozen=True)
class File:
    """A raw object, with what was known when it was taken."""

    object: str
    sha256: str
    source_file: str
    #: UTC, ISO 8601.
    ingested_at: str
    bytes: int

    @property
    def name(self) -> str:
        """The last part of the object's key, as Spark shows it in `_metadata.file_name`."""
        return self.object.rpartition("/")[2]


@dataclass(frozen=True)
class Refused:
    """A file that was refused before it came to the raw zone."""

    source_file: str
    reason: str
    quarantined_at: str
    #: Its key in the bucket `quarantine`.
    object: str


@dataclass(frozen=True)
class Manifest:
    """What one run loads."""

    dataset: str
    run: str
    #: Only days in this range are looked at; None is open.
    first: date | None
    last: date | None
    files: tuple[File, ...]
    refused: tuple[Refused, ...]
    #: Digests of files that were loaded earlier and are to be forgotten; `files` are all others.
    taken_back: tuple[str, ...] = ()

    @property
    def is_partial(self) -> bool:
        """Whether days of the files may be left out, so that the files do not count as loaded."""
        return self.first is not None or self.last is not None


def parse(text: str, dataset: str) -> Manifest:
    """Read a manifest.

    Args:
        text: JSON.
        dataset: whose manifest it must be.

    Raises:
        ManifestError: it is none, or of another dataset; with the field.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ManifestError(f"the manifest is no JSON: {error}") from None
    if _field(document, "dataset", str, "manifest") != dataset:
        raise ManifestError(f"manifest: dataset is {document['dataset']!r}, expected {dataset!r}")
    days = _field(document, "days", dict, "manifest")
    files = {}
    for number, item in enumerate(_field(document, "files", list, "manifest")):
        file = _file(item, f"manifest: files[{number}]")
        files.setdefault(file.sha256, file)
    refused = [
        Refused(**{key: _field(item, key, str, f"manifest: refused[{n}]") for key in Refused.__annotations__})
        for n, item in enumerate(_field(document, "refused", list, "manifest"))
    ]
    return Manifest(
        dataset,
        _field(document, "run", str, "manifest"),
        _day(days, "from"),
        _day(days, "to"),
        tuple(files.values()),
        tuple(refused),
        tuple(_digest(text, f"manifest: taken_back[{n}]") for n, text in enumerate(document.get("taken_back", ()))),
    )


def _digest(text: Any, where: str) -> str:
    if not isinstance(text, str) or not _SHA256.fullmatch(text):
        raise ManifestError(f"{where} is {text!r}, expected the SHA-256 of a file")
    return text


def _file(item: Any, where: str) -> File:
    file = File(**{key: _field(item, key, int if key == "bytes" else str, where) for key in File.__annotations__})
    if not _SHA256.fullmatch(file.sha256) or file.sha256 not in file.name:
        raise ManifestError(f"{where}: sha256 {file.sha256!r} is not the name of object {file.object!r}")
    try:
        taken = datetime.fromisoformat(file.ingested_at)
    except ValueError:
        taken = datetime.min  # noqa: DTZ901 - it has no time zone, which is refused below
    if taken.tzinfo is None:
        raise ManifestError(f"{where}: ingested_at is {file.ingested_at!r}, expected ISO 8601 with a time zone")
    return file


def _field(item: Any, key: str, kind: type, where: str) -> Any:
    if not isinstance(item, dict) or not isinstance(item.get(key), kind):
        raise ManifestError(f"{where}: {key} is missing or no {kind.__name__}")
    return item[key]


def _day(days: dict[str, Any], key: str) -> date | None:
    try:
        return None if days.get(key) is None else date.fromisoformat(days[key])
    except (TypeError, ValueError):
        raise ManifestError(f"manifest: days.{key} is {days[key]!r}, expected YYYY-MM-DD or null") from None
