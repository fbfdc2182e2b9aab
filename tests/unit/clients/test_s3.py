"""Settings of a bucket: what is declared is set, and what somebody else has set is no setting of ours."""

from __future__ import annotations

from typing import Any

import pytest
from minio.commonconfig import DISABLED, ENABLED, Filter
from minio.lifecycleconfig import Expiration, NoncurrentVersionExpiration, Rule
from minio.versioningconfig import SUSPENDED

from data_platform.clients import s3
from data_platform.clients.s3 import Settings
from tests.unit.clients.fake_object_store import FakeBuckets

PLAIN = Settings(True, 7, {})
SIGNS = PLAIN._replace(expire_days={"signs/": 3, "more/signs/": 1})
UNVERSIONED = PLAIN._replace(versioned=False)


@pytest.fixture
def store() -> Any:
    return FakeBuckets()


@pytest.mark.parametrize("wanted", [PLAIN, SIGNS, UNVERSIONED])
def test_what_is_declared_is_read_back(store: Any, wanted: Settings) -> None:
    assert s3.read_bucket(store, "raw") is None
    s3.ensure_bucket(store, "raw", wanted)
    assert s3.read_bucket(store, "raw") == wanted


def test_what_is_not_declared_any_more_is_taken_back(store: Any) -> None:
    s3.ensure_bucket(store, "raw", SIGNS)
    s3.ensure_bucket(store, "raw", PLAIN)
    assert s3.read_bucket(store, "raw") == PLAIN


def test_a_folder_is_all_that_its_rule_removes(store: Any) -> None:
    s3.ensure_bucket(store, "raw", SIGNS)
    removing = {rule.rule_filter.prefix: rule.expiration.days for rule in store.rules["raw"] if rule.expiration}
    assert removing == SIGNS.expire_days


def test_old_versions_of_a_folder_do_not_stay_as_long_as_those_of_the_bucket(store: Any) -> None:
    s3.ensure_bucket(store, "raw", SIGNS)
    old = {rule.rule_filter.prefix: rule.noncurrent_version_expiration.noncurrent_days for rule in store.rules["raw"]}
    assert old == {"": 7, "signs/": 1, "more/signs/": 1}


def of(name: str, folder: str, status: str = ENABLED) -> Rule:
    return Rule(status, rule_filter=Filter(prefix=folder), rule_id=name, expiration=Expiration(days=3))


@pytest.mark.parametrize(
    "rule",
    [of("of others", "signs/"), of("data-platform: signs/", "signs/", DISABLED), of("data-platform: signs/", "")],
    ids=["of others", "switched off", "widened"],
)
def test_a_rule_that_is_not_as_we_make_it_is_none_of_ours(store: Any, rule: Rule) -> None:
    s3.ensure_bucket(store, "raw", PLAIN)
    store.rules["raw"].append(rule)
    assert s3.read_bucket(store, "raw") == PLAIN


def test_rules_of_others_are_kept_whatever_is_declared(store: Any) -> None:
    tiering = of("of others", "signs/")
    whole = Rule(
        ENABLED,
        rule_filter=Filter(prefix=""),
        rule_id="of others too",
        noncurrent_version_expiration=NoncurrentVersionExpiration(noncurrent_days=1),
    )
    store.make_bucket("raw")
    store.rules["raw"] = [tiering, whole]
    for wanted in (SIGNS, PLAIN):
        s3.ensure_bucket(store, "raw", wanted)
        assert [rule for rule in store.rules["raw"] if rule in (tiering, whole)] == [tiering, whole]
        assert s3.read_bucket(store, "raw") == wanted


def test_a_rule_of_ours_that_somebody_changed_is_replaced_and_not_kept_beside(store: Any) -> None:
    s3.ensure_bucket(store, "raw", SIGNS)
    count = len(store.rules["raw"])
    store.rules["raw"] = [of(rule.rule_id, "elsewhere/") for rule in store.rules["raw"]]
    s3.ensure_bucket(store, "raw", SIGNS)
    assert len(store.rules["raw"]) == count
    assert s3.read_bucket(store, "raw") == SIGNS


def test_versions_that_are_not_declared_any_more_are_suspended_and_seen_as_such(store: Any) -> None:
    s3.ensure_bucket(store, "raw", PLAIN)
    s3.ensure_bucket(store, "raw", UNVERSIONED)
    assert store.versioning["raw"].status == SUSPENDED
    assert s3.read_bucket(store, "raw") == UNVERSIONED
    s3.ensure_bucket(store, "raw", UNVERSIONED)
    assert store.versioning["raw"].status == SUSPENDED
    s3.ensure_bucket(store, "raw", PLAIN)
    assert s3.read_bucket(store, "raw") == PLAIN


def test_a_bucket_that_never_had_versions_is_not_suspended(store: Any) -> None:
    s3.ensure_bucket(store, "raw", UNVERSIONED)
    assert store.versioning["raw"].status is None
