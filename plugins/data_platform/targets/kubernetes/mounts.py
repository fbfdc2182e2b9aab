"""Credentials that a pod is given as files, because it may not read Secrets: `<holder>.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from data_platform.targets.kubernetes import places


def file_of(holder: str, known: Mapping[str, str]) -> dict[str, bytes]:
    """The file of a holder, by its name, as a Secret has it."""
    return {f"{holder}.json": json.dumps(dict(known), sort_keys=True).encode()}


def given(holder: str, folder: Path | None = None) -> dict[str, str] | None:
    """Credentials of a holder that this pod was given; None where it was given none of it.

    Args:
        holder: its name.
        folder: where the files are mounted.
    """
    try:
        text = ((folder or Path(places.CREDENTIALS)) / f"{holder}.json").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    found: dict[str, str] = json.loads(text)
    return found
