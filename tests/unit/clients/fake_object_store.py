"""MinIO as its administrator and its users see it: users and policies in dictionaries, in the forms of its API."""

from __future__ import annotations

import json
from typing import Any

from minio.error import MinioAdminException, S3Error
from minio.lifecycleconfig import LifecycleConfig, Rule
from minio.versioningconfig import VersioningConfig

Policy = dict[str, Any]


def refusal(code: str) -> S3Error:
    """What the store says when it does not do something."""
    return S3Error(None, code, "no", "/", "1", "h")  # type: ignore[arg-type]


class FakeAdmin:
    """What we ask of `minio.MinioAdmin`. `down` is what every request ends with, where it is set."""

    def __init__(self) -> None:
        self.users: dict[str, dict[str, str]] = {}
        self.policies: dict[str, Policy] = {}
        self.keys: dict[str, str] = {}
        self.root: tuple[str, str] | None = None
        self.down: Exception | None = None

    def _ask(self) -> None:
        if self.down:
            raise self.down

    def user_list(self) -> str:
        self._ask()
        return json.dumps(self.users)

    def policy_list(self) -> str:
        self._ask()
        return json.dumps(self.policies)

    def policy_add(self, name: str, *, policy: Policy) -> str:
        self._ask()
        self.policies[name] = policy
        return ""

    def user_add(self, name: str, secret_key: str) -> str:
        self._ask()
        # A user that is there is enabled, and keeps its policy.
        self.users[name] = self.users.get(name, {}) | {"status": "enabled"}
        self.keys[name] = secret_key
        return ""

    def policy_set(self, name: str, user: str) -> str:
        self._ask()
        if name not in self.policies or user not in self.users:
            raise MinioAdminException("404", "XMinioAdminNoSuchPolicy")
        self.users[user]["policyName"] = name
        return ""

    def user_remove(self, name: str) -> str:
        self._ask()
        if self.users.pop(name, None) is None:
            raise MinioAdminException("404", '{"Code":"XMinioAdminNoSuchUser"}')
        del self.keys[name]
        return ""

    def policy_remove(self, name: str) -> str:
        self._ask()
        if self.policies.pop(name, None) is None:
            raise MinioAdminException("404", '{"Code":"XMinioAdminNoSuchPolicy"}')
        return ""

    def connect(self, url: str, access_key: str, secret_key: str, seconds: float) -> FakeAdmin:
        """In the place of `s3_admin.client`."""
        assert url.startswith("http://")
        assert seconds > 0
        self.root = access_key, secret_key
        return self

    def open(self, url: str, access_key: str, secret_key: str, seconds: float) -> FakeUser:
        """In the place of `s3.client`."""
        assert url.startswith("http://")
        assert seconds > 0
        return FakeUser(self, access_key, secret_key)


class FakeUser:
    """What we ask of `minio.Minio` to see whether a key is good."""

    def __init__(self, store: FakeAdmin, name: str, key: str) -> None:
        self.store, self.name, self.key = store, name, key

    def bucket_exists(self, bucket: str) -> bool:
        if self.store.keys.get(self.name) != self.key:
            raise refusal("SignatureDoesNotMatch")
        if self.store.users[self.name]["status"] != "enabled":
            raise refusal("InvalidAccessKeyId")
        return bool(bucket)


class FakeBuckets:
    """What we ask of `minio.Minio` about the settings of buckets.

    Attributes:
        versioning: of each bucket that is there.
        rules: lifecycle rules of each.
        down: what every request ends with, where it is set.
    """

    def __init__(self) -> None:
        self.versioning: dict[str, VersioningConfig] = {}
        self.rules: dict[str, list[Rule]] = {}
        self.down: Exception | None = None

    def bucket_exists(self, name: str) -> bool:
        if self.down:
            raise self.down
        return name in self.versioning

    def make_bucket(self, name: str, *_: str) -> None:
        self.versioning[name], self.rules[name] = VersioningConfig(), []

    def set_bucket_versioning(self, name: str, versioning: VersioningConfig) -> None:
        self.versioning[name] = versioning

    def get_bucket_versioning(self, name: str) -> VersioningConfig:
        return self.versioning[name]

    def set_bucket_lifecycle(self, name: str, lifecycle: LifecycleConfig) -> None:
        self.rules[name] = list(lifecycle.rules)

    def get_bucket_lifecycle(self, name: str) -> LifecycleConfig:
        if not self.rules[name]:
            raise refusal("NoSuchLifecycleConfiguration")
        return LifecycleConfig(self.rules[name])
