"""`cluster down` ends and removes the cluster of this very state folder, and nothing that only looks like one."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import pytest

from bootstrap.cluster import lifecycle, machine
from bootstrap.cluster.layout import Layout
from bootstrap.cluster.lifecycle import down
from data_platform.stack.errors import PlatformError
from data_platform.targets.local.mark import claim
from data_platform.targets.local.state import State, write_private


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of the clusters that were ended."""
    found: list[str] = []
    monkeypatch.setattr(machine, "restore", lambda record: found.append(record.id))
    return found


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A cluster, as `cluster up` leaves it."""
    found = Layout(tmp_path / "state")
    claim(State(found.platform_state))
    record = {"id": found.state.id, "group": "g", "link": "l", "node": "n", "machine": "m", "folders": []}
    write_private(found.record, json.dumps(record))
    (found.state.run).mkdir()
    return found


def test_a_cluster_goes_and_with_it_a_folder_that_was_there_for_it_alone(layout: Layout, ended: list[str]) -> None:
    assert down(layout) == 0
    assert ended == [layout.state.id]
    assert not layout.platform_state.exists()


def test_what_a_platform_or_a_person_has_beside_it_stays(layout: Layout, ended: list[str]) -> None:
    for name in ("settings.json", "letter.txt"):
        (layout.platform_state / name).write_text("{}")
    assert down(layout) == 0
    assert len(ended) == 1
    left = sorted(path.name for path in layout.platform_state.iterdir())
    assert left == ["letter.txt", "platform.json", "settings.json"]


@pytest.mark.parametrize("is_marked", [True, False])
def test_a_copy_ends_nothing_and_stays(layout: Layout, ended: list[str], tmp_path: Path, is_marked: bool) -> None:
    copy = Layout(Path(shutil.copytree(layout.platform_state, tmp_path / "copy")))
    if not is_marked:
        (copy.platform_state / "platform.json").unlink()
    with pytest.raises(PlatformError, match="was made as"):
        down(copy)
    assert ended == []
    assert copy.record.exists()


def test_a_cluster_that_came_into_a_marked_folder_from_elsewhere_stays(
    layout: Layout, ended: list[str], tmp_path: Path
) -> None:
    other = Layout(tmp_path / "other")
    claim(State(other.platform_state))
    shutil.copytree(layout.folder, other.folder)
    with pytest.raises(PlatformError, match="was made in another place"):
        down(other)
    for action in ("status", "up"):
        words = argparse.Namespace(state=other.platform_state, action=action, level="full", operators=[])
        with pytest.raises(PlatformError, match="was made in another place"):
            lifecycle.cluster(words)
    assert ended == []
    assert other.record.exists()


def test_a_folder_that_only_has_the_name_stays(layout: Layout, ended: list[str], tmp_path: Path) -> None:
    for state in (layout.platform_state, tmp_path / "a persons"):
        shutil.rmtree(state / "cluster", ignore_errors=True)
        (state / "cluster").mkdir(parents=True)
        (state / "cluster" / "measured.csv").write_text("mine")
        with pytest.raises(PlatformError, match=r"is no cluster of ours|there is no platform in"):
            down(Layout(state))
        assert (state / "cluster" / "measured.csv").exists()
    assert ended == []
