"""Generated credentials: a look writes nothing, several that apply agree, and old data is given no new secret."""

from __future__ import annotations

import base64
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, local
from typing import Any, TypeVar

import pytest

from data_platform.clients.kubernetes_errors import FORBIDDEN, ClusterError
from data_platform.stack.errors import PlatformError
from data_platform.stack.holders import NEXT, NOT_YET, holder
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes import credentials, places
from data_platform.targets.kubernetes.definition import content_of
from data_platform.targets.kubernetes.releases import DIGEST_LABEL
from tests.unit.targets.kubernetes.fake_cluster import FakeCluster

T = TypeVar("T")

STORAGE = "data-platform-storage"
ROOT = ("Secret", STORAGE, "minio-credentials")


class Together(FakeCluster):
    """Two threads have looked before either of them writes."""

    def __init__(self) -> None:
        super().__init__()
        self.looks: list[str] = []
        self._first: Barrier | None = None
        self._waits = local()

    def both(self, act: Callable[[], T]) -> list[T]:
        """What an act gives to each of two threads; the first look of both is the same."""
        self._first = Barrier(2)
        self.looks.clear()
        with ThreadPoolExecutor(2) as pool:
            done = [pool.submit(act) for _ in range(2)]
        self._first = None
        return [each.result() for each in done]

    def get(self, api_version: str, kind: str, name: str, namespace: str = "") -> Any:
        found = super().get(api_version, kind, name, namespace)
        self.looks.append(name)
        if self._first and not getattr(self._waits, "over", False):
            self._waits.over = True
            self._first.wait(60)
        return found


class Restless(FakeCluster):
    """Somebody else changes an object after each look at it."""

    def get(self, api_version: str, kind: str, name: str, namespace: str = "") -> Any:
        found = super().get(api_version, kind, name, namespace)
        if found:
            notes = {"annotations": {"seen": str(self.kept.version)}}
            self.server_side_apply(
                {"kind": kind, "metadata": {"name": name, "namespace": namespace, **notes}}, field_manager="restless"
            )
        return found


def make(cluster: FakeCluster, stack: Stack, name: str) -> dict[str, str]:
    return credentials.ensure(cluster, stack, name)  # type: ignore[arg-type]


def look(cluster: FakeCluster, stack: Stack, name: str) -> dict[str, str]:
    return credentials.read(cluster, stack, name)  # type: ignore[arg-type]


def test_a_look_sees_what_is_not_made_yet_and_makes_nothing(stack: Stack) -> None:
    cluster = FakeCluster()
    assert look(cluster, stack, "minio") == {"access_key": "platform", "secret_key": NOT_YET}
    assert cluster.objects == {}


def test_what_is_missing_is_made_once(stack: Stack) -> None:
    cluster = FakeCluster()
    first = make(cluster, stack, "s3")
    assert (first["access_key"], len(first["secret_key"])) == ("platform", 64)
    assert make(cluster, stack, "minio") == look(cluster, stack, "s3") == first
    assert set(cluster.objects) == {ROOT}


def test_credentials_of_an_identity_lie_beside_its_component(stack: Stack) -> None:
    cluster = FakeCluster()
    known = make(cluster, stack, "pipelines")
    assert set(cluster.objects) == {("Secret", "data-platform-core", "pipelines-credentials")}
    assert {"s3_secret_key", "datahub_token"} < known.keys()


def test_two_that_make_the_same_at_the_same_time_have_the_same_key(stack: Stack) -> None:
    cluster = Together()
    first, second = cluster.both(lambda: make(cluster, stack, "minio"))
    assert len(cluster.looks) == 3, "one has looked again"
    assert first == second == look(cluster, stack, "minio")


def test_a_key_that_an_upgrade_brings_is_added_and_the_others_stay(stack: Stack) -> None:
    cluster = FakeCluster()
    before = make(cluster, stack, "nessie")
    kept = cluster.objects["Secret", "data-platform-processing", "nessie-credentials"]["data"]
    del kept["s3_secret_key"]
    kept["of-somebody-else"] = base64.b64encode(b"stays").decode()
    assert look(cluster, stack, "nessie")["s3_secret_key"] == NOT_YET
    after = make(cluster, stack, "nessie")
    assert after["database_password"] == before["database_password"]
    assert after["s3_secret_key"] not in (NOT_YET, before["s3_secret_key"])
    data = content_of(cluster.objects["Secret", "data-platform-processing", "nessie-credentials"]).data
    assert data["of-somebody-else"] == b"stays"


def test_two_that_add_the_same_key_at_the_same_time_have_the_same_key(stack: Stack) -> None:
    cluster = Together()
    before = make(cluster, stack, "nessie")
    del cluster.objects["Secret", "data-platform-processing", "nessie-credentials"]["data"]["s3_secret_key"]
    first, second = cluster.both(lambda: make(cluster, stack, "nessie"))
    assert len(cluster.looks) == 3, "one has looked again"
    assert first == second == look(cluster, stack, "nessie")
    assert first["s3_secret_key"] not in (NOT_YET, before["s3_secret_key"])


def test_two_that_stage_the_same_secret_at_the_same_time_have_the_same_one(stack: Stack) -> None:
    cluster = Together()
    make(cluster, stack, "minio")

    def stage() -> str:
        return credentials.stage(cluster, stack, "minio", "secret_key")  # type: ignore[arg-type]

    first, second = cluster.both(stage)
    assert first == second == stage()


def test_a_secret_that_never_stays_the_same_is_an_error(stack: Stack) -> None:
    cluster = Restless()
    make(cluster, stack, "minio")
    cluster.objects[ROOT]["data"].clear()
    with pytest.raises(PlatformError, match="minio-credentials in data-platform-storage was changed 5 times by others"):
        make(cluster, stack, "minio")
    assert cluster.objects[ROOT]["data"] == {}


def test_a_refusal_is_told(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = FakeCluster()

    def refuse(_: object) -> None:
        raise ClusterError("secrets is forbidden", "ask for it", FORBIDDEN)

    monkeypatch.setattr(cluster, "create", refuse)
    with pytest.raises(ClusterError, match="forbidden"):
        make(cluster, stack, "minio")


def claim(cluster: FakeCluster, component: str, namespace: str) -> None:
    labels = {places.NAME: component, places.PART_OF: "data-platform"}
    meta = {"name": f"data-{component}-0", "namespace": namespace, "labels": labels}
    cluster.server_side_apply({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta})


def release(cluster: FakeCluster, component: str, namespace: str) -> None:
    cluster.release(component, namespace, "", **{DIGEST_LABEL: "d"})


@pytest.mark.parametrize("left", [claim, release])
@pytest.mark.parametrize("ask", [look, make])
def test_what_is_gone_is_not_made_anew_for_what_was_made_with_it(
    stack: Stack, left: Callable[..., None], ask: Callable[..., object]
) -> None:
    cluster = FakeCluster()
    left(cluster, "minio", STORAGE)
    with pytest.raises(PlatformError, match="minio-credentials in data-platform-storage is gone") as raised:
        ask(cluster, stack, "minio")
    assert "restore the Secret from a backup" in raised.value.remedy
    assert ROOT not in cluster.objects


def test_a_release_and_a_volume_of_others_hold_nothing_of_ours(stack: Stack) -> None:
    cluster = FakeCluster()
    cluster.release("minio", STORAGE, "")
    meta = {"name": "data", "namespace": STORAGE, "labels": {places.NAME: "minio"}}
    cluster.server_side_apply({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta})
    assert len(make(cluster, stack, "minio")["secret_key"]) == 64


def test_what_others_make_for_a_component_is_made_anew(stack: Stack) -> None:
    """An upgrade brings the first claim of a component that had no Secret."""
    cluster = FakeCluster()
    release(cluster, "trino", "data-platform-processing")
    assert holder(stack, "trino").generated
    assert make(cluster, stack, "trino")["s3_secret_key"] != NOT_YET


def test_a_staged_secret_waits_and_takes_the_place_of_the_other(stack: Stack) -> None:
    cluster = FakeCluster()
    before = make(cluster, stack, "minio")["secret_key"]
    staged = credentials.stage(cluster, stack, "minio", "secret_key")  # type: ignore[arg-type]
    assert credentials.stage(cluster, stack, "minio", "secret_key") == staged != before  # type: ignore[arg-type]
    assert look(cluster, stack, "minio")["secret_key"] == before
    credentials.promote(cluster, stack, "minio", "secret_key")  # type: ignore[arg-type]
    assert look(cluster, stack, "minio")["secret_key"] == staged
    # Server-side apply would have left a key that is no longer said to those who do not own it.
    assert f"secret_key{NEXT}" not in content_of(cluster.objects[ROOT]).data
    credentials.promote(cluster, stack, "minio", "secret_key")  # type: ignore[arg-type]
    assert look(cluster, stack, "minio")["secret_key"] == staged


def test_the_plan_knows_the_keys_that_are_missing_and_not_those_that_are_more(stack: Stack) -> None:
    cluster = FakeCluster()
    kept = {}
    (wanted,) = credentials.wanted(stack, "minio")
    assert credentials.observe(stack, "minio", kept) == []
    make(cluster, stack, "minio")
    kept = {"minio-credentials": content_of(cluster.objects[ROOT])}
    kept["minio-credentials"].data["of-somebody-else"] = b"x"
    (seen,) = credentials.observe(stack, "minio", kept)
    assert (seen.name, seen.digest) == (wanted.name, wanted.digest)
    del kept["minio-credentials"].data["secret_key"]
    (seen,) = credentials.observe(stack, "minio", kept)
    assert seen.digest != wanted.digest


def test_identities_belong_to_the_plan_of_their_component(stack: Stack) -> None:
    names = {resource.name for resource in credentials.wanted(stack, "airflow")}
    assert names == {f"{name}-credentials" for name in ("airflow", "pipelines", "checks", "pages")}
