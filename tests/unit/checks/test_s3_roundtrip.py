"""The check `s3_roundtrip`: what was stored comes back, nobody reads it without a key, and it is removed."""

from __future__ import annotations

from typing import Any

import pytest
from minio.error import S3Error

from data_platform.checks.base import CheckFailed, Deadline
from data_platform.checks.s3_roundtrip import Params, check
from tests.unit.checks.fake_buckets import Buckets, Place, use


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Buckets:
    """A store that is right, with an object of somebody else."""
    made = use(monkeypatch, "raw")
    made.stored(made.buckets["raw"], "fx_rates/1.csv", b"stays")
    return made


def run() -> str:
    place: Any = Place()
    return check(Params(bucket="raw"), place, Deadline(5))


def only_of_others(store: Buckets) -> bool:
    return store.left() == {"raw": ["fx_rates/1.csv"]}


@pytest.mark.parametrize("versioning", ["Enabled", ""])
def test_a_store_that_is_right_passes_and_nothing_is_left(store: Buckets, versioning: str) -> None:
    store.buckets["raw"].versioning = versioning
    assert run() == "1048576 bytes stored in raw, read back equal, refused without a key, removed"
    assert only_of_others(store)


@pytest.mark.parametrize(
    "reads",
    [lambda content: content[:-1], lambda content: content[:-1] + b"\0\0", lambda _: b"", lambda c: c[::-1]],
    ids=["cut", "longer", "empty", "in another order"],
)
def test_an_object_that_comes_back_otherwise_fails_and_nothing_is_left(store: Buckets, reads: Any) -> None:
    store.reads = reads  # type: ignore[method-assign]
    with pytest.raises(CheckFailed, match=r"^raw/\.checks/[0-9a-f-]{36} came back different$"):
        run()
    assert only_of_others(store)


def test_a_store_that_anybody_can_read_fails_and_nothing_is_left(store: Buckets) -> None:
    store.public = True
    with pytest.raises(CheckFailed, match=r"^raw/\.checks/[0-9a-f-]{36} can be read without a key$"):
        run()
    assert only_of_others(store)


@pytest.mark.parametrize("code", ["NoSuchKey", "ServiceUnavailable"])
def test_nobody_without_a_key_was_refused_where_the_store_says_something_else(store: Buckets, code: str) -> None:
    store.anybody = code
    with pytest.raises(S3Error, match=code):
        run()
    assert only_of_others(store)


def test_an_object_that_stays_fails(store: Buckets) -> None:
    store.refuses["remove"] = "AccessDenied"
    with pytest.raises(CheckFailed, match=r"^could not be removed again: \['\.checks/.*: AccessDenied'\]$"):
        run()


@pytest.mark.parametrize("verb", ["put", "get"])
def test_a_store_that_refuses_our_own_key_fails(store: Buckets, verb: str) -> None:
    store.refuses[verb] = "InvalidAccessKeyId"
    with pytest.raises(S3Error, match="InvalidAccessKeyId"):
        run()
    assert only_of_others(store)


def test_a_bucket_that_is_missing_fails(store: Buckets) -> None:
    store.buckets.clear()
    with pytest.raises(S3Error, match="NoSuchBucket"):
        run()
