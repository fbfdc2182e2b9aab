"""How a component's data is saved.

A kind is a module of `data_platform.backup` with one model over `Backup`: what may be said, and how data is saved,
looked at and brought back. There is `none` so far. A kind that saves something proves it by its `checks`, as every
facet does.
"""

from __future__ import annotations

from typing import ClassVar

from data_platform.stack.facet import Facet


class Backup(Facet):
    """How the component's data is saved, by a kind: a module in data_platform/backup."""

    kind: str

    required: ClassVar = True
    kinds: ClassVar = "data_platform.backup"
