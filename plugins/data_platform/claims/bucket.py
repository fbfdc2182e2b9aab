"""A bucket of the object store, with versions and lifecycle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, cast

from pydantic import Field

from data_platform.clients import connect
from data_platform.stack.capabilities import OBJECT_STORE
from data_platform.stack.claim import Claim, Claimed, Place, digest_of
from data_platform.stack.plan import Seen
from data_platform.stack.terms import Name


class Bucket(Claim):
    """A bucket of the object store. Its objects are never removed but by the rules that it names."""

    kind: Literal["bucket"]
    name: Name
    of: Name = Field(OBJECT_STORE, description="Which object store: a component or capability.")
    versioned: bool = Field(True, description="What is overwritten or removed is kept for a while.")
    expire_noncurrent_days: int = Field(30, ge=1, description="Old versions are removed after this many days.")
    expire_days: dict[Annotated[str, Field(pattern="/$")], Annotated[int, Field(ge=1)]] = Field(
        default_factory=dict,
        description="Folders (as `signs/`) whose objects are removed after this many days, old versions a day later.",
    )

    ways: ClassVar = ("s3",)
    keeps: ClassVar = True

    @property
    def provider(self) -> str:
        """See `Claim`."""
        return self.of

    def made(self, holder: str) -> str:
        """See `Claim`."""
        del holder
        return self.name

    def definition(self, holder: str) -> object:
        """See `Claim`."""
        del holder
        return self.model_dump(exclude={"kind", "name", "of"})

    @classmethod
    def observe(cls, place: Place, provider: str, claimed: Sequence[Claimed]) -> list[Seen]:
        """See `Claim`."""
        import urllib3
        from minio.error import MinioException

        from data_platform.clients import s3

        store = connect.s3_as_root(place, 3, provider)
        try:
            there = [(each, s3.read_bucket(store, each.name)) for each in claimed]
        except (MinioException, urllib3.exceptions.HTTPError, OSError):
            note = "the object store does not answer"
            return [Seen(kind="claim", name=each.resource, healthy=False, note=note) for each in claimed]
        return [
            Seen(kind="claim", name=each.resource, digest=digest_of(found._asdict()))
            for each, found in there
            if found is not None
        ]

    @classmethod
    def make(cls, place: Place, provider: str, claimed: Claimed) -> None:
        """See `Claim`."""
        from data_platform.clients import s3

        store, spec = connect.s3_as_root(place, provider=provider), cast(Bucket, claimed.claim)
        wanted = s3.Settings(spec.versioned, spec.expire_noncurrent_days, spec.expire_days)
        s3.ensure_bucket(store, spec.name, wanted)
