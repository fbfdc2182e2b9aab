"""What servers make for others, on real ones: what is somebody else's stays, and what is gone comes back."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import psycopg
import pytest
from minio import Minio
from minio.commonconfig import ENABLED, Filter
from minio.lifecycleconfig import Expiration, LifecycleConfig, Rule

from data_platform.claims.bucket import Bucket
from data_platform.clients import postgres, s3
from data_platform.stack.claim import Claimed
from data_platform.targets.base import Target
from tests.running import Running


@pytest.fixture
def store(platform: Running) -> Minio:
    """The object store, with its own key."""
    own = platform.target.credentials("s3")
    return s3.client(platform.target.address("s3", "http").url, own["access_key"], own["secret_key"])


@pytest.fixture
def bucket(store: Minio) -> Iterator[str]:
    """Name of a bucket that is not there, and is not left."""
    name = f"scratch-{uuid.uuid4().hex[:12]}"
    yield name
    if store.bucket_exists(name):
        store.remove_bucket(name)


def settled(place: Target, **settings: object) -> None:
    """Make a bucket as it is claimed; the next look finds nothing to do."""
    each = Claimed("checks", Bucket.model_validate({"kind": "bucket", **settings}))
    provider = place.stack.resolve("s3")
    Bucket.make(place, provider, each)
    (seen,) = Bucket.observe(place, provider, [each])
    assert (seen.name, seen.digest) == (each.resource, each.digest)


def test_a_bucket_keeps_the_rules_of_others_and_can_do_without_versions(
    platform: Running, store: Minio, bucket: str
) -> None:
    place = platform.target
    settled(place, name=bucket, versioned=False)
    assert store.get_bucket_versioning(bucket).status != ENABLED
    settled(place, name=bucket, expire_days={"signs/": 3})
    ours = store.get_bucket_lifecycle(bucket)
    assert ours
    theirs = Rule(ENABLED, rule_filter=Filter(prefix="theirs/"), rule_id="of others", expiration=Expiration(days=9))
    store.set_bucket_lifecycle(bucket, LifecycleConfig([*ours.rules, theirs]))
    settled(place, name=bucket, expire_noncurrent_days=5, versioned=False)
    assert store.get_bucket_versioning(bucket).status == "Suspended"
    left = store.get_bucket_lifecycle(bucket)
    assert left
    kept = {rule.rule_id: rule for rule in left.rules}
    assert kept.keys() == {"data-platform", "of others"}
    assert kept["of others"].expiration == theirs.expiration
    assert kept["of others"].rule_filter == theirs.rule_filter


@pytest.mark.deep
def test_airflow_makes_what_was_claimed_of_the_server_of_its_own_database(platform: Running) -> None:
    """A deploy may not restart what runs it, but makes a database that somebody dropped."""
    target = platform.target
    server, admin, own = (target.address("postgresql", "sql"), *map(target.credentials, ("postgresql", "checks")))
    with postgres.connect(server.host, server.port, admin["username"], admin["password"], "postgres") as connection:
        connection.execute("drop database checks with (force)")
    login = server.host, server.port, own["database_user"], own["database_password"], "checks"
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        postgres.connect(*login)
    platform.bootstrap("run", "stack_deploy")
    postgres.connect(*login).close()
