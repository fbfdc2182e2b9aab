"""What `TakeFile` takes out of a landing folder and what it leaves, in the way of the platform's own judgement."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from data_platform.datasets.landing.local import FolderLanding
from data_platform.targets.local.state import State
from tests.integration.nifi.conftest import Java
from tests.unit.datasets.landing.untakeable import untakeable

DATASET = "fx_rates"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The landing folder, and one beside it for what comes meanwhile."""
    for name in (DATASET, "meanwhile"):
        (tmp_path / "landing" / name).mkdir(parents=True)
    return tmp_path / "landing" / DATASET


def put(folder: Path, name: str, content: str) -> None:
    """A file that has not been changed for a minute."""
    (folder / name).write_text(content)
    os.utime(folder / name, (time.time() - 60,) * 2)


def take(java: Java, folder: Path) -> list[str]:
    """Contents of the files that one look takes."""
    return sorted(java("Take", folder.parent, str(folder), str(folder.with_name("meanwhile"))).splitlines())


def test_it_takes_what_is_waited_for_and_nothing_else(java: Java, folder: Path) -> None:
    wanted = untakeable(folder)
    for name in ("good.csv", "a\nb.csv", "été.csv"):
        put(folder, name, name.replace("\n", " "))
    put(folder, ".hidden.csv", "hidden")
    put(folder, "half.csv.part", "half")
    judged = FolderLanding(State(folder.parents[1]), "nifi").lying(DATASET)
    assert (
        take(java, folder) == [name.replace("\n", " ") for name in judged.waiting] == ["a b.csv", "good.csv", "été.csv"]
    )
    left = {os.fsencode(path.name) for path in folder.iterdir()}
    assert left == {each.entry.name for each in judged.left} | {b".hidden.csv", b"half.csv.part"}
    assert {each.entry.name for each in judged.left} == set(wanted)


def test_a_file_that_was_replaced_while_it_was_taken_is_not_removed(java: Java, folder: Path) -> None:
    put(folder, "kept.csv", "old")
    put(folder, "gone.csv", "taken")
    put(folder.with_name("meanwhile"), "kept.csv", "new")
    assert take(java, folder) == ["old", "taken"]
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"kept.csv": "new"}
    assert take(java, folder) == ["new"]
    assert list(folder.iterdir()) == []


def test_no_more_are_taken_than_a_batch_has(java: Java, folder: Path) -> None:
    for number in range(7):
        put(folder, f"{number}.csv", str(number))
    assert [len(take(java, folder)) for _ in range(4)] == [3, 3, 1, 0]
    assert list(folder.iterdir()) == []
