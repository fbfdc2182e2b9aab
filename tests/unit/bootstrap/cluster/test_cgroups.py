"""Control groups: ours are found and removed, those of others are not touched."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from bootstrap.cluster import cgroups
from data_platform.stack.errors import PlatformError

MOUNTS = """\
proc /proc proc rw 0 0
cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0
cgroup /sys/fs/cgroup/pids cgroup rw,pids 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
"""


@pytest.fixture
def hierarchies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Folders in the place of the kernel's."""
    found = [tmp_path / name for name in ("cpuset", "memory", "pids")]
    for path in found:
        path.mkdir()
    for name in ("cpuset.cpus", "cpuset.mems"):
        (found[0] / name).write_text("0-1\n")
    monkeypatch.setattr(cgroups, "hierarchies", lambda: found)
    return found


def test_hierarchies_of_both_versions_are_found() -> None:
    expected = [Path("/sys/fs/cgroup") / name for name in ("cpu", "pids", "unified")]
    assert cgroups.hierarchies(MOUNTS) == expected


def test_a_group_is_made_everywhere_twice_as_well(hierarchies: list[Path]) -> None:
    (hierarchies[0] / "ours").mkdir()
    # In a real hierarchy the kernel makes these.
    for name in ("cpuset.cpus", "cpuset.mems"):
        (hierarchies[0] / "ours" / name).write_text("\n")
    for _ in range(2):
        cgroups.make("ours")
    assert all((path / "ours").is_dir() for path in hierarchies)
    assert (hierarchies[2] / "ours" / "node").is_dir()
    assert (hierarchies[0] / "ours" / "cpuset.cpus").read_text() == "0-1\n"
    assert cgroups.entrance("ours") == hierarchies[2] / "ours" / "node" / "cgroup.procs"


def test_read_only_hierarchies_are_explained(hierarchies: list[Path]) -> None:
    (hierarchies[1] / "ours").write_text("in the way")
    (hierarchies[0]).chmod(0o755)
    with pytest.raises(PlatformError, match="cannot make the control group ours"):
        cgroups.make("ours")


def test_processes_of_all_groups_below_are_ours(hierarchies: list[Path]) -> None:
    for folder, pids in (
        ("ours", "11\n"),
        ("ours/node", "12\n13\n"),
        ("ours/kubepods/pod1", "14\n"),
        ("theirs", "15\n"),
    ):
        (hierarchies[2] / folder).mkdir(parents=True, exist_ok=True)
        (hierarchies[2] / folder / "cgroup.procs").write_text(pids)
    assert cgroups.processes("ours") == {11, 12, 13, 14}


def test_all_processes_are_ended(hierarchies: list[Path]) -> None:
    folder = hierarchies[2] / "ours"
    folder.mkdir()
    with subprocess.Popen(["sleep", "600"]) as process:  # noqa: TID251 - what is tested ends it
        (folder / "cgroup.procs").write_text(f"{process.pid}\n")
        original = cgroups.processes

        def processes(group: str) -> set[int]:
            # The kernel takes a process out that has ended.
            return {pid for pid in original(group) if process.poll() is None}

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cgroups, "processes", processes)
            cgroups.end_all("ours")
        assert process.wait(60) == -9


def test_a_process_that_does_not_end_is_named(hierarchies: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    (hierarchies[2] / "ours").mkdir()
    (hierarchies[2] / "ours" / "cgroup.procs").write_text("999999999\n")
    monkeypatch.setattr(cgroups, "_SECONDS", 0.01)
    with pytest.raises(PlatformError, match="999999999"):
        cgroups.end_all("ours")


def test_only_our_groups_are_removed(hierarchies: list[Path]) -> None:
    for folder in ("ours/kubepods/pod1", "ours/node", "theirs/node"):
        (hierarchies[1] / folder).mkdir(parents=True)
    cgroups.remove("ours")
    assert not (hierarchies[1] / "ours").exists()
    assert (hierarchies[1] / "theirs" / "node").is_dir()


def test_other_clusters_are_known(hierarchies: list[Path]) -> None:
    for name in ("data-platform-cluster-a", "data-platform-cluster-b", "kubepods"):
        (hierarchies[1] / name).mkdir()
    assert cgroups.others("data-platform-cluster-a") == ["data-platform-cluster-b"]


def test_a_group_that_goes_while_processes_are_listed_is_no_error(
    hierarchies: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    group = hierarchies[0] / "ours"
    (group / "gone").mkdir(parents=True)
    (group / "cgroup.procs").write_text("17\n")
    scan = os.scandir

    def scandir(path: str) -> object:
        if Path(path).name == "gone":
            raise FileNotFoundError(path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert cgroups.processes("ours") == {17}
