"""A bearer token by which a server knows its holder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from data_platform.stack.claim import CONFIGURATION, Claim
from data_platform.stack.terms import Name


class Token(Claim):
    """A bearer token by which a server knows its holder."""

    kind: Literal["token"]
    of: Name = Field(description="Component that accepts it.")
    later: bool = Field(False, description="Its holder can begin without who accepts it, and need not come after it.")

    ways: ClassVar = (CONFIGURATION,)
    listed_as: ClassVar = "TOKENS"
    kept: ClassVar = {CONFIGURATION: "its digest alone"}

    @property
    def provider(self) -> str:
        """See `Claim`."""
        return self.of

    @property
    def first(self) -> bool:
        """See `Claim`."""
        return not self.later

    @property
    def key(self) -> str:
        """Name of the credential: datahub_token."""
        return f"{self.of.replace('-', '_')}_token"

    def made(self, holder: str) -> str:
        """See `Claim`."""
        return holder

    def definition(self, holder: str) -> object:
        """See `Claim`."""
        return {"holder": holder}

    @property
    def generated(self) -> tuple[str, ...]:
        """See `Claim`."""
        return (self.key,)

    def entry(self, holder: str, credentials: Mapping[str, str]) -> dict[str, Any]:
        """See `Claim`: name and sha256, for a token need not be known to be recognised."""
        return {"name": holder, "sha256": hashlib.sha256(credentials[self.key].encode()).hexdigest()}
