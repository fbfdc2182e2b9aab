"""The object store, by S3 alone: any store that speaks it can take MinIO's place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.commonconfig import ENABLED, Filter
from minio.error import S3Error
from minio.lifecycleconfig import Expiration, LifecycleConfig, NoncurrentVersionExpiration, Rule
from minio.versioningconfig import SUSPENDED, VersioningConfig

from data_platform.stack.lake import REGION

_RULE = "data-platform"
_SECONDS = 10.0
#: Days that stand for "no lifecycle rule".
NEVER = 10**6
_NOT_THERE = ("NoSuchKey", "NoSuchBucket")
_CHUNK = 2**16


def client(url: str, access_key: str, secret_key: str, seconds: float = _SECONDS, ca: str | None = None) -> Minio:
    """A client of the store at a URL; empty keys for an anonymous one.

    Args:
        url: such as http://127.0.0.1:9000.
        access_key: name of the key.
        secret_key: the key.
        seconds: deadline of one request.
        ca: file with certificates of the authorities that are trusted; None for those of the system.
    """
    parts = urlsplit(url)
    pool = urllib3.PoolManager(
        timeout=urllib3.Timeout(seconds), retries=urllib3.Retry(total=1, backoff_factor=0.2), ca_certs=ca
    )
    return Minio(
        parts.netloc,
        access_key=access_key or None,
        secret_key=secret_key or None,
        secure=parts.scheme == "https",
        region=REGION,
        http_client=pool,
    )


class Settings(NamedTuple):
    """How a bucket is set.

    Attributes:
        versioned: what is overwritten or removed is kept.
        expire_noncurrent_days: old versions are removed after this many days.
        expire_days: folders (as `signs/`) whose objects are removed after this many days, old versions a day later.
    """

    versioned: bool
    expire_noncurrent_days: int
    expire_days: Mapping[str, int]


@dataclass(frozen=True)
class Stream:
    """An object whose content is read piece by piece. `chunks` or `close` must be called."""

    etag: str
    size: int
    _answer: urllib3.BaseHTTPResponse

    def chunks(self) -> Iterator[bytes]:
        """The content; the connection is given back at its end, however that comes."""
        try:
            yield from self._answer.stream(_CHUNK)
        finally:
            self.close()

    def close(self) -> None:
        """Give the connection back."""
        self._answer.close()
        self._answer.release_conn()


def stream(store: Minio, bucket: str, key: str) -> Stream | None:
    """An object to be read piece by piece; None where there is none."""
    try:
        answer = store.get_object(bucket, key)
    except S3Error as error:
        if error.code in _NOT_THERE:
            return None
        raise
    return Stream(answer.headers["ETag"].strip('"'), int(answer.headers["Content-Length"]), answer)


def read(store: Minio, bucket: str, key: str) -> bytes | None:
    """Content of an object; None where there is none."""
    found = stream(store, bucket, key)
    return None if found is None else b"".join(found.chunks())


def there(store: Minio, bucket: str, key: str) -> bool:
    """Whether there is an object of this key."""
    try:
        store.stat_object(bucket, key)
    except S3Error as error:
        if error.code in _NOT_THERE:
            return False
        raise
    return True


def read_bucket(store: Minio, name: str) -> Settings | None:
    """The bucket's settings as declared ones; None where there is no such bucket.

    A bucket without our lifecycle rule is shown with the longest times, so that it differs from every declaration;
    so is one whose rule somebody has switched off, or narrowed to a part of the bucket. Folders whose objects are
    removed are those with a rule of ours. Rules of others are not looked at.
    """
    if not store.bucket_exists(name):
        return None
    versioned = store.get_bucket_versioning(name).status == ENABLED
    rules = [rule for rule in _rules(store, name) if rule.status == ENABLED]
    noncurrent = NEVER
    for rule in rules:
        expiry = rule.noncurrent_version_expiration if rule.rule_id == _RULE and not _folder(rule) else None
        if expiry and expiry.noncurrent_days:
            noncurrent = int(expiry.noncurrent_days)
    current = {
        folder: int(rule.expiration.days)
        for rule in rules
        if (folder := _folder(rule)) and rule.rule_id == _rule_of(folder) and rule.expiration and rule.expiration.days
    }
    return Settings(versioned, noncurrent, current)


def _rules(store: Minio, name: str) -> list[Rule]:
    try:
        lifecycle = store.get_bucket_lifecycle(name)
    except S3Error as error:
        if error.code != "NoSuchLifecycleConfiguration":
            raise
        return []
    return list(lifecycle.rules) if lifecycle else []


def _folder(rule: Rule) -> str:
    """The folder for which a rule is; empty when it is for the whole bucket."""
    return (rule.rule_filter.prefix or "") if rule.rule_filter else ""


def _rule_of(folder: str) -> str:
    return f"{_RULE}: {folder}"


def _is_ours(rule: Rule) -> bool:
    return rule.rule_id == _RULE or str(rule.rule_id).startswith(f"{_RULE}: ")


def ensure_bucket(store: Minio, name: str, wanted: Settings) -> None:
    """Make the bucket where it is missing, set versioning and our rules. Objects and others' rules are left alone."""
    if not store.bucket_exists(name):
        store.make_bucket(name, REGION)
    status = store.get_bucket_versioning(name).status
    if wanted.versioned:
        store.set_bucket_versioning(name, VersioningConfig(ENABLED))
    elif status == ENABLED:
        # A bucket that was never versioned stays so; one that was can only be suspended. Old versions stay.
        store.set_bucket_versioning(name, VersioningConfig(SUSPENDED))
    rules = [
        Rule(
            ENABLED,
            rule_filter=Filter(prefix=""),
            rule_id=_RULE,
            noncurrent_version_expiration=NoncurrentVersionExpiration(noncurrent_days=wanted.expire_noncurrent_days),
        )
    ]
    rules += [
        Rule(
            ENABLED,
            rule_filter=Filter(prefix=folder),
            rule_id=_rule_of(folder),
            expiration=Expiration(days=days),
            noncurrent_version_expiration=NoncurrentVersionExpiration(noncurrent_days=1),
        )
        for folder, days in wanted.expire_days.items()
    ]
    others = [rule for rule in _rules(store, name) if not _is_ours(rule)]
    store.set_bucket_lifecycle(name, LifecycleConfig([*rules, *others]))
