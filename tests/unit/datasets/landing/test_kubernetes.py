"""Landing folders in the cluster: the scripts that pods run, run here in a folder of the test's own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import pytest

from data_platform.clients.kubernetes_errors import ClusterError
from data_platform.clients.kubernetes_streams import Executed
from data_platform.datasets.landing.kubernetes import PodLanding
from data_platform.stack.errors import PlatformError
from data_platform.targets.kubernetes import places
from tests.unit.targets.kubernetes.fake_cluster import FakeCluster

HERE = "data-platform-integration"


class Pods(FakeCluster):
    """A cluster whose pods share this machine's files."""

    def __init__(self) -> None:
        super().__init__()
        self.ran: list[tuple[str, float]] = []
        self.says: Executed | None = None

    def pod(self, name: str, ready: str = "True", restarts: str = "Always") -> None:
        labels = {places.NAME: "nifi", places.COMPONENT: "server"}
        meta = {"name": name, "namespace": HERE, "labels": labels}
        status = {"conditions": [{"type": "Ready", "status": ready}]}
        self.server_side_apply(
            {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"restartPolicy": restarts}, "status": status}
        )

    def execute(self, pod: str, namespace: str, argv: Sequence[str], stdin: bytes = b"", *, seconds: float) -> Executed:
        assert namespace == HERE
        self.ran.append((pod, seconds))
        if self.says:
            return self.says
        done = subprocess.run(list(argv), input=stdin, capture_output=True, check=False, timeout=60)
        return Executed(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def cluster() -> Pods:
    """With one pod that takes requests, one that does not, and one that runs to an end."""
    made = Pods()
    made.pod("nifi-0-job", restarts="Never")
    made.pod("nifi-0", ready="False")
    made.pod("nifi-1")
    return made


@pytest.fixture
def volume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the pods see as the volume."""
    monkeypatch.setattr(places, "LANDING", PurePosixPath(tmp_path / "the volume"))
    return tmp_path / "the volume"


@pytest.fixture
def landing(cluster: Pods, volume: Path) -> PodLanding:
    assert not volume.exists()
    return PodLanding(cluster, HERE, "nifi")  # type: ignore[arg-type]


def file(tmp_path: Path, content: bytes, name: str = "rates 1.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


def test_a_folder_is_made_where_it_is_missing_and_may_be_there(landing: PodLanding, volume: Path) -> None:
    for _ in range(2):
        assert landing.made("fx_rates") == str(volume / "fx_rates")
        assert (volume / "fx_rates").is_dir()


def test_a_file_is_copied_whole_by_a_pod_that_takes_requests(
    landing: PodLanding, cluster: Pods, volume: Path, tmp_path: Path
) -> None:
    content = bytes(range(256)) * 4096
    assert landing.place("fx_rates", file(tmp_path, content)) == f"{volume}/fx_rates/rates 1.csv"
    assert [path.name for path in (volume / "fx_rates").iterdir()] == ["rates 1.csv"]
    assert (volume / "fx_rates" / "rates 1.csv").read_bytes() == content
    # A slow line is given time.
    ((pod, seconds),) = cluster.ran
    assert (pod, seconds >= 600) == ("nifi-1", True)


Instead = Callable[[str, str], None]


@pytest.fixture
def instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Instead:
    """Let the scripts find another program of that name."""

    def put(name: str, script: str) -> None:
        path = tmp_path / "bin" / name
        path.parent.mkdir()
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{path.parent}:/usr/bin:/bin")

    return put


def test_a_file_that_waits_is_not_replaced_and_nothing_is_sent(
    landing: PodLanding, volume: Path, tmp_path: Path, instead: Instead
) -> None:
    landing.place("fx_rates", file(tmp_path, b"old"))
    instead("cat", "echo 'it was sent' >&2; exit 1")
    with pytest.raises(PlatformError, match=r"fx_rates/rates 1\.csv waits there already") as caught:
        landing.place("fx_rates", file(tmp_path, b"new"))
    assert "rename the file" in caught.value.remedy
    assert [path.read_bytes() for path in (volume / "fx_rates").iterdir()] == [b"old"]


def test_a_file_that_comes_while_another_one_is_copied_is_not_replaced(
    landing: PodLanding, volume: Path, tmp_path: Path, instead: Instead
) -> None:
    instead("cat", f"/bin/cat; printf quicker > '{volume}/fx_rates/rates 1.csv'")
    with pytest.raises(PlatformError, match="waits there already"):
        landing.place("fx_rates", file(tmp_path, b"content"))
    assert {path.name: path.read_bytes() for path in (volume / "fx_rates").iterdir()} == {"rates 1.csv": b"quicker"}


def test_two_copies_of_one_name_do_not_write_to_one_file(
    landing: PodLanding, volume: Path, tmp_path: Path, instead: Instead
) -> None:
    """The second one is made while the first one waits for its content."""
    started, go = tmp_path / "started", tmp_path / "go"
    for fifo in (started, go):
        os.mkfifo(fifo)
    instead("cat", f"mkdir '{go}.first' 2> /dev/null && {{ echo > '{started}'; read _ < '{go}'; }}\nexec /bin/cat")
    with ThreadPoolExecutor() as pool:
        first = pool.submit(landing.place, "fx_rates", file(tmp_path, b"a long first one"))
        assert started.read_text() == "\n"
        landing.place("fx_rates", file(tmp_path, b"the second"))
        go.write_text("\n")
        with pytest.raises(PlatformError, match="waits there already"):
            first.result()
    folder = volume / "fx_rates"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"rates 1.csv": b"the second"}


def test_a_copy_that_is_cut_short_is_none(landing: PodLanding, volume: Path, tmp_path: Path, instead: Instead) -> None:
    instead("cat", "head -c 3")
    with pytest.raises(PlatformError, match="nifi-1: the copy has 3 bytes of 7"):
        landing.place("fx_rates", file(tmp_path, b"content"))
    assert list((volume / "fx_rates").iterdir()) == []


def test_a_file_that_cannot_get_its_name_is_no_file_that_waits(
    landing: PodLanding, volume: Path, tmp_path: Path, instead: Instead
) -> None:
    instead("mv", "echo 'Stale file handle' >&2; exit 1")
    with pytest.raises(PlatformError, match="nifi-1: Stale file handle"):
        landing.place("fx_rates", file(tmp_path, b"content"))
    assert list((volume / "fx_rates").iterdir()) == []


def test_a_volume_that_takes_no_folder_is_no_file_that_waits(landing: PodLanding, volume: Path, tmp_path: Path) -> None:
    volume.touch()
    with pytest.raises(PlatformError, match=r"nifi-1: mkdir: .*(Not a directory|File exists)[^\n]*\n  →"):
        landing.place("fx_rates", file(tmp_path, b"content"))


def test_a_copy_that_breaks_leaves_nothing_that_waits(
    landing: PodLanding, volume: Path, tmp_path: Path, instead: Instead
) -> None:
    instead("cat", "head -c 3; echo 'No space left on device' >&2; exit 1")
    with pytest.raises(PlatformError, match="nifi-1: No space left on device"):
        landing.place("fx_rates", file(tmp_path, b"content"))
    assert list((volume / "fx_rates").iterdir()) == []


def test_drafts_and_folders_do_not_wait(landing: PodLanding, volume: Path) -> None:
    assert landing.waiting("fx_rates") == []
    for name in ("b.csv", "a file.zip", ".hidden.csv", "draft.csv.part"):
        (volume / "fx_rates" / name).touch()
    (volume / "fx_rates" / "a folder.csv").mkdir()
    (volume / "fx_rates" / "a folder.csv" / "c.csv").touch()
    assert landing.waiting("fx_rates") == ["a file.zip", "b.csv"]


def test_what_waits_is_sorted(landing: PodLanding, cluster: Pods) -> None:
    cluster.says = Executed(0, b"b.csv\nc.csv\na file.zip\n", b"")
    assert landing.waiting("fx_rates") == ["a file.zip", "b.csv", "c.csv"]


@pytest.mark.parametrize(("says", "told"), [(b"Read-only file system\n", "Read-only file system"), (b"", "2")])
def test_what_the_pod_says_went_wrong_is_told(landing: PodLanding, cluster: Pods, says: bytes, told: str) -> None:
    cluster.says = Executed(2, b"", says)
    for act in (landing.made, landing.waiting):
        with pytest.raises(PlatformError, match=rf"^nifi-1: {told}") as caught:
            act("fx_rates")
        assert caught.value.remedy == "python3 -m bootstrap logs nifi"


def test_without_a_pod_that_takes_requests_nothing_is_copied(
    landing: PodLanding, cluster: Pods, volume: Path, tmp_path: Path
) -> None:
    cluster.pod("nifi-1", ready="False")
    with pytest.raises(ClusterError, match="no pod of nifi in data-platform-integration is ready"):
        landing.place("fx_rates", file(tmp_path, b"content"))
    assert (cluster.ran, volume.exists()) == ([], False)


def test_what_the_flows_component_keeps_is_read(
    landing: PodLanding, cluster: Pods, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "DATA", PurePosixPath(tmp_path))
    (tmp_path / "flow.json.gz").write_bytes(b"a flow")
    assert landing.kept("flow.json.gz") == b"a flow"
    assert [pod for pod, _ in cluster.ran] == ["nifi-1"]
    with pytest.raises(OSError, match="nothing"):
        landing.kept("nothing")
