"""`down` on a cluster acts on what bears this platform's mark; what others made is left and named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bootstrap import on_cluster
from bootstrap.on_cluster import TEST_CONTEXT, choose, is_gone, remove, write_credentials
from bootstrap.progress import Progress
from data_platform import promotion
from data_platform.stack.environment import Retention
from data_platform.stack.errors import PlatformError
from data_platform.stack.holders import NOT_YET, holders
from data_platform.stack.load import KUBERNETES, load_stack
from data_platform.stack.stack import Stack
from data_platform.targets.current import current_stack
from data_platform.targets.kubernetes import ownership, places, releases
from data_platform.targets.kubernetes.permissions import namespaces, permissions
from data_platform.targets.kubernetes.settings import Settings
from data_platform.targets.kubernetes.target import KubernetesTarget
from data_platform.targets.local.state import State, write_private
from tests.unit.targets.kubernetes.fake_cluster import FakeCluster

OURS, ANOTHER = "0123456789abcdef", "fedcba9876543210"
STORAGE, PROCESSING, CORE = "data-platform-storage", "data-platform-processing", "data-platform-core"
MANIFEST = "apiVersion: v1\nkind: Service\nmetadata: {name: x}\n"


class FakeHelm(releases.Helm):
    """Remembers what it was asked to do."""

    def __init__(self) -> None:
        super().__init__("helm")
        self.removed: list[str] = []
        self.installed: list[releases.Release] = []

    def version(self) -> str:
        return "v4.0.0"

    def template(self, _release: releases.Release) -> list[dict[str, Any]]:
        return []

    def uninstall(self, name: str, namespace: str) -> None:
        self.removed.append(f"{namespace}/{name}")

    def upgrade(self, release: releases.Release) -> None:
        self.installed.append(release)


@pytest.fixture(scope="module")
def stack(root: Path) -> Stack:
    """This checkout's stack."""
    return load_stack(root, target=KUBERNETES)


def on(cluster: FakeCluster, stack: Stack, platform: str = OURS) -> KubernetesTarget:
    images = {name: f"localhost/data-platform/{name}:1" for name in stack.components}
    settings = Settings(images=images, api_server="10.0.0.1:6443", platform=platform)
    return KubernetesTarget(stack, settings, cluster, FakeHelm(), inside=False)  # type: ignore[arg-type]


@pytest.fixture
def cluster(stack: Stack) -> FakeCluster:
    """With the platform's namespaces and secrets, as `up` makes them, and two releases."""
    found = FakeCluster()
    on(found, stack).prepare()
    on(found, stack).ensure_credentials()
    for name, space in (("minio", STORAGE), ("nessie", PROCESSING)):
        labels = {"data-platform-digest": "a1", "data-platform-platform": OURS}
        found.release(name, space, MANIFEST, **labels)
    return found


def removed(target: KubernetesTarget) -> list[str]:
    assert isinstance(target.helm, FakeHelm)
    return target.helm.removed


def spaces(cluster: FakeCluster) -> set[str]:
    return {name for kind, _, name in cluster.objects if kind == "Namespace"}


def relabel(cluster: FakeCluster, kind: str, name: str, **labels: str | None) -> None:
    own = cluster.objects[kind, "", name]["metadata"]["labels"]
    own |= {key: value for key, value in labels.items() if value is not None}
    for key in (key for key, value in labels.items() if value is None):
        own.pop(key, None)


def put(cluster: FakeCluster, kind: str, space: str, name: str, **more: Any) -> None:
    cluster.objects[kind, space, name] = {"kind": kind, "metadata": {"name": name, "namespace": space}, **more}


def test_everything_that_up_makes_bears_the_mark(cluster: FakeCluster, stack: Stack) -> None:
    target = on(cluster, stack)
    made = [thing for (kind, _, name), thing in cluster.objects.items() if not name.startswith("sh.helm.release")]
    assert {thing["kind"] for thing in made} > {"Namespace", "ClusterRole", "ClusterRoleBinding", "Role", "Secret"}
    assert {thing["metadata"]["labels"].get(places.PLATFORM_ID) for thing in made} == {OURS}
    assert target.settings.platform in target.bindings("airflow").all["SETTINGS"]


def test_a_purge_removes_a_platform_that_is_alone_altogether(cluster: FakeCluster, stack: Stack) -> None:
    put(cluster, "Namespace", "", "payments")
    target = on(cluster, stack)
    assert remove(target, True, Progress()) == []
    assert set(removed(target)) == {f"{STORAGE}/minio", f"{PROCESSING}/nessie"}
    assert spaces(cluster) == {"payments"}
    assert {kind for kind, _, _ in cluster.objects if kind.startswith("ClusterRole")} == set()


@pytest.mark.parametrize("purge", [False, True])
@pytest.mark.parametrize("whose", [ANOTHER, None, "somebody"])
def test_a_namespace_that_is_not_ours_is_left_with_its_releases_and_named(
    cluster: FakeCluster, stack: Stack, purge: bool, whose: str | None
) -> None:
    if whose == "somebody":
        relabel(cluster, "Namespace", STORAGE, **{places.MANAGED_BY: "Helm"})
    else:
        relabel(cluster, "Namespace", STORAGE, **{places.PLATFORM_ID: whose})
    target = on(cluster, stack)
    untold = " (a version without marks made it; `up` takes it over)" if whose is None else ""
    assert remove(target, purge, Progress()) == [f"Namespace {STORAGE}{untold}"]
    assert removed(target) == [f"{PROCESSING}/nessie"]
    assert STORAGE in spaces(cluster)
    assert ("ResourceQuota", STORAGE, "platform") in cluster.objects


@pytest.mark.parametrize("purge", [False, True])
def test_nothing_of_another_platform_is_touched(cluster: FakeCluster, stack: Stack, purge: bool) -> None:
    before = dict(cluster.objects)
    target = on(cluster, stack, ANOTHER)
    roles = [ownership.named(o) for o in permissions(stack) if purge and o["kind"].startswith("ClusterRole")]
    assert remove(target, purge, Progress()) == [*(f"Namespace {name}" for name in namespaces(stack)), *roles]
    assert removed(target) == []
    assert cluster.objects == before


THEIRS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "volume": ("PersistentVolumeClaim", "notebooks", {}),
    "secret": ("Secret", "git-login", {"type": "Opaque", "data": {}}),
    "workload": ("Deployment", "jupyter", {}),
}


@pytest.mark.parametrize("what", THEIRS)
def test_what_others_have_in_a_namespace_of_ours_stays_and_what_is_ours_there_goes(
    cluster: FakeCluster, stack: Stack, what: str
) -> None:
    kind, name, more = THEIRS[what]
    put(cluster, kind, STORAGE, name, **more)
    put(cluster, "PersistentVolumeClaim", STORAGE, "data-minio-0")
    cluster.objects["PersistentVolumeClaim", STORAGE, "data-minio-0"]["metadata"]["labels"] = {"release": "minio"}
    target = on(cluster, stack)
    assert remove(target, True, Progress()) == [f"{STORAGE}: {kind} {name} in {STORAGE}"]
    assert spaces(cluster) == {STORAGE}
    left = {(its, called) for its, space, called in cluster.objects if space == STORAGE and "helm" not in called}
    assert left == {(kind, name)}


def test_a_release_of_a_name_of_ours_that_somebody_else_made_is_left(cluster: FakeCluster, stack: Stack) -> None:
    del cluster.objects["Secret", STORAGE, "sh.helm.release.v1.minio.v1"]
    cluster.release("minio", STORAGE, MANIFEST)
    target = on(cluster, stack)
    left = remove(target, True, Progress())
    assert left == [f"{STORAGE}: Secret sh.helm.release.v1.minio.v1 in {STORAGE}"]
    assert removed(target) == [f"{PROCESSING}/nessie"]
    assert ("Secret", STORAGE, "sh.helm.release.v1.minio.v1") in cluster.objects
    with pytest.raises(PlatformError, match=f"the Helm release minio in {STORAGE} was not made by this platform"):
        target._apply_release(target._item("minio"))


def test_a_release_in_a_namespace_that_was_handed_over_is_upgraded_and_bears_our_id(
    cluster: FakeCluster, stack: Stack
) -> None:
    labels = cluster.objects["Secret", STORAGE, "sh.helm.release.v1.minio.v1"]["metadata"]["labels"]
    labels["data-platform-platform"] = ANOTHER
    target = on(cluster, stack)
    target._apply_release(target._item("minio"))
    assert isinstance(target.helm, FakeHelm)
    assert [(release.name, release.platform) for release in target.helm.installed] == [("minio", OURS)]


@pytest.mark.parametrize("kind", ["ClusterRole", "ClusterRoleBinding"])
def test_what_gives_permissions_and_is_another_platforms_is_left(cluster: FakeCluster, stack: Stack, kind: str) -> None:
    relabel(cluster, kind, "data-platform-deployer", **{places.PLATFORM_ID: ANOTHER})
    assert remove(on(cluster, stack), True, Progress()) == [f"{kind} data-platform-deployer"]
    assert {its for its, _, _ in cluster.objects if its.startswith("ClusterRole")} == {kind}


@pytest.mark.parametrize(("kind", "name"), [("Namespace", CORE), ("ClusterRole", "data-platform-deployer")])
@pytest.mark.parametrize("labels", [{places.PLATFORM_ID: ANOTHER}, {places.MANAGED_BY: "Helm"}], ids=["id", "manager"])
def test_what_others_made_is_not_taken_over(
    cluster: FakeCluster, stack: Stack, kind: str, name: str, labels: dict[str, str]
) -> None:
    relabel(cluster, kind, name, **labels)
    with pytest.raises(PlatformError, match=name):
        on(cluster, stack).prepare()
    assert labels.items() <= cluster.objects[kind, "", name]["metadata"]["labels"].items()


def test_what_an_earlier_version_made_gets_our_mark(stack: Stack) -> None:
    cluster = FakeCluster()
    on(cluster, stack, "").prepare()
    assert places.PLATFORM_ID not in cluster.objects["Namespace", "", CORE]["metadata"]["labels"]
    on(cluster, stack).prepare()
    labelled = {thing["metadata"]["labels"].get(places.PLATFORM_ID) for thing in cluster.objects.values()}
    assert labelled == {OURS}


def test_a_test_cluster_that_is_gone_took_its_platform_along(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    assert is_gone(state, {"context": TEST_CONTEXT})
    assert not is_gone(state, {"context": "lab"})
    write_private(state.cluster / "kubeconfig", "{}")
    assert not is_gone(state, {"context": TEST_CONTEXT})


def test_the_persons_file_has_every_holder(cluster: FakeCluster, stack: Stack, tmp_path: Path) -> None:
    state = State(tmp_path)
    write_credentials(state, on(cluster, stack))
    found = json.loads(state.credentials_file.read_text(encoding="utf-8"))
    holding = {name: set(each.generated) for name, each in holders(stack).items() if each.generated}
    assert {"pipelines", "checks", "pages", "spark"} <= holding.keys()
    assert {
        name: {key for key in found[name] if found[name][key] != NOT_YET} & keys for name, keys in holding.items()
    } == holding
    assert state.credentials_file.stat().st_mode & 0o077 == 0


def test_what_is_not_asked_for_has_its_default(tmp_path: Path) -> None:
    found = choose(State(tmp_path), {"context": "lab"})
    assert found == {
        "target": "kubernetes",
        "profile": "default",
        "context": "lab",
        "kubeconfig": None,
        "size": "small",
        "registry": "",
        "storage_class": "",
        "images": {},
        "api_server": "",
    }


def test_what_was_asked_for_is_chosen_and_what_is_known_is_kept(tmp_path: Path) -> None:
    write_private(State(tmp_path).settings_file, json.dumps({"images": {"trino": "x"}, "api_server": "10.0.0.1:6443"}))
    asked = {"context": "lab", "size": "production", "domain": "lab.example", "values": {"trino": {"a": 1}}}
    found = choose(State(tmp_path), asked)
    assert {key: found[key] for key in asked} == asked
    assert (found["images"], found["api_server"]) == ({"trino": "x"}, "10.0.0.1:6443")


def test_without_a_context_it_is_the_test_cluster_of_this_state_folder(tmp_path: Path) -> None:
    state = State(tmp_path)
    with pytest.raises(PlatformError, match=f"there is no test cluster in {tmp_path}") as caught:
        choose(state, {})
    assert f"python3 -m bootstrap cluster up --state {tmp_path}" in caught.value.remedy
    write_private(state.cluster / "kubeconfig", "")
    found = choose(state, {"size": "production"})
    assert (found["context"], found["kubeconfig"]) == (TEST_CONTEXT, str(state.cluster / "kubeconfig"))


def test_a_target_is_told_what_its_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_cluster, "open_cluster", lambda _: FakeCluster())
    monkeypatch.setattr(on_cluster, "helm_program", lambda: "helm")
    worker = {"workloads": {"worker": {"replicas": 5}}}
    kept = {"runs_days": 30, "logs_days": 7}
    more = {"domain": "lab.example", "retention": kept, "values": {"trino": worker}, "capabilities": {"s3": "minio"}}
    target = on_cluster.open_target(choose(State(tmp_path), {"context": "lab", **more}), OURS)
    assert target.settings.model_dump(include=set(more)) == more
    assert target.stack.components["trino"].values == worker
    assert target.retention == Retention(**kept)
    # As Airflow's pods are told it.
    monkeypatch.setenv(places.SETTINGS_VARIABLE, target.settings.model_dump_json())
    assert current_stack().components["trino"].values == worker


def test_a_target_is_told_by_which_certificates_its_servers_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_cluster, "open_cluster", lambda _: FakeCluster())
    monkeypatch.setattr(on_cluster, "helm_program", lambda: "helm")
    certificate = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"
    file = tmp_path / "ca.pem"
    file.write_text(certificate)
    target = on_cluster.open_target(choose(State(tmp_path), {"context": "lab", "authorities": str(file)}), OURS)
    # Its own clients read the file; what runs in the cluster is given the certificates.
    assert (target.authorities, target.settings.authorities) == (file, certificate)
    without = on_cluster.open_target(choose(State(tmp_path), {"context": "lab"}), OURS)
    assert (without.authorities, without.settings.authorities) == (None, "")
    file.unlink()
    with pytest.raises(PlatformError, match=f"authorities: {file} cannot be read"):
        on_cluster.open_target(choose(State(tmp_path), {"context": "lab", "authorities": str(file)}), OURS)


def test_what_was_not_proven_is_refused_before_the_cluster_is_asked(
    tmp_path: Path, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_cluster, "open_cluster", lambda _: pytest.fail("the cluster was asked"))
    kept = promotion.digests(stack) | {"trino": "0" * 64}
    components = {name: {"version": "1", "digest": digest, "checks": {"x": "now"}} for name, digest in kept.items()}
    record = {"environment": "staging", "platform": "id", "target": "kubernetes", "profile": "default"}
    record |= {"commit": "", "at": "now", "components": components}
    with pytest.raises(PlatformError) as caught:
        on_cluster.prepare(State(tmp_path), {"context": "lab", "promotion": record}, OURS, Progress())
    assert caught.value.problem == (
        "staging has not proven what would be deployed:\n- trino: its definition there was another one (version 1)"
    )
    assert not State(tmp_path).settings_file.exists()
