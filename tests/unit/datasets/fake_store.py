"""The object store of a dataset: what the flow puts there, in memory."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

_PAGE = 1000


class Store:
    """An object store in memory, as far as it is used.

    Attributes:
        pages: how many requests lists have made; one gives a thousand names at most.
    """

    def __init__(self) -> None:
        self.pages = 0
        self.objects: dict[tuple[str, str], tuple[bytes, dict[str, str]]] = {}

    def put(self, bucket: str, key: str, content: str, **metadata: str) -> None:
        notes = {f"X-Amz-Meta-{name.replace('_', '-').title()}": value for name, value in metadata.items()}
        self.objects[bucket, key] = (content.encode(), notes)

    def put_object(self, bucket: str, key: str, data: io.BytesIO, length: int, content_type: str) -> None:
        assert content_type == "application/json"
        self.objects[bucket, key] = (data.read(length), {})

    def list_objects(
        self, bucket: str, prefix: str, recursive: bool = False, start_after: str = ""
    ) -> Iterator[SimpleNamespace]:
        """Like Minio's own: a page is asked for when its first name is read."""
        names = [
            key
            for there, key in sorted(self.objects)
            if there == bucket and key.startswith(prefix) and (recursive or "/" not in key.removeprefix(prefix))
        ]
        names = [key for key in names if key > start_after]
        for first in range(0, max(len(names), 1), _PAGE):
            self.pages += 1
            yield from (SimpleNamespace(object_name=key) for key in names[first : first + _PAGE])

    def stat_object(self, bucket: str, key: str) -> Any:
        content, notes = self.objects[bucket, key]
        return SimpleNamespace(metadata=notes, size=len(content))

    def get(self, bucket: str, key: str) -> bytes | None:
        return self.objects[bucket, key][0] if (bucket, key) in self.objects else None

    def receive(self, content: str, name: str, at: str) -> str:
        digest = hashlib.sha256(content.encode()).hexdigest()
        self.put("raw", f"fx_rates/{digest}.csv", content, source_file=name, ingested_at=at)
        return digest

    def refuse(self, name: str, reason: str) -> str:
        key = f"fx_rates/{hashlib.sha256(name.encode()).hexdigest()}/{name}"
        self.put("quarantine", key, "?")
        self.put("quarantine", f"{key}.reason.json", json.dumps({"source_file": name, "reason": reason}))
        return key

    def arrive(self, name: str) -> None:
        """What the flow leaves after a file."""
        self.put("raw", f"_arrivals/fx_rates/{name}", "")
