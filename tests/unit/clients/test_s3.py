"""Settings of a bucket: what is declared is set, and what somebody else has set is no setting of ours."""

from __future__ import annotations

from typing import Any

import pytest
from minio.commonconfig import DISABLED, ENABLED, Filter
from minio.lifecycleconfig import Expiration, LifecycleConfig, Rule
from minio.versioningconfig import VersioningConfig

from data_platform.clients import s3
from data_platform.stack.model import Bucket
from tests.unit.clients.fake_object_store import refusal

PLAIN = Bucket(expire_noncurrent_days=7)
SIGNS = Bucket(expire_noncurrent_days=7, expire_days={"signs/": 3, "more/signs/": 1})


class Store:
    """A store with room for one bucket."""

    def __init__(self) -> None:
        self.made = False
        self.versioning = VersioningConfig()
        self.rules: list[Rule] = []

    def bucket_exists(self, name: str) -> bool:
        assert name == "raw"
        return self.made

    def make_bucket(self, *_: str) -> None:
        self.made = True

    def set_bucket_versioning(self, _: str, versioning: VersioningConfig) -> None:
        self.versioning = versioning

    def get_bucket_versioning(self, _: str) -> VersioningConfig:
        return self.versioning

    def set_bucket_lifecycle(self, _: str, lifecycle: LifecycleConfig) -> None:
        self.rules = list(lifecycle.rules)

    def get_bucket_lifecycle(self, _: str) -> LifecycleConfig:
        if not self.rules:
            raise refusal("NoSuchLifecycleConfiguration")
        return LifecycleConfig(self.rules)


@pytest.fixture
def store() -> Any:
    return Store()


@pytest.mark.parametrize("wanted", [PLAIN, SIGNS])
def test_what_is_declared_is_read_back(store: Any, wanted: Bucket) -> None:
    assert s3.read_bucket(store, "raw") is None
    s3.ensure_bucket(store, "raw", wanted)
    assert s3.read_bucket(store, "raw") == wanted


def test_what_is_not_declared_any_more_is_taken_back(store: Any) -> None:
    s3.ensure_bucket(store, "raw", SIGNS)
    s3.ensure_bucket(store, "raw", PLAIN)
    assert s3.read_bucket(store, "raw") == PLAIN


def test_a_folder_is_all_that_its_rule_removes(store: Any) -> None:
    s3.ensure_bucket(store, "raw", SIGNS)
    removing = {rule.rule_filter.prefix: rule.expiration.days for rule in store.rules if rule.expiration}
    assert removing == SIGNS.expire_days


def test_old_versions_of_a_folder_do_not_stay_as_long_as_those_of_the_bucket(store: Any) -> None:
    s3.ensure_bucket(store, "raw", SIGNS)
    old = {rule.rule_filter.prefix: rule.noncurrent_version_expiration.noncurrent_days for rule in store.rules}
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
    store.rules.append(rule)
    assert s3.read_bucket(store, "raw") == PLAIN


@pytest.mark.parametrize("given", [{"": 3}, {"fx_rates": 3}, {"signs/": 0}])
def test_a_folder_ends_with_a_slash_and_stays_for_a_day_at_least(given: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="expire_days"):
        Bucket(expire_days=given)
