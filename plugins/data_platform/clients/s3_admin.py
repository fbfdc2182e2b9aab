"""Users and policies of MinIO, by its own administration API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

import urllib3
from minio import MinioAdmin
from minio.credentials.providers import StaticProvider
from minio.error import MinioAdminException

#: Begins the names of our policies, and so marks the users that are ours.
PREFIX = "data-platform-"
Verbs = Literal["read", "add", "write"]
Policy = dict[str, Any]

_SECONDS = 10.0
_READ_BUCKET = (
    "s3:GetBucketLocation",
    "s3:GetBucketVersioning",
    "s3:GetLifecycleConfiguration",
    "s3:ListBucket",
    "s3:ListBucketMultipartUploads",
    "s3:ListBucketVersions",
)
_READ = ("s3:GetObject", "s3:GetObjectTagging", "s3:GetObjectVersion")
_ADD = ("s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:PutObject", "s3:PutObjectTagging")
_DELETE = ("s3:DeleteObject", "s3:DeleteObjectVersion")
#: Verbs on objects, by the names of AWS' actions (Service Authorization Reference, Amazon S3).
_VERBS: dict[str, tuple[str, ...]] = {"read": _READ, "add": (*_READ, *_ADD), "write": (*_READ, *_ADD, *_DELETE)}
#: MinIO writes over the version whose id a PUT names (`?versionId=`), and over one that is locked too, for whoever may
#: put: seen with 2026-02-12. AWS takes no such parameter. The empty id is that of every other PUT.
_NO_OVERWRITING = {"StringLike": {"s3:versionid": ["?*"]}}


class User(NamedTuple):
    """A user as the store knows it: enabled or not, with the policy that is attached to it."""

    enabled: bool
    policy: str


def policy_of(buckets: Mapping[str, Verbs]) -> Policy:
    """The policy document of somebody who may do this in these buckets and nothing anywhere else.

    Nobody may put over a version that is there.
    """
    statements: list[Policy] = []
    for bucket, verbs in sorted(buckets.items()):
        statements += [
            {"Effect": "Allow", "Action": sorted(_READ_BUCKET), "Resource": [f"arn:aws:s3:::{bucket}"]},
            {"Effect": "Allow", "Action": sorted(_VERBS[verbs]), "Resource": [f"arn:aws:s3:::{bucket}/*"]},
        ]
        if verbs != "read":
            put: Policy = {"Effect": "Deny", "Action": ["s3:PutObject"], "Resource": [f"arn:aws:s3:::{bucket}/*"]}
            statements.append(put | {"Condition": _NO_OVERWRITING})
    return {"Version": "2012-10-17", "Statement": statements}


def client(url: str, access_key: str, secret_key: str, seconds: float = _SECONDS, ca: str | None = None) -> MinioAdmin:
    """A client of the administration API.

    Args:
        url: such as http://127.0.0.1:9000.
        access_key: name of the root key.
        secret_key: the root key.
        seconds: deadline of one request.
        ca: file with certificates of the authorities that are trusted; None for those of the system.
    """
    parts = urlsplit(url)
    pool = urllib3.PoolManager(
        timeout=urllib3.Timeout(seconds), retries=urllib3.Retry(total=1, backoff_factor=0.2), ca_certs=ca
    )
    return MinioAdmin(
        endpoint=parts.netloc,
        credentials=StaticProvider(access_key, secret_key),
        secure=parts.scheme == "https",
        http_client=pool,
    )


def users(admin: MinioAdmin) -> dict[str, User]:
    """Users that are ours, by name: those with a policy of ours."""
    found = json.loads(admin.user_list())
    return {
        name: User(entry.get("status") == "enabled", entry["policyName"])
        for name, entry in found.items()
        if str(entry.get("policyName", "")).startswith(PREFIX)
    }


def policies(admin: MinioAdmin) -> dict[str, Policy]:
    """Policies of ours, by name, in the form of `policy_of`."""
    found = json.loads(admin.policy_list())
    return {name: _normal(document) for name, document in found.items() if name.startswith(PREFIX)}


def ensure_user(admin: MinioAdmin, name: str, secret_key: str, buckets: Mapping[str, Verbs]) -> None:
    """Make the user where it is missing, set its key, and give it this one policy.

    Raises:
        MinioAdminException: the store refuses; one of its users of that name may be somebody else's.
    """
    admin.policy_add(PREFIX + name, policy=policy_of(buckets))
    admin.user_add(name, secret_key)
    admin.policy_set(PREFIX + name, user=name)


def remove_user(admin: MinioAdmin, name: str) -> None:
    """Remove a user of ours and its policy, where they are there."""
    for remove, what in ((admin.user_remove, name), (admin.policy_remove, PREFIX + name)):
        try:
            remove(what)
        except MinioAdminException as error:
            if "NoSuch" not in str(error):
                raise


def _normal(document: Mapping[str, Any]) -> Policy:
    """A policy as the store gives it back, in the order in which `policy_of` writes."""

    def words(value: Any) -> list[str]:
        return sorted([value] if isinstance(value, str) else value or [])

    def conditions(value: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, list[str]]]:
        return {how: {key: words(said) for key, said in of.items()} for how, of in value.items()}

    statements = [
        {"Effect": s.get("Effect"), "Action": words(s.get("Action")), "Resource": words(s.get("Resource"))}
        | ({"Condition": conditions(s["Condition"])} if s.get("Condition") else {})
        for s in document.get("Statement", [])
    ]
    in_order = sorted(statements, key=lambda s: (s["Resource"], str(s["Effect"])))
    return {"Version": document.get("Version"), "Statement": in_order}
