"""An object that is overwritten keeps its old version, which can be read, and which nobody can put over."""

from __future__ import annotations

import io
import uuid

from pydantic import Field

from data_platform.checks.base import CheckFailed, Deadline, KindParams, Platform
from data_platform.clients import connect
from data_platform.clients.cleanup import removed_after
from data_platform.stack.capabilities import OBJECT_STORE
from data_platform.stack.holders import CHECKS
from data_platform.stack.terms import Name


class Params(KindParams):
    """Arguments of the kind."""

    bucket: str = Field(description="Bucket to write to.")
    of: Name = Field(OBJECT_STORE, description="Which object store: a component or capability.")


def check(params: Params, platform: Platform, deadline: Deadline) -> str:
    """Put an object twice, try to put over the first version by its id, and read that back."""
    from minio.deleteobjects import DeleteObject

    store = connect.s3(platform, CHECKS, deadline.remaining, params.of)
    name = f".checks/{uuid.uuid4()}"
    versions: list[str | None] = []

    def remove() -> None:
        leftovers = [DeleteObject(name, version) for version in versions]
        if failed := [str(error) for error in store.remove_objects(params.bucket, leftovers)]:
            raise CheckFailed(f"could not be removed again: {failed}")

    with removed_after(remove, f"{params.bucket}/{name}", required=True):
        for content in (b"first", b"second"):
            written = store.put_object(params.bucket, name, io.BytesIO(content), len(content))
            versions.append(written.version_id)
            if not written.version_id:
                raise CheckFailed(f"bucket {params.bucket} keeps no versions")
        # As MinIO lets whoever may put, unless his policy forbids it; another store may make a version of it.
        url = store.get_presigned_url("PUT", params.bucket, name, version_id=versions[0])
        with connect.http(platform, deadline.remaining, params.of) as web:
            over = web.put(url, content=b"over")
        if (made := over.headers.get("x-amz-version-id")) not in versions:
            versions.append(made)
        with store.get_object(params.bucket, name, version_id=versions[0]) as answer:
            if (found := answer.read()) != b"first":
                raise CheckFailed(f"the first version holds {found!r}")
    return (
        f"2 versions in {params.bucket}, the first one read back after it was overwritten,"
        f" and after somebody tried to put over it ({over.status_code})"
    )
