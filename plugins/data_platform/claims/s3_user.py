"""A user of the object store, with a policy for its buckets and verbs, and a key of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from pydantic import Field

from data_platform.clients import connect
from data_platform.stack.capabilities import OBJECT_STORE
from data_platform.stack.claim import CONFIGURATION, Claim, Claimed, Place, digest_of, resource_name
from data_platform.stack.plan import Seen
from data_platform.stack.terms import Name

if TYPE_CHECKING:
    from minio import MinioAdmin


class S3User(Claim):
    """A user of the object store, with a policy for its buckets and verbs, and a key of its own."""

    kind: Literal["s3_user"]
    of: Name = Field(
        OBJECT_STORE, description="Which object store: a component or capability; its credentials are named after it."
    )
    buckets: dict[Name, Literal["read", "add", "write"]] = Field(
        min_length=1,
        description="What it may do in which bucket: read; add, which is read and put; write, which is add and delete.",
    )

    ways: ClassVar = ("minio_admin", CONFIGURATION)
    listed_as: ClassVar = "S3_USERS"
    kept: ClassVar = {"minio_admin": "on its drives"}

    @property
    def provider(self) -> str:
        """See `Claim`."""
        return self.of

    def made(self, holder: str) -> str:
        """See `Claim`."""
        return holder

    def definition(self, holder: str) -> object:
        """See `Claim`: the policy."""
        del holder
        from data_platform.clients import s3_admin

        return s3_admin.policy_of(self.buckets)

    def about(self) -> tuple[tuple[str, str], ...]:
        """See `Claim`: its buckets, in the same store."""
        return tuple(("bucket", name) for name in self.buckets)

    def fixed(self, holder: str) -> dict[str, str]:
        """See `Claim`."""
        return {connect.s3_keys(self.of)[0]: holder}

    @property
    def generated(self) -> tuple[str, ...]:
        """See `Claim`."""
        return (connect.s3_keys(self.of)[1],)

    def entry(self, holder: str, credentials: Mapping[str, str]) -> dict[str, Any]:
        """See `Claim`: name, access_key, secret_key and buckets."""
        access_key, secret_key = (credentials[key] for key in connect.s3_keys(self.of))
        return {"name": holder, "access_key": access_key, "secret_key": secret_key, "buckets": self.buckets}

    @classmethod
    def observe(cls, place: Place, provider: str, claimed: Sequence[Claimed]) -> list[Seen]:
        """See `Claim`: users of ours whose key the store takes, and those that nobody claims."""
        import urllib3
        from minio.error import MinioAdminException

        from data_platform.clients import s3_admin

        admin = _admin(place, provider, 3)
        try:
            there, policies = s3_admin.users(admin), s3_admin.policies(admin)
        except (MinioAdminException, urllib3.exceptions.HTTPError, OSError):
            note = "the object store does not answer"
            return [Seen(kind="claim", name=each.resource, healthy=False, note=note) for each in claimed]
        names = {each.name for each in claimed}
        found = [Seen(kind="claim", name=resource_name("s3_user", name)) for name in there if name not in names]
        for each in claimed:
            if each.name not in there:
                continue
            problem = _problem(place, each) if there[each.name].enabled else "it is disabled"
            policy = policies.get(there[each.name].policy)
            digest = None if problem else digest_of(policy)
            found.append(Seen(kind="claim", name=each.resource, digest=digest, note=problem))
        return found

    @classmethod
    def make(cls, place: Place, provider: str, claimed: Claimed) -> None:
        """Make the user with its key and this one policy.

        Raises:
            MinioAdminException: the server does not take it.
        """
        from data_platform.clients import s3_admin

        (secret,) = claimed.claim.generated
        key = place.credentials(claimed.holder)[secret]
        s3_admin.ensure_user(_admin(place, provider), claimed.name, key, cast(S3User, claimed.claim).buckets)

    @classmethod
    def remove(cls, place: Place, provider: str, name: str) -> None:
        """See `Claim`."""
        from data_platform.clients import s3_admin

        s3_admin.remove_user(_admin(place, provider), name)


def _admin(place: Place, provider: str, seconds: float = 10) -> MinioAdmin:
    return connect.s3_admin(place, seconds, provider)


def _problem(place: Place, claimed: Claimed) -> str:
    """Why a user's key is no good; empty when the store lets it in."""
    from minio.error import S3Error

    claim = cast(S3User, claimed.claim)
    store = connect.s3(place, claimed.holder, 3, claim.of)
    try:
        store.bucket_exists(min(claim.buckets))
    except S3Error as error:
        return f"its key is refused ({error.code})"
    return ""
