"""Every kind of claim there is: the modules of `data_platform.claims`, found by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_platform.stack.claim import Claim
from data_platform.stack.found import any_of, models

# Not beside `Claim`: a kind that is imported first would be looked for while it is only begun.
KINDS: dict[str, type[Claim]] = models("data_platform.claims", Claim)  # type: ignore[type-abstract]

if TYPE_CHECKING:
    ClaimEntry = Claim
else:
    #: A claim in a YAML file.
    ClaimEntry = any_of(KINDS)
