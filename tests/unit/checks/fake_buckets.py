"""An object store in memory, as its users see it: buckets with their settings, objects with their versions."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable, Iterator, Mapping
from types import SimpleNamespace

import httpx
import pytest
from minio.commonconfig import ENABLED, Filter
from minio.deleteobjects import DeleteObject
from minio.lifecycleconfig import Expiration, LifecycleConfig, NoncurrentVersionExpiration, Rule
from minio.versioningconfig import SUSPENDED, VersioningConfig

from data_platform.checks.base import Address
from data_platform.stack.stack import Stack
from tests.unit.clients.fake_object_store import refusal

URL = "http://store.test:1"
KEY = "generated"
DAYS = 7


def rule(name: str = "data-platform", status: str = ENABLED, days: int | None = DAYS, prefix: str = "") -> Rule:
    """A lifecycle rule; without days it expires current versions alone."""
    old = NoncurrentVersionExpiration(noncurrent_days=days) if days else None
    current = None if days else Expiration(days=90)
    return Rule(
        status,
        rule_filter=Filter(prefix=prefix),
        rule_id=name,
        expiration=current,
        noncurrent_version_expiration=old,
    )


class Bucket:
    """Settings, and versions by key: the newest last."""

    def __init__(self) -> None:
        self.versioning = "Enabled"
        self.rules: list[Rule] = [rule()]
        self.objects: dict[str, list[tuple[str | None, bytes]]] = {}


class Buckets:
    """A store that is right until a test says otherwise.

    Attributes:
        public: whether anybody may read.
        anybody: code of the refusal of those without a key.
        reads: makes of a content what a reader gets.
        refuses: codes of refusals, by verb (`look`, `put`, `get`, `list`, `remove`).
        over: what becomes of a version over which somebody puts: `refused`, `added` or `replaced`.
    """

    def __init__(self, *names: str) -> None:
        self.buckets = {name: Bucket() for name in names}
        self.public = False
        self.anybody = "AccessDenied"
        self.refuses: dict[str, str] = {}
        self.over = "refused"
        self._numbers = itertools.count(1)

    def reads(self, content: bytes) -> bytes:
        return content

    def open(self, url: str, access_key: str, secret_key: str, _seconds: float = 1) -> Session:
        """In the place of `s3.client`."""
        assert url == URL
        assert (access_key, secret_key) in (("checks", KEY), ("", ""))
        return Session(self, access_key)

    def put(self, request: httpx.Request) -> httpx.Response:
        """A request that a signed URL is for."""
        bucket, _, key = request.url.path.removeprefix("/").partition("/")
        here, named = self.buckets[bucket], request.url.params["versionId"]
        if self.over == "refused":
            return httpx.Response(403)
        if self.over == "replaced":
            content = request.read()
            here.objects[key] = [(v, content if v == named else old) for v, old in here.objects[key]]
            return httpx.Response(200, headers={"x-amz-version-id": named})
        return httpx.Response(200, headers={"x-amz-version-id": str(self.stored(here, key, request.read()))})

    def left(self) -> dict[str, list[str]]:
        """Keys of all objects, by bucket."""
        return {name: sorted(bucket.objects) for name, bucket in self.buckets.items()}

    def stored(self, bucket: Bucket, key: str, content: bytes) -> str | None:
        """Keep an object; gives the version that it says it is."""
        version = f"v{next(self._numbers)}" if bucket.versioning == ENABLED else None
        older = [kept for kept in bucket.objects.get(key, []) if version and kept[0]]
        bucket.objects[key] = [*older, (version, content)]
        return version


class Session:
    """The client of one user; nobody's has no name."""

    def __init__(self, store: Buckets, name: str) -> None:
        self.store, self.name = store, name

    def _bucket(self, verb: str, name: str) -> Bucket:
        if code := self.store.refuses.get(verb):
            raise refusal(code)
        if not self.name and not self.store.public:
            raise refusal(self.store.anybody)
        if name not in self.store.buckets:
            raise refusal("NoSuchBucket")
        return self.store.buckets[name]

    def bucket_exists(self, bucket: str) -> bool:
        return bucket in self.store.buckets

    def get_bucket_versioning(self, bucket: str) -> VersioningConfig:
        status = self._bucket("look", bucket).versioning
        return VersioningConfig(status if status in (ENABLED, SUSPENDED) else None)

    def get_bucket_lifecycle(self, bucket: str) -> LifecycleConfig:
        rules = self._bucket("look", bucket).rules
        if not rules:
            raise refusal("NoSuchLifecycleConfiguration")
        return LifecycleConfig(rules)

    def put_object(self, bucket: str, key: str, data: io.BytesIO, length: int) -> SimpleNamespace:
        assert key.startswith(".checks/")
        return SimpleNamespace(version_id=self.store.stored(self._bucket("put", bucket), key, data.read(length)))

    def get_object(self, bucket: str, key: str, version_id: str | None = None) -> io.BytesIO:
        versions = self._bucket("get", bucket).objects.get(key, [])
        found = [content for version, content in versions if version_id in (None, version)]
        if not found:
            raise refusal("NoSuchVersion" if versions else "NoSuchKey")
        return io.BytesIO(self.store.reads(found[-1]))

    def get_presigned_url(self, method: str, bucket: str, key: str, version_id: str) -> str:
        assert method == "PUT"
        return f"{URL}/{bucket}/{key}?versionId={version_id}"

    def stat_object(self, bucket: str, key: str) -> None:
        if key not in self._bucket("get", bucket).objects:
            raise refusal("NoSuchKey")

    def list_objects(self, bucket: str, prefix: str, include_version: bool) -> Iterator[SimpleNamespace]:
        assert include_version
        for key, versions in self._bucket("list", bucket).objects.items():
            if key.startswith(prefix):
                yield from (SimpleNamespace(object_name=key, version_id=version) for version, _ in versions)

    def remove_objects(self, bucket: str, doomed: Iterable[DeleteObject]) -> Iterator[str]:
        """Like Minio's own: nothing happens before its errors are read."""
        objects = self.store.buckets[bucket].objects
        for item in doomed:
            if code := self.store.refuses.get("remove"):
                yield f"{item.name}: {code}"
                continue
            left = [kept for kept in objects.pop(item.name, []) if kept[0] != item.version_id]
            objects.update({item.name: left} if left else {})


class Place:
    """A platform with that store.

    Args:
        stack: says which buckets are claimed; a check that asks is given it.
    """

    def __init__(self, stack: Stack | None = None) -> None:
        self._stack = stack

    @property
    def stack(self) -> Stack:
        assert self._stack is not None
        return self._stack

    def address(self, component: str, endpoint: str) -> Address:
        assert (component in ("s3", "vault"), endpoint) == (True, "http")
        return Address("store.test", 1, URL)

    def credentials(self, holder: str) -> Mapping[str, str]:
        # The root key is none of its business.
        assert holder == "checks"
        return dict.fromkeys(("s3_access_key", "vault_access_key"), "checks") | (
            dict.fromkeys(("s3_secret_key", "vault_secret_key"), KEY)
        )


def use(monkeypatch: pytest.MonkeyPatch, *names: str) -> Buckets:
    """A store with buckets of these names, for the checks to find."""
    made = Buckets(*names)
    monkeypatch.setattr("data_platform.clients.s3.client", made.open)
    monkeypatch.setattr(
        "data_platform.clients.http.client", lambda *_: httpx.Client(transport=httpx.MockTransport(made.put))
    )
    return made
