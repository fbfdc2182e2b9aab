"""A file appears in its landing folder in one step, whole, and replaces none that waits."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from data_platform.datasets.landing.local import FolderLanding
from data_platform.stack.errors import PlatformError
from data_platform.targets.local.state import State

DATASET = "fx_rates"


def landing_in(folder: Path) -> FolderLanding:
    return FolderLanding(State(folder), "nifi")


def place(folder: Path, file: Path) -> str:
    return landing_in(folder).place(DATASET, file)


def visible(folder: Path) -> list[str]:
    """What a flow takes: names that do not begin with a dot."""
    return sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))


def test_a_file_is_copied_whole(tmp_path: Path) -> None:
    (tmp_path / "rates.csv").write_text("a,b\n1,2\n")
    (tmp_path / "landing" / DATASET).mkdir(parents=True)
    place(tmp_path, tmp_path / "rates.csv")
    assert (tmp_path / "landing" / DATASET / "rates.csv").read_text() == "a,b\n1,2\n"
    assert [p.name for p in (tmp_path / "landing" / DATASET).iterdir()] == ["rates.csv"]
    assert (tmp_path / "rates.csv").exists()


def test_while_it_is_copied_nothing_is_visible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rates.csv").write_text("x" * 100)
    (tmp_path / "landing" / DATASET).mkdir(parents=True)
    seen: list[list[str]] = []
    copy = shutil.copyfile

    def slow(source: Path, target: Path) -> object:
        Path(target).write_text("half")
        seen.append(visible(tmp_path / "landing" / DATASET))
        return copy(source, target)

    monkeypatch.setattr(shutil, "copyfile", slow)
    place(tmp_path, tmp_path / "rates.csv")
    assert seen == [[]]
    assert visible(tmp_path / "landing" / DATASET) == ["rates.csv"]


def test_an_interrupted_copy_leaves_nothing_visible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rates.csv").write_text("new")
    (tmp_path / "landing" / DATASET).mkdir(parents=True)

    def cut(source: Path, target: Path) -> None:
        del source
        Path(target).write_text("n")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", cut)
    with pytest.raises(OSError, match="No space"):
        place(tmp_path, tmp_path / "rates.csv")
    assert list((tmp_path / "landing" / DATASET).iterdir()) == []


def test_two_copies_of_one_name_do_not_write_to_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one is made, whole, in the middle of the first."""
    landing, names = tmp_path / "landing" / DATASET, []
    for name, content in (("one", "first"), ("other", "second")):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "rates.csv").write_text(content)
    copy = shutil.copyfile

    def slow(source: Path, target: Path) -> object:
        names.append(target)
        if len(names) == 1:
            target.write_text("half")
            place(tmp_path, tmp_path / "other" / "rates.csv")
        return copy(source, target)

    monkeypatch.setattr(shutil, "copyfile", slow)
    with pytest.raises(PlatformError, match="waits there already"):
        place(tmp_path, tmp_path / "one" / "rates.csv")
    assert {path.name: path.read_text() for path in landing.iterdir()} == {"rates.csv": "second"}
    assert len(set(names)) == 2


def test_a_file_that_waits_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "rates.csv").write_text("new")
    (tmp_path / "landing" / DATASET).mkdir(parents=True)
    (tmp_path / "landing" / DATASET / "rates.csv").write_text("old")
    with pytest.raises(PlatformError, match=r"rates\.csv waits there already"):
        place(tmp_path, tmp_path / "rates.csv")
    assert (tmp_path / "landing" / DATASET / "rates.csv").read_text() == "old"


def test_drafts_and_folders_do_not_wait(tmp_path: Path) -> None:
    landing = landing_in(tmp_path)
    folder = Path(landing.made(DATASET))
    assert folder == tmp_path / "landing" / DATASET
    for name in ("b.csv", "a.zip", ".hidden.csv", "draft.csv.part"):
        (folder / name).touch()
    (folder / "a folder.csv").mkdir(parents=True)
    assert landing.waiting(DATASET) == ["a.zip", "b.csv"]
    assert landing.waiting("nowhere") == []


def test_what_the_flows_component_keeps_is_read(tmp_path: Path) -> None:
    (tmp_path / "data" / "nifi").mkdir(parents=True)
    (tmp_path / "data" / "nifi" / "flow.json.gz").write_bytes(b"a flow")
    assert landing_in(tmp_path).kept("flow.json.gz") == b"a flow"
    with pytest.raises(OSError, match="nothing"):
        landing_in(tmp_path).kept("nothing")
