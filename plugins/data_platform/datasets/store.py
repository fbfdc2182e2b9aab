"""The object store as pipelines use it, and the JSON documents that the platform keeps there about datasets."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

from data_platform.clients import connect, s3
from data_platform.stack.holders import PIPELINES
from data_platform.stack.lake import RAW

if TYPE_CHECKING:
    from minio import Minio

    from data_platform.targets.base import Target

_JSON = "application/json"


def store_of(target: Target, seconds: float) -> Minio:
    """A client of the platform's object store, as pipelines may use it."""
    return connect.s3(target, PIPELINES, seconds)


def read_json(store: Minio, bucket: str, key: str) -> dict[str, Any] | None:
    """A JSON document; None where there is no such object."""
    content = s3.read(store, bucket, key)
    if content is None:
        return None
    found: dict[str, Any] = json.loads(content)
    return found


def put(store: Minio, key: str, text: str) -> None:
    """Write a JSON document of the platform's own into the bucket `raw`."""
    content = text.encode()
    store.put_object(RAW, key, io.BytesIO(content), len(content), _JSON)
