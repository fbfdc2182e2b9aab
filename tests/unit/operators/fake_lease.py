"""The platform's lease, without a database."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from data_platform.records import holding, leases
from data_platform.records.leases import HeldError, Lease

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def held_by(holder: str, seconds: float = 1.0) -> Lease:
    """A lease of somebody else."""
    return Lease("platform", holder, "deploy", NOW, NOW, NOW, seconds)


class FakeLease:
    """Notes who holds it for what, and when it is looked at.

    Attributes:
        taken: holder and purpose, each time that it was.
        is_held: whether it is at this moment.
        others: who else has it, at each look; the last one stays.
    """

    def __init__(self, others: Sequence[Lease | Exception | None] = (None,)) -> None:
        self.taken: list[tuple[str, str]] = []
        self.is_held = False
        self.others = list(others)

    @contextmanager
    def holding(self, target: object, holder: str, purpose: str) -> Iterator[None]:
        """In the place of `holding.holding`."""
        del target
        if other := self.current(None):
            raise HeldError(other)
        self.taken.append((holder, purpose))
        self.is_held = True
        yield
        self.is_held = False

    def current(self, target: object) -> Lease | None:
        """In the place of `leases.current`."""
        del target
        found = self.others.pop(0) if len(self.others) > 1 else self.others[0]
        if isinstance(found, Exception):
            raise found
        return found

    def put(self, patch: pytest.MonkeyPatch) -> FakeLease:
        """Let the operators have this one."""
        patch.setattr(holding, "holding", self.holding)
        patch.setattr(leases, "current", self.current)
        return self
