"""A branch of the table catalog that always is there.

Trino has a catalog for each. One without its branch would make lists of all catalogs' tables fail. A branch that is
there is not touched: where it is, is the pipelines' business (data_platform.datasets.audit).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from data_platform.clients import connect
from data_platform.stack.claim import Claim, Claimed, Place, digest_of
from data_platform.stack.lake import BRANCH_PREFIX, MAIN
from data_platform.stack.plan import Seen
from data_platform.stack.terms import Key

_SECONDS = 3.0


class Branch(Claim):
    """A branch of the table catalog: `lab_1` is the branch audit_lab_1, and Trino's catalog of that name."""

    kind: Literal["branch"]
    name: Key

    ways: ClassVar = ("nessie",)
    keeps: ClassVar = True
    shown_as: ClassVar = "BRANCHES"

    @property
    def provider(self) -> str:
        """See `Claim`."""
        return "nessie"

    def made(self, holder: str) -> str:
        """See `Claim`."""
        del holder
        return f"{BRANCH_PREFIX}{self.name}"

    def definition(self, holder: str) -> object:
        """See `Claim`."""
        del holder
        return MAIN

    @classmethod
    def observe(cls, place: Place, provider: str, claimed: Sequence[Claimed]) -> list[Seen]:
        """See `Claim`."""
        import httpx

        from data_platform.clients.nessie import NessieError

        try:
            with connect.nessie(place, _SECONDS, provider) as nessie:
                there = nessie.branches()
        except (httpx.HTTPError, NessieError):
            note = "Nessie does not answer"
            return [Seen(kind="claim", name=each.resource, healthy=False, note=note) for each in claimed]
        return [
            Seen(kind="claim", name=each.resource, digest=digest_of(MAIN)) for each in claimed if each.name in there
        ]

    @classmethod
    def make(cls, place: Place, provider: str, claimed: Claimed) -> None:
        """Make a branch at what readers see now; one that is there stays as it is."""
        with connect.nessie(place, 10 * _SECONDS, provider) as nessie:
            if nessie.head(claimed.name) is None:
                nessie.create_branch(claimed.name, MAIN)
