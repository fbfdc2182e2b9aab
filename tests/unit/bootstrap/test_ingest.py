"""A file appears in its landing folder in one step, whole."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from bootstrap import ingest as module
from bootstrap.ingest import datasets, ingest, place
from data_platform.stack.errors import PlatformError


def visible(folder: Path) -> list[str]:
    """What a flow takes: names that do not begin with a dot."""
    return sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))


def test_a_file_is_copied_whole(tmp_path: Path) -> None:
    (tmp_path / "rates.csv").write_text("a,b\n1,2\n")
    (tmp_path / "landing").mkdir()
    place(tmp_path / "rates.csv", tmp_path / "landing")
    assert (tmp_path / "landing" / "rates.csv").read_text() == "a,b\n1,2\n"
    assert [p.name for p in (tmp_path / "landing").iterdir()] == ["rates.csv"]
    assert (tmp_path / "rates.csv").exists()


def test_while_it_is_copied_nothing_is_visible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rates.csv").write_text("x" * 100)
    (tmp_path / "landing").mkdir()
    seen: list[list[str]] = []
    copy = shutil.copyfile

    def slow(source: Path, target: Path) -> object:
        Path(target).write_text("half")
        seen.append(visible(tmp_path / "landing"))
        return copy(source, target)

    monkeypatch.setattr(shutil, "copyfile", slow)
    place(tmp_path / "rates.csv", tmp_path / "landing")
    assert seen == [[]]
    assert visible(tmp_path / "landing") == ["rates.csv"]


def test_an_interrupted_copy_leaves_nothing_visible_and_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rates.csv").write_text("new")
    (tmp_path / "landing").mkdir()
    (tmp_path / "landing" / "rates.csv").write_text("old")

    def cut(source: Path, target: Path) -> None:
        del source
        Path(target).write_text("n")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", cut)
    with pytest.raises(OSError, match="No space"):
        place(tmp_path / "rates.csv", tmp_path / "landing")
    assert (tmp_path / "landing" / "rates.csv").read_text() == "old"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with the flow of one dataset and a platform."""
    (tmp_path / "nifi_flows" / "fx_rates").mkdir(parents=True)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    state = SimpleNamespace(folder=tmp_path / "state")
    monkeypatch.setattr(module, "open_target", lambda _: SimpleNamespace(state=state))
    return tmp_path


def test_files_land_in_the_folder_of_their_dataset(checkout: Path) -> None:
    files = [checkout / "a.csv", checkout / "b.csv"]
    for file in files:
        file.write_text(file.name)
    assert datasets() == ["fx_rates"]
    assert ingest(argparse.Namespace(dataset="fx_rates", files=files)) == 0
    assert visible(checkout / "state" / "landing" / "fx_rates") == ["a.csv", "b.csv"]


def test_an_unknown_dataset_is_refused_with_the_known_ones(checkout: Path) -> None:
    with pytest.raises(PlatformError, match="'fx_rate'") as caught:
        ingest(argparse.Namespace(dataset="fx_rate", files=[]))
    assert caught.value.remedy == "use one of: fx_rates"
    assert not (checkout / "state").exists()


def test_one_unreadable_file_refuses_all_before_anything_lands(checkout: Path) -> None:
    (checkout / "a.csv").write_text("a")
    with pytest.raises(PlatformError, match=r"cannot be read: .*none\.csv, .*state"):
        ingest(
            argparse.Namespace(
                dataset="fx_rates", files=[checkout / "a.csv", checkout / "none.csv", checkout / "state"]
            )
        )
    assert not (checkout / "state").exists()


def test_two_files_of_one_name_are_refused_before_one_replaces_the_other(checkout: Path) -> None:
    files = [checkout / folder / "a.csv" for folder in ("one", "two")]
    for file in files:
        file.parent.mkdir()
        file.write_text(str(file))
    with pytest.raises(PlatformError, match=r"two files are named a\.csv"):
        ingest(argparse.Namespace(dataset="fx_rates", files=files))
    assert not (checkout / "state").exists()
