"""There is nothing to save."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from data_platform.facets.backup import Backup


class Nothing(Backup):
    """There is nothing to save, and why."""

    kind: Literal["none"]
    reason: str = Field(min_length=1, description="Why there is nothing to save, or where it is saved.")
