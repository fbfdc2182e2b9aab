"""Users of the object store: the plan of the store names every way in which one differs from what was claimed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import urllib3
from minio.error import MinioAdminException

from data_platform.claims.s3_user import S3User
from data_platform.clients.s3_admin import PREFIX, policy_of
from data_platform.stack.claim import CONFIGURATION
from data_platform.stack.holders import claimed
from data_platform.stack.plan import Step
from data_platform.targets.local.target import LocalTarget
from tests.unit.claims import conftest
from tests.unit.claims.conftest import again
from tests.unit.clients.fake_object_store import FakeAdmin

if TYPE_CHECKING:
    from tests.conftest import Tiny

USERS = ("reader", "pipelines", "checks")
STORE, KIND = "minio", "s3_user"


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> FakeAdmin:
    """A store that has nobody, in the place of the clients."""
    made = FakeAdmin()
    monkeypatch.setattr("data_platform.clients.s3_admin.client", made.connect)
    monkeypatch.setattr("data_platform.clients.s3.client", made.open)
    return made


def steps(place: LocalTarget) -> list[Step]:
    return conftest.steps(place, STORE, KIND)


def said(place: LocalTarget) -> list[str]:
    return conftest.said(place, STORE, KIND)


def carry_out(place: LocalTarget) -> None:
    conftest.carry_out(place, STORE, KIND)


def test_each_holder_gets_a_user_with_the_policy_of_its_claim_and_a_key_of_its_own(
    place: LocalTarget, store: FakeAdmin
) -> None:
    assert said(place) == [f"make s3_user {name}: it is not there" for name in USERS]
    carry_out(place)
    assert said(place) == []
    assert store.keys == {name: place.credentials(name)["s3_secret_key"] for name in USERS}
    assert len(set(store.keys.values())) == len(USERS)
    assert store.policies == {
        f"{PREFIX}reader": policy_of({"raw": "read", "results": "write"}),
        f"{PREFIX}pipelines": policy_of({"raw": "add"}),
        f"{PREFIX}checks": policy_of({"raw": "write", "results": "read"}),
    }


def test_the_root_key_is_for_making_users_alone(place: LocalTarget, store: FakeAdmin) -> None:
    carry_out(place)
    root = place.credentials(STORE)
    assert store.root == (root["access_key"], root["secret_key"])
    assert root["secret_key"] not in store.keys.values()


def test_a_policy_that_somebody_changed_is_changed_back(place: LocalTarget, store: FakeAdmin) -> None:
    carry_out(place)
    store.policies[f"{PREFIX}reader"] = policy_of({"raw": "write", "results": "write"})
    assert said(place) == ["change s3_user reader: its definition changed"]
    carry_out(place)
    assert store.policies[f"{PREFIX}reader"] == policy_of({"raw": "read", "results": "write"})
    assert said(place) == []


def test_a_policy_that_is_gone_and_another_one_that_was_attached_are_seen(place: LocalTarget, store: FakeAdmin) -> None:
    carry_out(place)
    del store.policies[f"{PREFIX}reader"]
    store.users["checks"]["policyName"] = f"{PREFIX}pipelines"
    assert [(step.verb, step.name) for step in steps(place)] == [
        ("change", "s3_user reader"),
        ("change", "s3_user checks"),
    ]
    carry_out(place)
    assert said(place) == []


def test_a_claim_that_says_more_than_before_changes_the_user(tiny: Tiny, place: LocalTarget, store: FakeAdmin) -> None:
    carry_out(place)
    tiny.edit(tiny.component("reader"), lambda c: c["claims"][2]["buckets"].update(raw="add"))
    changed = again(place)
    assert said(changed) == ["change s3_user reader: its definition changed"]
    carry_out(changed)
    assert store.policies[f"{PREFIX}reader"] == policy_of({"raw": "add", "results": "write"})


def test_a_key_that_is_not_the_holders_own_is_set_again(place: LocalTarget, store: FakeAdmin) -> None:
    carry_out(place)
    store.keys["reader"] = "somebody else's"
    assert said(place) == ["change s3_user reader: its key is refused (SignatureDoesNotMatch)"]
    carry_out(place)
    assert store.keys["reader"] == place.credentials("reader")["s3_secret_key"]


def test_a_key_that_was_given_another_value_reaches_the_store(place: LocalTarget, store: FakeAdmin) -> None:
    carry_out(place)
    following = place.stage("reader", "s3_secret_key")
    assert said(place) == []
    place.promote("reader", "s3_secret_key")
    assert said(place) == ["change s3_user reader: its key is refused (SignatureDoesNotMatch)"]
    carry_out(place)
    assert store.keys["reader"] == following
    assert said(place) == []


def test_a_disabled_user_is_enabled_again(place: LocalTarget, store: FakeAdmin) -> None:
    carry_out(place)
    store.users["reader"]["status"] = "disabled"
    assert said(place) == ["change s3_user reader: it is disabled"]
    carry_out(place)
    assert said(place) == []


def test_a_user_that_nobody_claims_any_more_is_revoked_and_those_of_others_stay(
    tiny: Tiny, place: LocalTarget, store: FakeAdmin
) -> None:
    carry_out(place)
    store.users["guest"] = {"status": "enabled", "policyName": "readonly"}
    tiny.edit(tiny.component("reader"), lambda c: c["claims"].pop(2))
    changed = again(place)
    assert said(changed) == ["revoke s3_user reader: the component does not declare it"]
    carry_out(changed)
    assert set(store.users) == {"pipelines", "checks", "guest"}
    assert f"{PREFIX}reader" not in store.policies
    assert said(changed) == []


@pytest.mark.parametrize(
    "away",
    [
        ConnectionRefusedError(),
        urllib3.exceptions.MaxRetryError(None, "/"),  # type: ignore[arg-type]
        MinioAdminException("503", "XMinioServerNotInitialized"),
    ],
    ids=["refused", "no connection", "not ready"],
)
def test_what_a_server_that_does_not_answer_has_made_is_not_said_to_be_gone(
    place: LocalTarget, store: FakeAdmin, away: Exception
) -> None:
    carry_out(place)
    store.down = away
    assert said(place) == [f"make s3_user {name}: the object store does not answer" for name in USERS]
    assert [step.verb for step in steps(place)] == ["make"] * len(USERS)
    store.down = None
    assert said(place) == []


def test_nothing_secret_is_in_what_a_plan_shows(place: LocalTarget, store: FakeAdmin) -> None:
    carry_out(place)
    store.keys["reader"] = "another"
    mine = claimed(place.stack, STORE, KIND)
    shown = repr([mine, S3User.observe(place, STORE, mine), steps(place)])
    assert "reader" in shown
    secrets = [place.credentials(name)["s3_secret_key"] for name in USERS]
    assert [secret for secret in (*secrets, place.credentials(STORE)["secret_key"]) if secret in shown] == []


def test_a_store_that_is_configured_is_told_name_key_and_buckets_of_a_user() -> None:
    claim = S3User(kind="s3_user", buckets={"raw": "read"})
    assert CONFIGURATION in S3User.ways
    assert S3User.listed_as == "S3_USERS"
    assert claim.entry("night-shift", {"s3_access_key": "night-shift", "s3_secret_key": "word", "other": "x"}) == {
        "name": "night-shift",
        "access_key": "night-shift",
        "secret_key": "word",
        "buckets": {"raw": "read"},
    }


def test_a_user_has_the_name_of_its_holder_and_is_about_its_buckets() -> None:
    claim = S3User(kind="s3_user", buckets={"raw": "read", "reports": "write"})
    assert claim.made("night-shift") == "night-shift"
    assert claim.fixed("night-shift") == {"s3_access_key": "night-shift"}
    assert claim.generated == ("s3_secret_key",)
    assert claim.about() == (("bucket", "raw"), ("bucket", "reports"))
    assert claim.definition("night-shift") == policy_of({"raw": "read", "reports": "write"})


def test_credentials_of_a_user_are_named_after_the_store() -> None:
    claim = S3User(kind="s3_user", of="the-vault", buckets={"saved": "read"})
    assert claim.provider == "the-vault"
    assert (claim.fixed("night-shift"), claim.generated) == (
        {"the_vault_access_key": "night-shift"},
        ("the_vault_secret_key",),
    )


def test_a_holder_has_a_user_with_a_key_of_its_own_in_each_store(
    place: LocalTarget, store: FakeAdmin, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.second_store()
    place, vault = again(place), FakeAdmin()
    stores = {place.address(STORE, "http").url: store, place.address("vault", "http").url: vault}
    for module, method in (("s3_admin", "connect"), ("s3", "open")):
        monkeypatch.setattr(
            f"data_platform.clients.{module}.client", lambda url, *rest, do=method: getattr(stores[url], do)(url, *rest)
        )
    carry_out(place)
    assert store.users.keys() == set(USERS)
    assert conftest.said(place, "vault", KIND) == ["make s3_user reader: it is not there"]
    conftest.carry_out(place, "vault", KIND)
    assert vault.root == ("platform", place.credentials("vault")["secret_key"])
    mine = place.credentials("reader")
    assert (store.keys["reader"], vault.keys) == (mine["s3_secret_key"], {"reader": mine["vault_secret_key"]})
    assert mine["s3_secret_key"] != mine["vault_secret_key"]
    assert vault.policies[PREFIX + "reader"] == policy_of({"saved": "write"})
    assert said(place) == conftest.said(place, "vault", KIND) == []
