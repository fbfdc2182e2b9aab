"""The buckets that components and identities claim are there, with versioning and lifecycle as they say."""

from __future__ import annotations

from pydantic import Field

from data_platform.checks.base import CheckFailed, Deadline, KindParams, Platform
from data_platform.clients import connect
from data_platform.stack.capabilities import OBJECT_STORE
from data_platform.stack.holders import CHECKS, claimed
from data_platform.stack.terms import Name


class Params(KindParams):
    """Arguments of the kind."""

    of: Name = Field(OBJECT_STORE, description="Which object store: a component or capability.")


def check(params: Params, platform: Platform, deadline: Deadline) -> str:
    """Read the settings of each bucket back from the store."""
    from data_platform.clients import s3

    wanted = claimed(platform.stack, platform.stack.resolve(params.of), "bucket")
    if not wanted:
        raise CheckFailed("nobody has claimed a bucket")
    store = connect.s3(platform, CHECKS, deadline.remaining, params.of)
    found = {each.name: s3.read_bucket(store, each.name) for each in wanted}
    if missing := [name for name, bucket in found.items() if bucket is None]:
        raise CheckFailed(f"missing: {', '.join(missing)}")
    there = {name: bucket for name, bucket in found.items() if bucket}
    if other := [each.name for each in wanted if there[each.name]._asdict() != each.claim.definition(each.holder)]:
        raise CheckFailed(f"set otherwise than claimed: {', '.join(f'{name}: {there[name]}' for name in other)}")
    return "; ".join(
        f"{name}: {'versioned' if bucket.versioned else 'not versioned'}, old versions"
        f" {bucket.expire_noncurrent_days} days"
        for name, bucket in there.items()
    )
