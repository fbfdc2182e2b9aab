"""`ingest` refuses before anything lands."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from bootstrap import ingest as module
from bootstrap.ingest import datasets, ingest
from data_platform.datasets.landing.local import FolderLanding
from data_platform.stack.errors import PlatformError
from data_platform.targets.local.state import State


def visible(folder: Path) -> list[str]:
    """What a flow takes: names that do not begin with a dot."""
    return sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with one dataset and a platform."""
    (tmp_path / "datasets" / "fx_rates").mkdir(parents=True)
    (tmp_path / "datasets" / "fx_rates" / "contract.odcs.yaml").touch()
    monkeypatch.setattr(module, "ROOT", tmp_path)
    landing = FolderLanding(State(tmp_path / "state"), "nifi")
    monkeypatch.setattr(module, "open_target", lambda _: landing)
    monkeypatch.setattr(module, "landing_of", lambda target: target)
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
