"""In a container the control group says what may be used, and not the whole machine."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from bootstrap import capacity

GIB = 1 << 30


class Machine:
    """A root with /proc and /sys."""

    def __init__(self, root: Path, available_gib: int = 16) -> None:
        self.root, self.proc = root, root / "proc"
        (self.proc / "self").mkdir(parents=True)
        (self.proc / "meminfo").write_text(f"MemTotal: 1 kB\nMemAvailable:   {available_gib << 20} kB\n")

    def group(self, path: str, **files: str) -> None:
        folder = self.root / path
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name.replace("__", ".")).write_text(f"{text}\n")

    def mounted(self, own: str, *mounts: str) -> None:
        (self.proc / "self" / "cgroup").write_text(own)
        (self.proc / "self" / "mountinfo").write_text("".join(f"{line}\n" for line in mounts))


V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_without_groups_it_is_what_the_kernel_says(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert capacity.memory_gib(machine.proc) == 16
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    assert capacity.cores(machine.proc) == 3


def test_a_container_of_version_2_has_its_limit_without_what_it_uses_and_with_what_is_cached(machine: Machine) -> None:
    machine.mounted("0::/\n", V2)
    files = {"memory__max": str(4 * GIB), "memory__current": str(2 * GIB)}
    machine.group("sys/fs/cgroup", **files, memory__stat=f"anon 1\ninactive_file {GIB}", cpu__max="50000 100000")
    assert capacity.memory_gib(machine.proc) == 3
    assert capacity.cores(machine.proc) == 0.5
    machine.group("sys/fs/cgroup", memory__max="max", cpu__max="max 100000")
    assert capacity.memory_gib(machine.proc) == 16
    assert capacity.cores(machine.proc) == len(os.sched_getaffinity(0))
    machine.group("sys/fs/cgroup", memory__high=str(3 * GIB))
    assert capacity.memory_gib(machine.proc) == 2


def test_the_limit_of_a_group_above_holds_too(machine: Machine) -> None:
    machine.mounted("0::/user.slice/session\n", V2)
    machine.group("sys/fs/cgroup/user.slice/session", memory__max=str(8 * GIB), memory__current="0", pids__max="max")
    machine.group("sys/fs/cgroup/user.slice", memory__max=str(2 * GIB), memory__current=str(GIB), pids__max="300")
    machine.group("sys/fs/cgroup/user.slice", pids__current="100", cpu__max="150000 100000")
    assert capacity.memory_gib(machine.proc) == 1
    assert capacity.tasks_left(machine.proc) == 200
    assert capacity.cores(machine.proc) == min(1.5, len(os.sched_getaffinity(0)))


@pytest.mark.parametrize(
    ("own", "root"), [("/docker/a1", "/docker/a1"), ("/docker/a1", "/"), ("/", "/")], ids=["seen", "outside", "own"]
)
def test_a_container_of_version_1_has_its_limit(machine: Machine, own: str, root: str) -> None:
    machine.mounted(
        f"3:cpu,cpuacct:{own}\n2:memory:{own}\n1:name=systemd:/\n0::/\n",
        f"31 23 0:27 {root} /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory",
        f"32 23 0:28 {root} /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct",
    )
    files = {"memory__limit_in_bytes": str(2 * GIB), "memory__usage_in_bytes": str(GIB)}
    machine.group("sys/fs/cgroup/memory", **files, memory__stat=f"cache 1\ntotal_inactive_file {GIB // 2}")
    machine.group("sys/fs/cgroup/cpu,cpuacct", cpu__cfs_quota_us="25000", cpu__cfs_period_us="100000")
    assert capacity.memory_gib(machine.proc) == 1.5
    assert capacity.cores(machine.proc) == 0.25
    machine.group("sys/fs/cgroup/memory", memory__limit_in_bytes="9223372036854771712")
    machine.group("sys/fs/cgroup/cpu,cpuacct", cpu__cfs_quota_us="-1")
    assert capacity.memory_gib(machine.proc) == 16
    assert capacity.cores(machine.proc) == len(os.sched_getaffinity(0))


def test_a_group_inside_of_a_container_of_version_1_is_found(machine: Machine) -> None:
    machine.mounted(
        "2:memory:/docker/a1/inner\n", "31 23 0:27 /docker/a1 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory"
    )
    files = {"memory__limit_in_bytes": str(2 * GIB), "memory__usage_in_bytes": str(GIB)}
    machine.group("sys/fs/cgroup/memory/inner", **files)
    assert capacity.memory_gib(machine.proc) == 1


def test_threads_are_limited_for_the_user_too(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (10, resource.RLIM_INFINITY))
    assert capacity.tasks_left(machine.proc) == float("inf")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (10, 512))
    assert capacity.tasks_left(machine.proc) == 512


@pytest.mark.parametrize(("flags", "up"), [("0x9", True), ("0x8", False), (None, True)])
def test_the_loopback_interface_is_up_or_not_told(machine: Machine, flags: str | None, up: bool) -> None:
    if flags:
        machine.group("sys/class/net/lo", flags=flags)
    assert capacity.has_loopback(machine.root / "sys") is up
