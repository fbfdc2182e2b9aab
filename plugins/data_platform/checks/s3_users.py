"""Each user of the object store is let into its own buckets, to do there what its claim says, and into no other."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from pydantic import Field

from data_platform.checks.base import CheckFailed, Deadline, KindParams, Platform
from data_platform.claims.bucket import Bucket
from data_platform.claims.s3_user import S3User
from data_platform.clients import connect
from data_platform.stack.capabilities import OBJECT_STORE
from data_platform.stack.holders import claimed
from data_platform.stack.terms import Name

if TYPE_CHECKING:
    from minio import Minio

#: What nobody has: it is never read, only asked for.
_KEY = ".checks/users/nothing"


class Params(KindParams):
    """Arguments of the kind."""

    of: Name = Field(OBJECT_STORE, description="Which object store: a component or capability.")
    add_is_write: bool = Field(default=False, description="The store does not tell putting from removing.")


def check(params: Params, platform: Platform, deadline: Deadline) -> str:
    """As each user, list every bucket that was claimed of the store, and put an object where it may not."""
    stack = platform.stack
    there = claimed(stack, stack.resolve(params.of))
    users = [(each.holder, each.claim) for each in there if isinstance(each.claim, S3User)]
    if not users:
        raise CheckFailed("nobody has claimed a user of the object store")
    buckets, problems = tuple(each.name for each in there if isinstance(each.claim, Bucket)), []
    for user, claim in users:
        store = connect.s3(platform, user, deadline.remaining, claim.of)
        problems += [f"{user} {problem}" for problem in _problems(store, claim, buckets, params)]
    if problems:
        raise CheckFailed("; ".join(problems))
    return f"{len(users)} users let into their own buckets alone: {', '.join(user for user, _ in users)}"


def _problems(store: Minio, claim: S3User, buckets: tuple[str, ...], params: Params) -> list[str]:
    """What a user can do beyond its claim, or cannot do of it."""
    found = []
    for bucket in buckets:
        verbs = claim.buckets.get(bucket)
        if _may(_list, store, bucket) != bool(verbs):
            found.append(f"{'cannot' if verbs else 'can'} list {bucket}")
        if verbs not in ("add", "write") and _may(_put, store, bucket):
            found.append(f"can put into {bucket}")
        removes = ("write", "add") if params.add_is_write else ("write",)
        if verbs not in removes and _may(_remove, store, bucket):
            found.append(f"can remove from {bucket}")
    return found


def _list(store: Minio, bucket: str) -> None:
    next(iter(store.list_objects(bucket, prefix=_KEY)), None)


def _put(store: Minio, bucket: str) -> None:
    store.put_object(bucket, _KEY, io.BytesIO(b""), 0)


def _remove(store: Minio, bucket: str) -> None:
    store.remove_object(bucket, _KEY)


def _may(act: Callable[[Minio, str], None], store: Minio, bucket: str) -> bool:
    """Whether the store lets somebody do it; an object that is not there is none of its refusals."""
    from minio.error import S3Error

    try:
        act(store, bucket)
    except S3Error as error:
        if error.code == "AccessDenied":
            return False
        raise
    return True
