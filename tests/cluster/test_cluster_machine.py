"""A cluster changes nothing on its machine that does not go with it, however it ends; and it heals."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from bootstrap.cluster import cgroups, machine, namespaces, network
from bootstrap.cluster.layout import CONTEXT, Layout
from data_platform.checks.base import Deadline
from data_platform.clients.commands import run
from data_platform.clients.kubernetes import connect
from data_platform.clients.kubernetes_errors import ClusterError
from data_platform.clients.supervisor import Supervisor
from data_platform.stack.errors import PlatformError
from tests.cluster.given import UP_SECONDS, Given, Room, bootstrap
from tests.cluster.machine_state import snapshot
from tests.holding import soon

pytestmark = pytest.mark.timeout(3600)

#: Seconds until a killed server serves again.
BACK_SECONDS = 300


class NotYetError(Exception):
    """It is not so yet."""


@pytest.fixture
def second(tmp_path: Path, given: Given) -> Iterator[Layout]:
    """A cluster beside the first one, at its API level; what is left of it afterwards is removed."""
    _ = given.own
    layout = Layout(tmp_path / "second")
    bootstrap(layout.platform_state, "--level", "api", "up", seconds=UP_SECONDS)
    yield layout
    bootstrap(layout.platform_state, "down")


def _back(act: Callable[[], object], seconds: float = BACK_SECONDS) -> None:
    Deadline(seconds).retry(act, on=(ClusterError, PlatformError, NotYetError, AssertionError))


def test_two_clusters_do_not_meet(given: Given, second: Layout) -> None:
    first = connect(CONTEXT, given.kubeconfig)
    other = connect(CONTEXT, second.kubeconfig)
    assert first.host != other.host
    meta = {"name": "only-in-the-second"}
    other.server_side_apply({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
    assert other.get("v1", "Namespace", "only-in-the-second")
    assert first.get("v1", "Namespace", "only-in-the-second") is None


def test_its_settings_of_the_machine_are_seen_inside_only(given: Given) -> None:
    def read(*before: str) -> list[str]:
        files = ["/proc/sys/kernel/panic", "/proc/sys/kernel/panic_on_oops", "/proc/sys/vm/overcommit_memory"]
        return run([*before, "cat", *files], doing="reading settings", remedy="", seconds=10).split()

    assert read(*namespaces.entering(given.own)) == ["10", "1", "1"]
    assert read() != ["10", "1", "1"], "this machine has these settings by itself: nothing is proven"


def test_only_the_link_is_seen_outside(given: Given) -> None:
    record = machine.read(given.own)
    assert record is not None
    said = run(["ip", "route", "show", "dev", record.link], doing="reading routes", remedy="", seconds=10)
    assert len(said.splitlines()) == 1, said
    assert said.split()[0].endswith("/30")
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    assert str(given.own.folder) not in mounts
    assert (given.own.kubeconfig.stat().st_mode & 0o777) == 0o600


def test_up_again_changes_nothing(given: Given) -> None:
    before = Supervisor(given.own.state.socket).pids()
    bootstrap(given.own.platform_state, "up")
    assert Supervisor(given.own.state.socket).pids() == before


def test_status_shows_all_servers(given: Given) -> None:
    said = bootstrap(given.own.platform_state, "status")
    for name in ("etcd", "kube-apiserver", "containerd", "kubelet", "kube-proxy", "netpol"):
        assert re.search(rf"{name} .*RUNNING", said), said


@pytest.mark.parametrize(
    "server",
    [
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kubelet",
        "kube-proxy",
        "containerd",
        "netpol",
    ],
)
def test_a_killed_server_comes_back_and_pods_do_not_notice(room: Room, given: Given, server: str) -> None:
    room.pod("before")
    supervisor = Supervisor(given.own.state.socket)
    killed = supervisor.pids()[server]
    os.kill(killed, signal.SIGKILL)

    def serves() -> None:
        if supervisor.pids().get(server, killed) == killed or supervisor.states()[server] != "RUNNING":
            raise NotYetError(server)
        if room.call("before", "dial", "kubernetes.default.svc.cluster.local:443")[0]:
            raise NotYetError("a name or a service")

    _back(serves)
    _back(lambda: room.pod(f"after-{server}"))
    pod = given.client.get("v1", "Pod", "before", room.name)
    assert pod is not None
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0


def test_when_the_supervisor_is_killed_up_brings_everything_back(second: Layout) -> None:
    client = connect(CONTEXT, second.kubeconfig)
    client.server_side_apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kept"}})
    os.kill(Supervisor(second.state.socket).pid(), signal.SIGKILL)
    bootstrap(second.platform_state, "--level", "api", "up")
    assert connect(CONTEXT, second.kubeconfig).get("v1", "Namespace", "kept")


def test_when_the_link_is_removed_up_makes_it_again(second: Layout) -> None:
    record = machine.read(second)
    assert record is not None
    run(["ip", "link", "delete", record.link], doing="removing the link", remedy="", seconds=10)
    bootstrap(second.platform_state, "--level", "api", "up")
    assert connect(CONTEXT, second.kubeconfig).version()


def _ended(layout: Layout, kill: Callable[[Layout], object]) -> None:
    before = snapshot()
    bootstrap(layout.platform_state, "up", seconds=UP_SECONDS)
    during = snapshot()
    record = machine.read(layout)
    assert record is not None
    # The comparison can fail: it sees the cluster.
    assert record.link in during["links"]
    assert record.group in during["groups"]
    kill(layout)
    bootstrap(layout.platform_state, "down")
    after = snapshot()
    for what, value in before.items():
        assert after[what] == value, what
    assert not layout.folder.exists()
    assert not cgroups.processes(record.group)
    with_state = [
        p for p in psutil.process_iter(["cmdline"]) if str(layout.folder) in " ".join(p.info["cmdline"] or [])
    ]
    assert with_state == []


def _kill_all(layout: Layout) -> None:
    record = machine.read(layout)
    assert record is not None
    cgroups.end_all(record.group)


def test_down_leaves_the_machine_as_it_was(tmp_path: Path, given: Given) -> None:
    _ = given.own
    _ended(Layout(tmp_path / "third"), lambda _: None)


def test_down_leaves_the_machine_as_it_was_when_everything_was_killed(tmp_path: Path, given: Given) -> None:
    _ = given.own
    _ended(Layout(tmp_path / "third"), _kill_all)


def test_down_leaves_the_machine_as_it_was_when_the_supervisor_was_killed(tmp_path: Path, given: Given) -> None:
    _ = given.own
    _ended(Layout(tmp_path / "third"), lambda layout: os.kill(Supervisor(layout.state.socket).pid(), signal.SIGKILL))


def test_an_interrupted_up_is_cleaned(tmp_path: Path, given: Given) -> None:
    _ = given.own
    before = snapshot()
    layout = Layout(tmp_path / "third")
    words = ["python3", "-m", "bootstrap", "cluster", "--state", str(layout.platform_state), "up"]
    with subprocess.Popen(words, process_group=0) as up:  # noqa: TID251 - it is killed in the middle
        try:
            # However long it took to begin: the node's link is there, and the servers are not yet.
            soon(lambda: (record := machine.read(layout)) is not None and network.is_there(record.link))
        finally:
            os.killpg(up.pid, signal.SIGKILL)
    assert up.returncode == -signal.SIGKILL
    bootstrap(layout.platform_state, "down")
    after = snapshot()
    for what, value in before.items():
        assert after[what] == value, what


def test_down_without_a_cluster_does_nothing(tmp_path: Path) -> None:
    assert "no cluster" in bootstrap(tmp_path / "nothing", "down")
