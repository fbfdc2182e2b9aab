"""The check `s3_versions`: what is overwritten can be brought back."""

from __future__ import annotations

from typing import Any

import pytest
from minio.error import S3Error

from data_platform.checks.base import CheckFailed, Deadline
from data_platform.checks.s3_versions import Params, check
from tests.unit.checks.fake_buckets import Bucket, Buckets, Place, use


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


def test_a_store_that_keeps_the_old_version_passes_and_nothing_is_left(store: Buckets) -> None:
    assert run() == (
        "2 versions in raw, the first one read back after it was overwritten,"
        " and after somebody tried to put over it (403)"
    )
    assert only_of_others(store)


def test_a_store_that_makes_another_version_of_it_passes_and_nothing_is_left(store: Buckets) -> None:
    store.over = "added"
    assert run().endswith("(200)")
    assert only_of_others(store)


def test_a_store_that_puts_over_a_version_by_its_id_fails_and_nothing_is_left(store: Buckets) -> None:
    store.over = "replaced"
    with pytest.raises(CheckFailed, match=r"^the first version holds b'over'$"):
        run()
    assert only_of_others(store)


def test_a_bucket_that_keeps_no_versions_fails_and_nothing_is_left(store: Buckets) -> None:
    store.buckets["raw"].versioning = ""
    with pytest.raises(CheckFailed, match=r"^bucket raw keeps no versions$"):
        run()
    assert only_of_others(store)


def one_version_for_all(store: Buckets, bucket: Bucket, key: str, content: bytes) -> str:
    """As a bucket whose versioning is suspended: the newest takes the place of the others."""
    del store
    bucket.objects[key] = [("null", content)]
    return "null"


def the_newest_alone(store: Buckets, bucket: Bucket, key: str, content: bytes) -> str | None:
    """Gives each a version and keeps the last."""
    version = Buckets.stored(store, bucket, key, content)
    del bucket.objects[key][:-1]
    return version


def the_newest_for_each(store: Buckets, bucket: Bucket, key: str, content: bytes) -> str | None:
    """Keeps all versions, with the last content in each."""
    version = Buckets.stored(store, bucket, key, content)
    bucket.objects[key] = [(known, content) for known, _ in bucket.objects[key]]
    return version


@pytest.mark.parametrize(
    ("stores", "error", "said"),
    [
        (one_version_for_all, CheckFailed, r"^the first version holds b'second'$"),
        (the_newest_alone, S3Error, "NoSuchVersion"),
        (the_newest_for_each, CheckFailed, r"^the first version holds b'second'$"),
    ],
)
def test_a_store_that_loses_the_old_version_fails_and_nothing_is_left(
    store: Buckets, monkeypatch: pytest.MonkeyPatch, stores: Any, error: type[Exception], said: str
) -> None:
    monkeypatch.setattr(store, "stored", lambda *of: stores(store, *of))
    with pytest.raises(error, match=said):
        run()
    assert only_of_others(store)


def test_versions_that_stay_fail(store: Buckets) -> None:
    store.refuses["remove"] = "AccessDenied"
    with pytest.raises(CheckFailed, match=r"^could not be removed again: \['.*', '.*'\]$"):
        run()


@pytest.mark.parametrize("verb", ["put", "get"])
def test_a_store_that_refuses_our_own_key_fails(store: Buckets, verb: str) -> None:
    store.refuses[verb] = "InvalidAccessKeyId"
    with pytest.raises(S3Error, match="InvalidAccessKeyId"):
        run()
    assert only_of_others(store)
