"""A platform of an earlier release on the cluster is taken over by `up`: nothing is lost, what was shared is replaced.

What is looked at is what tests/drills/test_takeover.py looks at, on a platform and a cluster of this module.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from bootstrap.cluster.layout import CONTEXT, Layout
from data_platform.clients.kubernetes import Cluster, connect
from tests import releases
from tests.cluster.conftest import CONTEXT_VARIABLE
from tests.cluster.given import PLATFORM_SECONDS, UP_SECONDS
from tests.drills.test_takeover import (
    FROM,
    Earlier,
    Taken,
    seen,
    test_a_shared_secret_is_replaced,
    test_a_shared_secret_opens_nothing_any_more,
    test_before_every_secret_that_is_asked_for_opens_something,
    test_no_commit_of_the_catalog_is_lost,
    test_no_object_and_no_version_of_it_is_lost,
    test_no_row_is_lost,
    test_no_secret_is_printed,
    test_what_airflow_had_encrypted_is_still_read,
    test_what_was_described_in_the_catalog_is_still_there,
)
from tests.kept import leave, runs
from tests.running import ROOT, Running
from tests.shared_secrets import SHARED, opening
from tests.visits import Visit, visit

pytestmark = pytest.mark.timeout(3 * PLATFORM_SECONDS)

__all__ = [
    "seen",
    "test_a_shared_secret_is_replaced",
    "test_a_shared_secret_opens_nothing_any_more",
    "test_before_every_secret_that_is_asked_for_opens_something",
    "test_no_commit_of_the_catalog_is_lost",
    "test_no_object_and_no_version_of_it_is_lost",
    "test_no_row_is_lost",
    "test_no_secret_is_printed",
    "test_what_airflow_had_encrypted_is_still_read",
    "test_what_was_described_in_the_catalog_is_still_there",
]
_UP = ("up", "--target", "kubernetes")


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Earlier]:
    if context := os.environ.get(CONTEXT_VARIABLE):
        pytest.skip(f"{context} is not a cluster that the release itself has made")
    if os.geteuid() != 0:
        pytest.fail("a cluster of our own needs root")
    folder = tmp_path_factory.mktemp("takeover")
    checkout = releases.checkout(releases.release(FROM), folder)
    platform = Running(folder / "a state", root=checkout)
    now = replace(platform, root=ROOT)
    # As an operator has it: the cluster too is of the release, and is ended by the present checkout.
    platform.bootstrap("cluster", "up", seconds=UP_SECONDS)
    try:
        platform.bootstrap(*_UP, seconds=PLATFORM_SECONDS)
        with visit(platform) as before:
            kept = leave(before)
            opened = opening(before, kept, before.secrets)
        yield Earlier(platform, kept, before.secrets, opened)
        now.bootstrap("down", "--purge")
        left = [found["metadata"]["name"] for found in client(now).list_objects("v1", "Namespace")]
        assert [name for name in left if name.startswith("data-platform-")] == []
    finally:
        now.bootstrap("cluster", "down")
    assert not (platform.folder / "cluster").exists()


def client(platform: Running) -> Cluster:
    """Of the cluster that the platform's state folder holds, as its administrator."""
    return connect(CONTEXT, Layout(platform.folder).kubeconfig)


@pytest.fixture(scope="module")
def cluster(earlier: Earlier) -> Cluster:
    return client(earlier.platform)


@pytest.fixture(scope="module")
def taken(earlier: Earlier) -> Taken:
    platform = replace(earlier.platform, root=ROOT)
    done = platform.bootstrap(*_UP, seconds=PLATFORM_SECONDS)
    return Taken(platform, done.stdout, json.loads((platform.folder / "credentials.json").read_text(encoding="utf-8")))


def test_every_check_passed(taken: Taken) -> None:
    found = taken.platform.status()
    assert len(found["components"]) >= 10
    for component in found["components"]:
        assert len(component["checks"]) == component["checks_declared"], component["name"]
        assert {check["status"] for check in component["checks"]} == {"passed"}, component


def test_no_run_is_lost(earlier: Earlier, seen: Visit) -> None:
    now = runs(seen)
    assert {run: now.get(run) for run in earlier.kept.runs} == earlier.kept.runs


def test_no_secret_of_the_cluster_holds_a_shared_one(earlier: Earlier, taken: Taken, cluster: Cluster) -> None:
    assert taken.secrets
    found = {
        f"{secret['metadata']['namespace']}/{secret['metadata']['name']}/{key}": base64.b64decode(value)
        for secret in cluster.list_objects("v1", "Secret")
        if secret["metadata"]["namespace"].startswith("data-platform-")
        for key, value in secret.get("data", {}).items()
    }
    assert len(found) >= 10
    # The present ones are found there.
    present = [value[:43].encode() for held in taken.secrets.values() for value in held.values() if len(value) >= 32]
    assert [name for name, value in found.items() if any(word in value for word in present)]
    old = [earlier.secrets[component][key][:43].encode() for component, key in SHARED]
    assert [name for name, value in found.items() if any(word in value for word in old)] == []


def test_a_second_up_changes_nothing(taken: Taken, cluster: Cluster) -> None:
    def servers() -> set[str]:
        found = cluster.list_objects("v1", "Pod", labels="app.kubernetes.io/part-of=data-platform")
        there = [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]
        return {pod["metadata"]["uid"] for pod in there if pod["spec"].get("restartPolicy") == "Always"}

    before = servers()
    taken.platform.bootstrap(*_UP, seconds=PLATFORM_SECONDS)
    assert len(before) >= 10
    assert servers() == before
