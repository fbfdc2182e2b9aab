"""A file appears in its landing folder in one step, whole, and replaces none that waits."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import pytest

from data_platform.datasets.landing.local import FolderLanding
from data_platform.datasets.landing.names import shown
from data_platform.stack.errors import PlatformError
from data_platform.targets.local.state import State
from tests.unit.datasets.landing.untakeable import untakeable

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
    with pytest.raises(
        PlatformError, match=r"the disk /.* is full \([0-9,]+ bytes free\): .*/landing/fx_rates/rates\.csv"
    ):
        place(tmp_path, tmp_path / "rates.csv")
    assert list((tmp_path / "landing" / DATASET).iterdir()) == []


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.EPERM])
def test_a_copy_that_cannot_be_made_for_another_reason_says_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    (tmp_path / "rates.csv").write_text("new")

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    with pytest.raises(PlatformError, match=rf"rates\.csv cannot be copied to /.*: {os.strerror(number)}"):
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
    assert landing.lying(DATASET).waiting == ["a.zip", "b.csv"]
    assert landing.lying("nowhere") == ([], [])


def test_what_is_never_taken_is_found_whatever_it_is(tmp_path: Path) -> None:
    landing = landing_in(tmp_path)
    folder = Path(landing.made(DATASET))
    wanted = untakeable(folder)
    (folder / "good.csv").write_text("good")
    found = landing.lying(DATASET)
    assert found.waiting == ["good.csv"]
    assert {left.entry.name for left in found.left} == set(wanted)
    for left in found.left:
        assert wanted[left.entry.name] in left.why
        assert not left.rested


def test_what_is_set_aside_is_whole_under_its_own_name_with_the_reason_beside_it(tmp_path: Path) -> None:
    landing = landing_in(tmp_path)
    folder = Path(landing.made(DATASET))
    wanted = untakeable(folder)
    places = {left.entry.name: landing.set_aside(DATASET, left) for left in landing.lying(DATASET).left}
    assert list(folder.iterdir()) == []
    beside = folder.with_name("fx_rates.set-aside")
    moved = {os.fsencode(path).rpartition(b"/")[2]: path for path in beside.glob("*/*")}
    assert set(moved) == set(wanted)
    for name, path in moved.items():
        told = json.loads((beside / f"{path.parent.name}.reason.json").read_text(encoding="utf-8"))
        assert wanted[name] in told["why"]
        assert places[name] == f"{path.parent}/{shown(name)}"
    assert (moved[b"a folder.csv"] / "inside.csv").read_text() == "inside"
    assert moved[b"taux_\xe9.csv"].read_bytes() == b"bad name"


def test_what_was_changed_or_is_gone_since_it_was_looked_at_is_not_set_aside(tmp_path: Path) -> None:
    landing = landing_in(tmp_path)
    folder = Path(landing.made(DATASET))
    for name in ("mended.csv", "gone.csv"):
        (folder / name).mkdir()
    gone, mended = landing.lying(DATASET).left
    for name in ("mended.csv", "gone.csv"):
        (folder / name).rmdir()
    (folder / "mended.csv").write_text("a file now")
    assert [landing.set_aside(DATASET, left) for left in (gone, mended)] == ["", ""]
    assert (folder / "mended.csv").read_text() == "a file now"
    assert not folder.with_name("fx_rates.set-aside").exists()


def test_what_cannot_be_set_aside_stays_and_nothing_is_left_of_the_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing = landing_in(tmp_path)
    folder = Path(landing.made(DATASET))
    (folder / "a folder").mkdir()
    (left,) = landing.lying(DATASET).left

    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(PlatformError, match="Invalid cross-device link"):
        landing.set_aside(DATASET, left)
    assert (folder / "a folder").is_dir()
    assert list(folder.with_name("fx_rates.set-aside").iterdir()) == []


def test_a_file_lands_under_its_tidy_name_and_no_name_is_taken_that_no_flow_takes(tmp_path: Path) -> None:
    (tmp_path / " rates.csv ").write_text("a")
    (tmp_path / ".hidden.csv").write_text("a")
    assert place(tmp_path, tmp_path / " rates.csv ").endswith("/landing/fx_rates/rates.csv")
    with pytest.raises(PlatformError, match="begins with a dot"):
        place(tmp_path, tmp_path / ".hidden.csv")
    assert visible(tmp_path / "landing" / DATASET) == ["rates.csv"]


def test_a_name_of_250_bytes_lands(tmp_path: Path) -> None:
    file = tmp_path / ("é" * 123 + ".csv")
    file.write_text("a")
    assert place(tmp_path, file).endswith(file.name)


def test_what_the_flows_component_keeps_is_read(tmp_path: Path) -> None:
    (tmp_path / "data" / "nifi").mkdir(parents=True)
    (tmp_path / "data" / "nifi" / "flow.json.gz").write_bytes(b"a flow")
    assert landing_in(tmp_path).kept("flow.json.gz") == b"a flow"
    with pytest.raises(OSError, match="nothing"):
        landing_in(tmp_path).kept("nothing")
