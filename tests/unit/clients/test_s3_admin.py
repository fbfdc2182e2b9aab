"""Users and policies of the object store: exactly what a claim says, and only what is ours."""

from __future__ import annotations

import copy
from typing import Any, cast

import pytest
from minio import MinioAdmin
from minio.error import MinioAdminException

from data_platform.clients import s3_admin
from data_platform.clients.s3_admin import PREFIX, User, ensure_user, policies, policy_of, remove_user, users
from tests.unit.clients.fake_object_store import FakeAdmin

KEY = "k" * 64


@pytest.fixture
def fake() -> FakeAdmin:
    return FakeAdmin()


@pytest.fixture
def admin(fake: FakeAdmin) -> MinioAdmin:
    return cast("MinioAdmin", fake)


def test_a_policy_allows_the_verbs_of_its_claim_in_those_buckets_and_nothing_else() -> None:
    look = [
        "s3:GetBucketLocation",
        "s3:GetBucketVersioning",
        "s3:GetLifecycleConfiguration",
        "s3:ListBucket",
        "s3:ListBucketMultipartUploads",
        "s3:ListBucketVersions",
    ]
    read = ["s3:GetObject", "s3:GetObjectTagging", "s3:GetObjectVersion"]
    add = ["s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:PutObject", "s3:PutObjectTagging"]
    delete = ["s3:DeleteObject", "s3:DeleteObjectVersion"]

    def allow(actions: list[str], resource: str) -> dict[str, Any]:
        return {"Effect": "Allow", "Action": sorted(actions), "Resource": [f"arn:aws:s3:::{resource}"]}

    def no_put_over_a_version(bucket: str) -> dict[str, Any]:
        named = {"StringLike": {"s3:versionid": ["?*"]}}
        return allow(["s3:PutObject"], f"{bucket}/*") | {"Effect": "Deny", "Condition": named}

    assert policy_of({"raw": "read", "lakehouse": "write", "reports": "add"}) == {
        "Version": "2012-10-17",
        "Statement": [
            allow(look, "lakehouse"),
            allow([*read, *add, *delete], "lakehouse/*"),
            no_put_over_a_version("lakehouse"),
            allow(look, "raw"),
            allow(read, "raw/*"),
            allow(look, "reports"),
            allow([*read, *add], "reports/*"),
            no_put_over_a_version("reports"),
        ],
    }


def test_the_order_in_which_buckets_are_claimed_changes_nothing() -> None:
    assert policy_of({"raw": "read", "lakehouse": "write"}) == policy_of({"lakehouse": "write", "raw": "read"})


def as_minio_gives_it_back(policy: dict[str, Any]) -> dict[str, Any]:
    """Other orders, and a single word without its list, as servers may write a document."""
    statements = [
        {"Resource": s["Resource"][0], "Effect": s["Effect"], "Action": list(reversed(s["Action"]))}
        | ({"Condition": {"StringLike": {"s3:versionid": "?*"}}} if "Condition" in s else {})
        for s in reversed(policy["Statement"])
    ]
    return {"Statement": statements, "Version": policy["Version"]}


def test_a_policy_that_was_read_back_equals_the_one_that_was_written(admin: MinioAdmin, fake: FakeAdmin) -> None:
    written = policy_of({"raw": "read", "lakehouse": "write"})
    fake.policies = {f"{PREFIX}spark": as_minio_gives_it_back(written), "readwrite": {"Statement": []}}
    assert policies(admin) == {f"{PREFIX}spark": written}


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p["Statement"][0]["Action"].append("s3:*"),
        lambda p: p["Statement"][0].update(Resource=["arn:aws:s3:::*"]),
        lambda p: p["Statement"][0].update(Effect="Deny"),
        lambda p: p["Statement"].pop(),
        lambda p: p["Statement"][2].pop("Condition"),
        lambda p: p["Statement"][2]["Condition"]["StringLike"].update({"s3:versionid": ["x"]}),
        lambda p: p["Statement"].append({"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]}),
    ],
)
def test_any_other_policy_is_seen_to_differ(admin: MinioAdmin, fake: FakeAdmin, change: Any) -> None:
    other = copy.deepcopy(policy_of({"raw": "add"}))
    change(other)
    fake.policies[f"{PREFIX}spark"] = other
    assert policies(admin)[f"{PREFIX}spark"] != policy_of({"raw": "add"})


def test_a_user_is_made_with_its_key_and_this_one_policy_and_may_be_made_again(
    admin: MinioAdmin, fake: FakeAdmin
) -> None:
    for key, buckets in ((KEY, {"raw": "read"}), ("l" * 64, {"raw": "write"})):
        ensure_user(admin, "spark", key, buckets)  # type: ignore[arg-type]
        assert users(admin) == {"spark": User(True, f"{PREFIX}spark")}
        assert policies(admin) == {f"{PREFIX}spark": policy_of(buckets)}  # type: ignore[arg-type]
        assert fake.keys == {"spark": key}


def test_users_that_others_have_made_are_not_ours(admin: MinioAdmin, fake: FakeAdmin) -> None:
    ensure_user(admin, "spark", KEY, {"raw": "read"})
    fake.users |= {"guest": {"status": "enabled", "policyName": "readonly"}, "new": {"status": "enabled"}}
    fake.users["spark"]["status"] = "disabled"
    assert users(admin) == {"spark": User(False, f"{PREFIX}spark")}


def test_a_user_is_removed_with_its_policy_and_removing_it_again_is_no_error(
    admin: MinioAdmin, fake: FakeAdmin
) -> None:
    ensure_user(admin, "spark", KEY, {"raw": "read"})
    ensure_user(admin, "trino", KEY, {"raw": "read"})
    for _ in range(2):
        remove_user(admin, "spark")
        assert (list(fake.users), list(fake.policies)) == (["trino"], [f"{PREFIX}trino"])


def test_a_removal_that_the_store_refuses_is_an_error(admin: MinioAdmin, fake: FakeAdmin) -> None:
    ensure_user(admin, "spark", KEY, {"raw": "read"})
    fake.down = MinioAdminException("403", "XMinioAccessDenied")
    with pytest.raises(MinioAdminException, match="AccessDenied"):
        remove_user(admin, "spark")


def test_a_client_knows_the_server_and_whether_it_is_spoken_to_privately() -> None:
    for url, secure in (("http://127.0.0.1:9000", False), ("https://store.example:9000", True)):
        made = s3_admin.client(url, "root", KEY)
        assert made._url.netloc == url.partition("//")[2]
        assert made._url.scheme == ("https" if secure else "http")
