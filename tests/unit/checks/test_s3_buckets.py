"""The check `s3_buckets`: a bucket that is not as it was claimed is named, whoever claimed it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from minio.error import S3Error

from data_platform.checks.base import CheckFailed, Deadline
from data_platform.checks.s3_buckets import Params, check
from data_platform.stack.load import load_stack
from tests.unit.checks.fake_buckets import Bucket, Buckets, Place, rule, use

if TYPE_CHECKING:
    from tests.conftest import Tiny

Run = Callable[..., str]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Buckets:
    """A store with three buckets that are right; two of them are claimed."""
    return use(monkeypatch, "raw", "results", "of-somebody-else")


@pytest.fixture
def run(tiny: Tiny) -> Run:
    """Runs the check on what the files of the small stack say at that moment."""

    def checked(**params: str) -> str:
        place: Any = Place(load_stack(tiny.root))
        return check(Params(**params), place, Deadline(5))

    return checked


def test_buckets_that_are_right_pass_with_what_is_kept_how_long(run: Run, store: Buckets) -> None:
    store.buckets["results"].rules = [rule("of-somebody-else", days=1), rule()]
    assert run() == "results: versioned, old versions 7 days; raw: versioned, old versions 7 days"


def test_a_bucket_that_is_missing_is_named(run: Run, store: Buckets) -> None:
    del store.buckets["raw"]
    with pytest.raises(CheckFailed, match=r"^missing: raw$"):
        run()
    del store.buckets["results"]
    with pytest.raises(CheckFailed, match=r"^missing: results, raw$"):
        run()


@pytest.mark.parametrize("status", ["", "Suspended"])
def test_a_bucket_without_versioning_is_named(run: Run, store: Buckets, status: str) -> None:
    store.buckets["results"].versioning = status
    with pytest.raises(CheckFailed, match=r"^set otherwise than claimed: results: Settings\(versioned=False, "):
        run()


@pytest.mark.parametrize(
    "rules",
    [[], [rule("of-somebody-else")], [rule(days=None)], [rule(status="Disabled")], [rule(prefix="a/")]],
    ids=["no rule", "of somebody else", "spares old versions", "switched off", "for a part of the bucket"],
)
def test_a_bucket_without_its_lifecycle_rule_is_named(run: Run, store: Buckets, rules: list[Any]) -> None:
    store.buckets["raw"].rules = rules
    with pytest.raises(CheckFailed, match=r"^set otherwise than claimed: raw: Settings\(versioned=True, "):
        run()


def test_all_buckets_that_are_wrong_are_named_at_once(run: Run, store: Buckets) -> None:
    store.buckets["raw"].rules = []
    store.buckets["results"].versioning = ""
    with pytest.raises(CheckFailed, match=r": results: .*, raw: "):
        run()


def test_a_bucket_of_others_may_be_as_it_is(run: Run, store: Buckets) -> None:
    other = store.buckets["of-somebody-else"] = Bucket()
    other.versioning, other.rules = "", []
    assert run().startswith("results: versioned")


def test_a_store_that_does_not_tell_has_not_passed(run: Run, store: Buckets) -> None:
    store.refuses["look"] = "AccessDenied"
    with pytest.raises(S3Error, match="AccessDenied"):
        run()


def test_a_bucket_that_keeps_old_versions_for_another_time_than_claimed_is_named(run: Run, store: Buckets) -> None:
    store.buckets["raw"].rules = [rule(days=30)]
    with pytest.raises(CheckFailed, match=r"^set otherwise than claimed: raw: .*expire_noncurrent_days=30"):
        run()


def test_a_bucket_that_is_claimed_without_versions_must_have_none(run: Run, store: Buckets, tiny: Tiny) -> None:
    tiny.edit(tiny.component("reader"), lambda c: c["claims"][1].update(versioned=False))
    with pytest.raises(CheckFailed, match=r"^set otherwise than claimed: results: "):
        run()
    store.buckets["results"].versioning = "Suspended"
    assert run().startswith("results: not versioned, old versions 7 days; raw: versioned")


def test_where_nobody_claims_a_bucket_the_check_has_not_passed(run: Run, store: Buckets, tiny: Tiny) -> None:
    del store
    tiny.edit(tiny.component("reader"), lambda c: c.update(claims=c["claims"][:1]))
    tiny.edit(tiny.stack_file, lambda c: c["identities"]["checks"].pop("claims"))
    tiny.edit(tiny.stack_file, lambda c: c["identities"]["pipelines"].pop("claims"))
    with pytest.raises(CheckFailed, match="nobody has claimed a bucket"):
        run()


def test_buckets_of_another_store_are_looked_for_there_alone(run: Run, store: Buckets, tiny: Tiny) -> None:
    tiny.second_store()
    store.buckets["saved"] = Bucket()
    store.buckets["saved"].rules = [rule(days=30)]
    assert run(of="vault") == "saved: versioned, old versions 30 days"
    del store.buckets["saved"]
    with pytest.raises(CheckFailed, match=r"^missing: saved$"):
        run(of="vault")
    assert run().startswith("results: versioned")
