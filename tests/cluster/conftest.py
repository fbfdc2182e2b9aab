"""A real Kubernetes for the tests: of our own, brought up by the command that users run, or somebody else's.

DATA_PLATFORM_TEST_CONTEXT names a context of a kubeconfig ($KUBECONFIG or ~/.kube/config): the tests run there then,
and those that need the machine of the node are skipped.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootstrap.cluster import binaries
from bootstrap.cluster.images import own
from bootstrap.cluster.layout import CONTEXT, Layout
from data_platform.clients import postgres
from data_platform.clients.kubernetes import Cluster, connect
from data_platform.clients.kubernetes_api import kubeconfig_path
from data_platform.targets.local.cache import cache_folder
from tests.cluster.given import PLATFORM_SECONDS, UP_SECONDS, Given, Room, bootstrap, of_a_platform
from tests.cluster.members import NAMESPACE_VARIABLE, PASSWORD, SERVER, Members
from tests.running import Running

CONTEXT_VARIABLE = "DATA_PLATFORM_TEST_CONTEXT"
#: Modules that need a platform on the cluster, in their order. The first one has one of its own and removes it.
ON_A_PLATFORM = (
    "test_takeover",
    "test_platform",
    "test_rotate",
    "test_secret_holders",
    "test_spark_operator",
    "test_minio",
    "test_nifi",
    "test_postgresql",
    "test_failover",
    # Writes secrets into a log.
    "test_support",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs a platform comes last, and after what brings it up."""
    items.sort(key=lambda item: ON_A_PLATFORM.index(item.path.stem) + 1 if item.path.stem in ON_A_PLATFORM else 0)


@pytest.fixture(scope="session")
def given(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Given]:
    """The cluster of this session; without a node where no test of the session needs one."""
    if context := os.environ.get(CONTEXT_VARIABLE):
        file = kubeconfig_path()
        # Our own is known by its kubeconfig, which lies beside its record.
        layout = Layout(file.parent.parent) if (file.parent / "machine.json").exists() else None
        yield Given(connect(context, file), context, file, layout)
        return
    if os.geteuid() != 0:
        pytest.fail(f"a cluster of our own needs root; name another by {CONTEXT_VARIABLE}")
    state = tmp_path_factory.mktemp("cluster") / "a state"
    layout = Layout(state)
    api = all(item.get_closest_marker("api_level") for item in request.session.items)
    bootstrap(state, "up", "--level", "api" if api else "full", seconds=UP_SECONDS)
    yield Given(connect(CONTEXT, layout.kubeconfig), CONTEXT, layout.kubeconfig, layout)
    bootstrap(state, "down")
    assert not layout.folder.exists()


@pytest.fixture(scope="session")
def cluster(given: Given) -> Cluster:
    """A client of the session's cluster, as its administrator."""
    return given.client


@pytest.fixture(scope="session")
def platform(given: Given, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The platform of this room, up and proven, in the cluster of this session; removed with all that it made.

    DATA_PLATFORM_TEST_STATE names the state folder of one that is there, and stays: for writing tests.
    """
    if kept := os.environ.get("DATA_PLATFORM_TEST_STATE"):
        yield Running(Path(kept))
        return
    layout = given.layout
    folder = layout.folder.parent if layout is not None else tmp_path_factory.mktemp("platform") / "a state"
    running = Running(folder)
    words = [] if layout is not None else ["--context", given.context]
    running.bootstrap("up", "--target", "kubernetes", *words, seconds=PLATFORM_SECONDS)
    yield running
    running.bootstrap("down", "--purge")
    left = [found["metadata"]["name"] for found in given.client.list_objects("v1", "Namespace")]
    assert [name for name in left if name.startswith("data-platform-")] == []


@pytest.fixture(scope="session")
def probe_image(given: Given) -> str:
    """Image of the probe; only the nodes of our own cluster have it."""
    _ = given.own
    return own(binaries.programs(cache_folder()))["probe"].name


@pytest.fixture
def room(given: Given, probe_image: str) -> Iterator[Room]:
    """A namespace for one test."""
    name = f"room-{uuid.uuid4().hex[:8]}"
    given.client.server_side_apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield Room(given.client, name, probe_image)
    given.client.delete("v1", "Namespace", name)


@pytest.fixture(scope="module")
def members(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[Members]:
    """The members of a platform's PostgreSQL, whole, with a database for the drills."""
    found = of_a_platform(
        request,
        lambda: cluster.list_objects("apps/v1", "StatefulSet", os.environ.get(NAMESPACE_VARIABLE, ""), labels=SERVER),
    )
    members = Members(cluster, found[0]["metadata"]["namespace"])
    members.heal()
    password = members.run(members.primary(), 'printf %s "$POSTGRESQL_PASSWORD"')
    with (
        cluster.port_forward("postgresql", members.namespace, 5432) as forward,
        postgres.connect(forward.host, forward.port, "postgres", password, "postgres") as admin,
    ):
        admin.execute("drop database if exists drill with (force)")
        postgres.ensure_database(admin, "drill", "drill", PASSWORD, "of a test")
    yield members
    members.heal()
    members.ask("drop database drill with (force)")
    members.ask("drop role drill")
