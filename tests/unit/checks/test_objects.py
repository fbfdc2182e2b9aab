"""What checks make in a cluster is marked, goes with them, and is removed when a killed one left it."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any, cast

import pytest

from data_platform.checks.base import CheckFailed, Platform
from data_platform.checks.objects import LABEL, made, new_name, on_cluster
from data_platform.checks.scratch import LEFT_OVER_SECONDS
from data_platform.clients.kubernetes import Cluster
from tests.unit.targets.kubernetes.fake_cluster import FakeCluster

SPACE = "data-platform-core"


def thing(name: str, kind: str = "ConfigMap") -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": SPACE}}


def names(cluster: FakeCluster) -> set[str]:
    return {name for _, _, name in cluster.objects}


def test_they_are_there_marked_while_the_block_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = FakeCluster()
    gone: list[str] = []
    delete = cluster.delete
    monkeypatch.setattr(cluster, "delete", lambda *place: gone.append(place[2]) or delete(*place))
    with made(cast("Cluster", cluster), [thing("one"), thing("two", "Secret")]) as found:
        assert [each["metadata"]["labels"] for each in found] == [{LABEL: "scratch"}] * 2
        assert names(cluster) == {"one", "two"}
    assert gone == ["two", "one"]
    assert cluster.objects == {}


def test_they_go_when_the_block_fails_too() -> None:
    cluster = FakeCluster()
    with pytest.raises(CheckFailed), made(cast("Cluster", cluster), [thing("one")]):
        raise CheckFailed("it was not done")
    assert cluster.objects == {}


def test_what_a_killed_check_left_goes_and_what_others_have_stays() -> None:
    cluster = FakeCluster()
    old, young = (f"check-{int(time.time()) - age}-0a1b2c3d" for age in (LEFT_OVER_SECONDS + 60, 60))
    for name in (old, young, "somebodys"):
        cluster.server_side_apply(
            {**thing(name), "metadata": {**thing(name)["metadata"], "labels": {LABEL: "scratch"}}}
        )
    cluster.server_side_apply(thing(f"{old}-unmarked"))
    with made(cast("Cluster", cluster), [thing(new_name())]):
        pass
    assert names(cluster) == {young, "somebodys", f"{old}-unmarked"}


def test_a_platform_on_no_cluster_has_not_passed() -> None:
    with pytest.raises(CheckFailed, match="on no cluster"):
        on_cluster(cast("Platform", SimpleNamespace()))
