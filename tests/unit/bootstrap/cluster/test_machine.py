"""What a cluster changes is written down first, and put back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bootstrap.cluster import cgroups, machine, network
from bootstrap.cluster.layout import Layout
from data_platform.stack.errors import PlatformError


class Fake:
    """A machine that remembers what was done to it."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.others: list[str] = []
        self.record: Path | None = None


@pytest.fixture
def points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Two of the fixed paths: one is there, one is not."""
    there, missing = tmp_path / "there", tmp_path / "missing"
    there.mkdir()
    monkeypatch.setattr(machine, "MOUNT_POINTS", (str(there), str(missing)))
    return there, missing


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, points: tuple[Path, Path]) -> Fake:
    _ = points
    found = Fake()

    def make(group: str) -> None:
        assert found.record is None or found.record.exists(), "changed before it was written down"
        found.done.append(f"make {group}")

    @contextmanager
    def alone() -> Iterator[None]:
        yield

    monkeypatch.setattr(machine, "alone", alone)
    monkeypatch.setattr(network, "routes", list)
    monkeypatch.setattr(network, "remove", lambda link: found.done.append(f"unlink {link}"))
    monkeypatch.setattr(cgroups, "make", make)
    monkeypatch.setattr(cgroups, "end_all", lambda group: found.done.append(f"end {group}"))
    monkeypatch.setattr(cgroups, "remove", lambda group: found.done.append(f"remove {group}"))
    monkeypatch.setattr(cgroups, "others", lambda _: found.others)
    return found


@pytest.fixture
def layout(tmp_path: Path, fake: Fake) -> Layout:
    found = Layout(tmp_path / "state")
    fake.record = found.record
    return found


def test_what_is_made_is_written_down_before(layout: Layout, fake: Fake, points: tuple[Path, Path]) -> None:
    there, missing = points
    record = machine.claim(layout)
    assert record.folders == (str(missing),)
    assert (missing / machine.MARK).exists()
    assert not (there / machine.MARK).exists()
    assert fake.done == [f"make {record.group}"]
    assert json.loads(layout.record.read_text())["link"] == record.link
    assert layout.record.stat().st_mode & 0o777 == 0o600
    assert len(record.link) <= 15, "Linux allows no longer name"


def test_the_second_time_nothing_changes(layout: Layout) -> None:
    assert machine.claim(layout) == machine.claim(layout) == machine.read(layout)


def test_folders_that_a_restart_of_the_machine_removed_are_made_again(
    layout: Layout, points: tuple[Path, Path]
) -> None:
    there, missing = points
    first = machine.claim(layout)
    there.rmdir()
    record = machine.claim(layout)
    assert set(record.folders) == {str(there), str(missing)}
    assert record.node == first.node


def test_all_is_put_back(layout: Layout, fake: Fake, points: tuple[Path, Path]) -> None:
    there, missing = points
    record = machine.claim(layout)
    for _ in range(2):
        machine.restore(record)
    assert there.exists()
    assert not missing.exists()
    assert fake.done[1:4] == [f"end {record.group}", f"unlink {record.link}", f"remove {record.group}"]


def test_folders_stay_as_long_as_another_cluster_has_its_own_over_them(
    layout: Layout, fake: Fake, points: tuple[Path, Path]
) -> None:
    record = machine.claim(layout)
    fake.others = ["data-platform-cluster-other"]
    machine.restore(record)
    assert points[1].exists()


def test_a_folder_that_another_cluster_made_is_ours_to_remove_too(layout: Layout, points: tuple[Path, Path]) -> None:
    points[1].mkdir()
    (points[1] / machine.MARK).touch()
    record = machine.claim(layout)
    machine.restore(record)
    assert not points[1].exists()


def test_what_others_put_into_a_folder_stays(layout: Layout, points: tuple[Path, Path]) -> None:
    record = machine.claim(layout)
    (points[1] / "theirs").write_text("kept")
    machine.restore(record)
    assert (points[1] / "theirs").read_text() == "kept"


def test_everything_in_the_state_is_removed_the_record_last(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.claim(layout)
    (layout.data / "volumes").mkdir(parents=True)
    (layout.folder / "kubeconfig").write_text("x")
    (layout.platform_state / "credentials.json").write_text("the platform's own")
    with monkeypatch.context() as patch:
        patch.setattr(machine, "_remove", _refuse)
        with pytest.raises(OSError, match="refused"):
            machine.forget(layout)
    assert machine.read(layout) is not None
    machine.forget(layout)
    assert not layout.folder.exists()
    assert (layout.platform_state / "credentials.json").exists()


def _refuse(*paths: Path) -> None:
    assert all(path.name != "machine.json" for path in paths)
    raise OSError("refused")


def test_without_a_record_there_is_none(layout: Layout) -> None:
    assert machine.read(layout) is None


def test_a_damaged_record_is_explained(layout: Layout) -> None:
    layout.record.parent.mkdir(parents=True)
    layout.record.write_text("{")
    with pytest.raises(PlatformError, match="damaged"):
        machine.read(layout)
