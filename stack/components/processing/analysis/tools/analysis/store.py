"""The bucket `reports`: what runs publish for people."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Iterable
from io import BytesIO
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.deleteobjects import DeleteObject

BUCKET = "reports"
_SECONDS = 30.0


class Reports:
    """The bucket, by the address and keys that the component's bindings give."""

    def __init__(self) -> None:
        """Prepare a client; nothing is sent yet."""
        parts = urlsplit(os.environ["S3_HTTP_URL"])
        self._store = Minio(
            parts.netloc,
            access_key=os.environ["S3_ACCESS_KEY"],
            secret_key=os.environ["S3_SECRET_KEY"],
            secure=parts.scheme == "https",
            region="us-east-1",
            # No proxy of the environment: the store is on this machine or in this cluster.
            http_client=urllib3.PoolManager(
                timeout=urllib3.Timeout(_SECONDS), retries=urllib3.Retry(total=3, backoff_factor=0.2)
            ),
        )

    def keys(self, prefix: str) -> list[str]:
        """Keys below a prefix, sorted."""
        listed = self._store.list_objects(BUCKET, prefix=prefix, recursive=True)
        return sorted(str(item.object_name) for item in listed)

    def read(self, key: str) -> bytes:
        """Content of an object."""
        answer = self._store.get_object(BUCKET, key)
        try:
            return bytes(answer.read())
        finally:
            answer.close()
            answer.release_conn()

    def write(self, key: str, content: bytes) -> None:
        """Put an object; its type follows from its name."""
        kind = mimetypes.guess_type(key)[0] or "application/octet-stream"
        if kind.startswith("text/"):
            kind += "; charset=utf-8"
        self._store.put_object(BUCKET, key, BytesIO(content), len(content), content_type=kind)

    def remove(self, keys: Iterable[str]) -> None:
        """Remove objects.

        Raises:
            OSError: the store kept one of them.
        """
        failed = list(self._store.remove_objects(BUCKET, [DeleteObject(key) for key in keys]))
        if failed:
            raise OSError(f"{BUCKET}/{failed[0].name} was not removed: {failed[0].message}")
