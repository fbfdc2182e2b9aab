"""Buckets are made where they are missing, set as claimed, and never removed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import urllib3
from minio.commonconfig import DISABLED
from minio.error import S3Error
from minio.versioningconfig import SUSPENDED, VersioningConfig

from data_platform.claims.bucket import Bucket
from data_platform.clients import s3
from data_platform.targets.local.target import LocalTarget
from tests.unit.claims import conftest
from tests.unit.claims.conftest import again
from tests.unit.clients.fake_object_store import FakeBuckets, refusal

if TYPE_CHECKING:
    from tests.conftest import Tiny

STORE, KIND = "minio", "bucket"
BUCKETS = ("results", "raw")


class Store(FakeBuckets):
    """A store that notes with which key it was opened."""

    def open(self, url: str, access_key: str, secret_key: str, seconds: float = 1) -> Store:
        """In the place of `s3.client`."""
        assert seconds > 0
        self.opened = url, access_key, secret_key
        return self


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store without a bucket."""
    made = Store()
    monkeypatch.setattr(s3, "client", made.open)
    return made


def said(place: LocalTarget) -> list[str]:
    return conftest.said(place, STORE, KIND)


def carry_out(place: LocalTarget) -> None:
    conftest.carry_out(place, STORE, KIND)


def test_buckets_of_components_and_identities_are_made_as_claimed_by_the_stores_own_key(
    place: LocalTarget, store: Store
) -> None:
    assert said(place) == [f"make bucket {name}: it is not there" for name in BUCKETS]
    carry_out(place)
    found = {name: s3.read_bucket(store, name) for name in store.versioning}  # type: ignore[arg-type]
    assert found == dict.fromkeys(BUCKETS, s3.Settings(True, 7, {}))
    own = place.credentials(STORE)
    assert store.opened == (place.address(STORE, "http").url, own["access_key"], own["secret_key"])
    assert said(place) == []


def test_settings_that_somebody_changed_are_changed_back(place: LocalTarget, store: Store) -> None:
    carry_out(place)
    store.versioning["raw"] = VersioningConfig(SUSPENDED)
    assert said(place) == ["change bucket raw: its definition changed"]
    carry_out(place)
    (rule,) = store.rules["results"]
    store.rules["results"] = [replace(rule, status=DISABLED)]
    assert said(place) == ["change bucket results: its definition changed"]
    carry_out(place)
    assert said(place) == []


def test_a_claim_that_says_otherwise_than_before_changes_the_bucket(
    tiny: Tiny, place: LocalTarget, store: Store
) -> None:
    carry_out(place)
    other = {"expire_noncurrent_days": 3, "expire_days": {"signs/": 2}}
    tiny.edit(tiny.component("reader"), lambda c: c["claims"][1].update(other))
    changed = again(place)
    assert said(changed) == ["change bucket results: its definition changed"]
    carry_out(changed)
    assert s3.read_bucket(store, "results") == s3.Settings(True, 3, {"signs/": 2})  # type: ignore[arg-type]
    assert said(changed) == []


def test_a_bucket_that_is_to_be_without_versions_is_so_and_needs_nothing_then(
    tiny: Tiny, place: LocalTarget, store: Store
) -> None:
    carry_out(place)
    tiny.edit(tiny.component("reader"), lambda c: c["claims"][1].update(versioned=False))
    changed = again(place)
    assert said(changed) == ["change bucket results: its definition changed"]
    carry_out(changed)
    assert store.versioning["results"].status == SUSPENDED
    assert said(changed) == []
    del store.versioning["results"]
    carry_out(changed)
    assert store.versioning["results"].status is None
    assert said(changed) == []


def test_a_bucket_that_nobody_claims_any_more_stays(tiny: Tiny, place: LocalTarget, store: Store) -> None:
    carry_out(place)

    def without(content: dict[str, list[dict[str, object]]]) -> None:
        content["claims"] = [{"kind": "s3_user", "buckets": {"raw": "read"}}]

    tiny.edit(tiny.component("reader"), without)
    checks = {"kind": "s3_user", "buckets": {"raw": "write"}}
    tiny.edit(tiny.stack_file, lambda c: c["identities"]["checks"].update(claims=[checks]))
    assert said(again(place)) == []
    assert set(store.versioning) == set(BUCKETS)


@pytest.mark.parametrize(
    "away",
    [ConnectionRefusedError(), urllib3.exceptions.MaxRetryError(None, "/"), refusal("ServiceUnavailable")],  # type: ignore[arg-type]
    ids=["refused", "no connection", "not ready"],
)
def test_a_bucket_is_missing_only_where_its_server_answers(
    place: LocalTarget, store: Store, away: Exception | S3Error
) -> None:
    store.down = away
    assert said(place) == [f"make bucket {name}: the object store does not answer" for name in BUCKETS]


@pytest.mark.parametrize("given", [{"": 3}, {"fx_rates": 3}, {"signs/": 0}])
def test_a_folder_ends_with_a_slash_and_stays_for_a_day_at_least(given: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="expire_days"):
        Bucket(kind="bucket", name="raw", expire_days=given)


def test_its_definition_is_how_the_store_is_read() -> None:
    claim = Bucket(kind="bucket", name="raw", versioned=False, expire_noncurrent_days=3, expire_days={"a/": 1})
    assert claim.definition("anybody") == s3.Settings(False, 3, {"a/": 1})._asdict()
    assert claim.made("anybody") == "raw"
