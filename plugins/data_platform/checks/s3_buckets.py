"""The buckets that `stack.yaml` declares are there, with versioning and lifecycle set."""

from __future__ import annotations

from pydantic import Field

from data_platform.checks.base import CheckFailed, Deadline, KindParams, Platform
from data_platform.stack.holders import CHECKS


class Params(KindParams):
    """Arguments of the kind."""

    buckets: tuple[str, ...] = Field(min_length=1, description="Buckets that must be there.")


def check(params: Params, platform: Platform, deadline: Deadline) -> str:
    """Read the settings of each bucket back from the store."""
    from data_platform.clients import s3

    store = s3.client_of(platform, CHECKS, deadline.remaining)
    found = {name: s3.read_bucket(store, name) for name in params.buckets}
    if missing := [name for name, bucket in found.items() if bucket is None]:
        raise CheckFailed(f"missing: {', '.join(missing)}")
    if open_ended := [n for n, b in found.items() if b and (not b.versioned or b.expire_noncurrent_days >= s3.NEVER)]:
        raise CheckFailed(f"without versioning or lifecycle: {', '.join(open_ended)}")
    return "; ".join(f"{n}: versioned, old versions {b.expire_noncurrent_days} days" for n, b in found.items() if b)
