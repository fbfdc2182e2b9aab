"""An object is stored, read back bit by bit, and removed; without a key nothing can be read."""

from __future__ import annotations

import io
import secrets
import uuid

from pydantic import Field

from data_platform.checks.base import CheckFailed, Deadline, KindParams, Platform
from data_platform.clients import connect
from data_platform.clients.cleanup import removed_after
from data_platform.stack.capabilities import OBJECT_STORE
from data_platform.stack.holders import CHECKS
from data_platform.stack.terms import Name

#: Enough for more than one part of a stream, little enough for every hour.
_BYTES = 1 << 20


class Params(KindParams):
    """Arguments of the kind."""

    bucket: str = Field(description="Bucket to write to.")
    of: Name = Field(OBJECT_STORE, description="Which object store: a component or capability.")


def check(params: Params, platform: Platform, deadline: Deadline) -> str:
    """Put, get and compare one object, then ask for it anonymously."""
    from minio.deleteobjects import DeleteObject
    from minio.error import S3Error

    store = connect.s3(platform, CHECKS, deadline.remaining, params.of)
    name, content = f".checks/{uuid.uuid4()}", secrets.token_bytes(_BYTES)

    def remove() -> None:
        versions = list(store.list_objects(params.bucket, prefix=name, include_version=True))
        leftovers = [DeleteObject(str(v.object_name), v.version_id) for v in versions]
        if failed := [str(error) for error in store.remove_objects(params.bucket, leftovers)]:
            raise CheckFailed(f"could not be removed again: {failed}")

    with removed_after(remove, f"{params.bucket}/{name}", required=True):
        store.put_object(params.bucket, name, io.BytesIO(content), len(content))
        with store.get_object(params.bucket, name) as answer:
            if answer.read() != content:
                raise CheckFailed(f"{params.bucket}/{name} came back different")
        try:
            connect.s3_as_nobody(platform, provider=params.of).stat_object(params.bucket, name)
        except S3Error as error:
            if error.code != "AccessDenied":
                raise
        else:
            raise CheckFailed(f"{params.bucket}/{name} can be read without a key")
    return f"{_BYTES} bytes stored in {params.bucket}, read back equal, refused without a key, removed"
