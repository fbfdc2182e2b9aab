"""The check `s3_buckets`: a bucket that would lose old versions, or keep them for ever, is named."""

from __future__ import annotations

from typing import Any

import pytest
from minio.error import S3Error

from data_platform.checks.base import CheckFailed, Deadline
from data_platform.checks.s3_buckets import Params, check
from tests.unit.checks.fake_buckets import Bucket, Buckets, Place, rule, use


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Buckets:
    """A store with three buckets that are right; the platform declares two."""
    return use(monkeypatch, "raw", "reports", "of-somebody-else")


def run() -> str:
    place: Any = Place()
    return check(Params(buckets=("raw", "reports")), place, Deadline(5))


def test_buckets_that_are_right_pass_with_what_is_kept_how_long(store: Buckets) -> None:
    store.buckets["reports"].rules = [rule("of-somebody-else", days=1), rule(days=30)]
    assert run() == "raw: versioned, old versions 7 days; reports: versioned, old versions 30 days"


def test_a_bucket_that_is_missing_is_named(store: Buckets) -> None:
    del store.buckets["raw"]
    with pytest.raises(CheckFailed, match=r"^missing: raw$"):
        run()
    del store.buckets["reports"]
    with pytest.raises(CheckFailed, match=r"^missing: raw, reports$"):
        run()


@pytest.mark.parametrize("status", ["", "Suspended"])
def test_a_bucket_without_versioning_is_named(store: Buckets, status: str) -> None:
    store.buckets["reports"].versioning = status
    with pytest.raises(CheckFailed, match=r"^without versioning or lifecycle: reports$"):
        run()


@pytest.mark.parametrize(
    "rules",
    [[], [rule("of-somebody-else")], [rule(days=None)], [rule(status="Disabled")], [rule(prefix="a/")]],
    ids=["no rule", "of somebody else", "spares old versions", "switched off", "for a part of the bucket"],
)
def test_a_bucket_without_its_lifecycle_rule_is_named(store: Buckets, rules: list[Any]) -> None:
    store.buckets["raw"].rules = rules
    with pytest.raises(CheckFailed, match=r"^without versioning or lifecycle: raw$"):
        run()


def test_all_buckets_that_are_wrong_are_named_at_once(store: Buckets) -> None:
    store.buckets["raw"].rules = []
    store.buckets["reports"].versioning = ""
    with pytest.raises(CheckFailed, match=r": raw, reports$"):
        run()


def test_a_bucket_of_others_may_be_as_it_is(store: Buckets) -> None:
    other = store.buckets["of-somebody-else"] = Bucket()
    other.versioning, other.rules = "", []
    assert run().startswith("raw: versioned")


def test_a_store_that_does_not_tell_has_not_passed(store: Buckets) -> None:
    store.refuses["look"] = "AccessDenied"
    with pytest.raises(S3Error, match="AccessDenied"):
        run()


def test_a_check_that_names_no_bucket_is_refused() -> None:
    with pytest.raises(ValueError, match="buckets"):
        Params(buckets=())
