"""Landing folders in the cluster: the scripts that pods run, run here in a folder of the test's own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import pytest

from data_platform.clients.kubernetes_errors import ClusterError
from data_platform.clients.kubernetes_streams import Executed
from data_platform.datasets.landing.kubernetes import PodLanding
from data_platform.datasets.landing.names import shown
from data_platform.stack.errors import PlatformError
from data_platform.targets.kubernetes import places
from tests.unit.datasets.landing.untakeable import untakeable
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


def test_a_copy_of_the_right_size_with_another_content_is_none(
    landing: PodLanding, volume: Path, tmp_path: Path, instead: Instead
) -> None:
    instead("cat", "/bin/cat | tr c x")
    with pytest.raises(PlatformError, match="nifi-1: the copy has the right size and another content"):
        landing.place("fx_rates", file(tmp_path, b"content"))
    assert list((volume / "fx_rates").iterdir()) == []


def test_a_shell_that_is_told_to_end_leaves_no_draft(
    landing: PodLanding, volume: Path, tmp_path: Path, instead: Instead
) -> None:
    instead("cat", "head -c 3; kill -TERM $PPID; exit 1")
    with pytest.raises(PlatformError):
        landing.place("fx_rates", file(tmp_path, b"content"))
    assert list((volume / "fx_rates").iterdir()) == []


def test_a_name_that_no_flow_takes_is_refused_before_anything_is_sent(
    landing: PodLanding, cluster: Pods, tmp_path: Path
) -> None:
    for name in (".hidden.csv", "a.part", os.fsdecode(b"\xe9.csv")):
        with pytest.raises(PlatformError, match="cannot land under its name"):
            landing.place("fx_rates", file(tmp_path, b"content", name))
    assert cluster.ran == []


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


def test_a_copy_that_meets_a_full_disk_names_it(
    landing: PodLanding, volume: Path, tmp_path: Path, instead: Instead
) -> None:
    instead("cat", "head -c 3; echo 'cat: write error: No space left on device' >&2; exit 1")
    table = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/b 9 9 0 100% /the landing"
    (tmp_path / "bin" / "df").write_text(f"#!/bin/sh\n[ -e \"$2\"/.*.part ] && printf '{table}'\n".replace("%", "%%"))
    (tmp_path / "bin" / "df").chmod(0o755)
    with pytest.raises(
        PlatformError, match="No space left on device; the disk /the landing has 0 bytes free"
    ) as caught:
        landing.place("fx_rates", file(tmp_path, b"content"))
    assert (caught.value.problem[-14:], "more room" in caught.value.remedy) == ("the file has 7", True)
    assert list((volume / "fx_rates").iterdir()) == []


def test_a_copy_that_breaks_leaves_nothing_that_waits(
    landing: PodLanding, volume: Path, tmp_path: Path, instead: Instead
) -> None:
    instead("cat", "head -c 3; echo 'No space left on device' >&2; exit 1")
    with pytest.raises(PlatformError, match="nifi-1: No space left on device"):
        landing.place("fx_rates", file(tmp_path, b"content"))
    assert list((volume / "fx_rates").iterdir()) == []


def test_drafts_and_folders_do_not_wait(landing: PodLanding, volume: Path) -> None:
    assert landing.lying("fx_rates") == ([], [])
    for name in ("b.csv", "a file.zip", ".hidden.csv", "draft.csv.part"):
        (volume / "fx_rates" / name).touch()
    (volume / "fx_rates" / "a folder.csv").mkdir()
    (volume / "fx_rates" / "a folder.csv" / "c.csv").touch()
    assert landing.lying("fx_rates").waiting == ["a file.zip", "b.csv"]


def test_what_lies_there_is_as_the_pod_sees_it_at_the_pods_time(landing: PodLanding, cluster: Pods) -> None:
    entries = [b"rf 60.5 60 3 c.csv", b"rf 60.5 60 4 a file.zip", b"-f 60.5 60 5 secret.csv", b"rf 200 60 6 future.csv"]
    cluster.says = Executed(0, b"100.25\n" + b"\0".join([*entries, b""]), b"")
    found = landing.lying("fx_rates")
    assert found.waiting == ["a file.zip", "c.csv"]
    assert [left.why.partition(":")[0] for left in found.left] == [
        "'future.csv' was changed in the future, at 1970-01-01T00",
        "'secret.csv' may not be read by the server that has the flows",
    ]


def test_what_is_never_taken_is_found_and_set_aside_whatever_it_is(landing: PodLanding, volume: Path) -> None:
    folder = volume / "fx_rates"
    landing.made("fx_rates")
    wanted = untakeable(folder) | {b"a\n. folder": "is a folder", b"-rf": "is a folder"}
    for name in ("a\n. folder", "-rf"):
        (folder / name).mkdir()
    (folder / "good.csv").write_text("good")
    found = landing.lying("fx_rates")
    assert found.waiting == ["good.csv"]
    assert {left.entry.name for left in found.left} == set(wanted)
    places_then = {left.entry.name: landing.set_aside("fx_rates", left) for left in found.left}
    assert [path.name for path in folder.iterdir()] == ["good.csv"]
    beside = volume / "fx_rates.set-aside"
    moved = {os.fsencode(path).rpartition(b"/")[2]: path for path in beside.glob("*/*")}
    assert set(moved) == set(wanted)
    for name, path in moved.items():
        told = json.loads((beside / f"{path.parent.name}.reason.json").read_text(encoding="utf-8"))
        assert wanted[name] in told["why"]
        assert places_then[name] == f"{path.parent}/{shown(name)}"
    assert (moved[b"a folder.csv"] / "inside.csv").read_text() == "inside"


def test_what_was_changed_or_is_gone_since_it_was_looked_at_is_not_set_aside(landing: PodLanding, volume: Path) -> None:
    landing.made("fx_rates")
    for name in ("mended.csv", "gone.csv"):
        (volume / "fx_rates" / name).mkdir()
    found = landing.lying("fx_rates").left
    (volume / "fx_rates" / "gone.csv").rmdir()
    (volume / "fx_rates" / "mended.csv" / "new").touch()
    assert [landing.set_aside("fx_rates", left) for left in found] == ["", ""]
    assert [path.name for path in volume.rglob("*")] == ["fx_rates", "mended.csv", "new"]


def test_what_cannot_be_set_aside_stays_and_nothing_is_left_of_the_try(
    landing: PodLanding, volume: Path, instead: Instead
) -> None:
    landing.made("fx_rates")
    (volume / "fx_rates" / "a folder").mkdir()
    (left,) = landing.lying("fx_rates").left
    instead("mv", "echo 'Permission denied' >&2; exit 1")
    with pytest.raises(PlatformError, match="nifi-1: Permission denied"):
        landing.set_aside("fx_rates", left)
    assert (volume / "fx_rates" / "a folder").is_dir()
    assert list((volume / "fx_rates.set-aside").iterdir()) == []


def test_a_file_that_is_taken_while_the_folder_is_looked_at_is_no_error(
    landing: PodLanding, volume: Path, instead: Instead
) -> None:
    """find says of a file that is gone since it was listed that it is not there, and fails."""
    landing.made("fx_rates")
    for number in range(50):
        (volume / "fx_rates" / f"{number}.csv").touch()
    instead("find", 'case " $* " in *" -ignore_readdir_race "*) exec /usr/bin/find "$@";; esac; exit 1')
    assert len(landing.lying("fx_rates").waiting) == 50


@pytest.mark.parametrize(("says", "told"), [(b"Read-only file system\n", "Read-only file system"), (b"", "2")])
def test_what_the_pod_says_went_wrong_is_told(landing: PodLanding, cluster: Pods, says: bytes, told: str) -> None:
    cluster.says = Executed(2, b"", says)
    for act in (landing.made, landing.lying):
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
