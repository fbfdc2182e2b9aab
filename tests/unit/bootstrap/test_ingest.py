"""`ingest` refuses before anything lands."""

from __future__ import annotations

import argparse
import os
import unicodedata
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


def refused(files: list[Path]) -> PlatformError:
    """What is said of files of which none lands."""
    with pytest.raises(PlatformError) as caught:
        ingest(argparse.Namespace(dataset="fx_rates", files=files))
    return caught.value


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (b"taux_\xe9t\xe9.csv", r"taux_\xe9t\xe9.csv cannot land under its name: it is not UTF-8"),
        (b".hidden.csv", "begins with a dot"),
        (b"half.csv.part", "ends in .part"),
        (b"a\nb.csv", r"a\nb.csv cannot land under its name: it holds control characters"),
        (b"   ", "it is blank"),
    ],
)
def test_a_name_under_which_no_flow_takes_a_file_refuses_all_before_anything_lands(
    checkout: Path, name: bytes, why: str
) -> None:
    bad, good = Path(os.fsdecode(os.fsencode(checkout) + b"/" + name)), checkout / "a.csv"
    for file in (bad, good):
        file.write_text("a")
    found = refused([good, bad])
    assert why in found.problem
    assert "rename it" in found.remedy
    assert not (checkout / "state").exists()


def test_a_file_lands_under_a_tidy_name_and_it_is_said(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = checkout / (" " + unicodedata.normalize("NFD", "été") + ".csv ")
    file.write_text("a")
    assert ingest(argparse.Namespace(dataset="fx_rates", files=[file])) == 0
    assert visible(checkout / "state" / "landing" / "fx_rates") == ["été.csv"]
    assert capsys.readouterr().out.endswith("/été.csv (renamed: no blanks at its ends, accents in one form)\n")


def test_two_names_that_differ_in_the_form_of_their_accents_are_one(checkout: Path) -> None:
    files = [checkout / unicodedata.normalize(form, "été.csv") for form in ("NFC", "NFD")]
    for file in files:
        file.write_text(file.name)
    assert "two files are named été.csv" in refused(files).problem


def test_a_path_that_is_no_text_is_told_all_the_same(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path(os.fsdecode(os.fsencode(checkout) + b"/caf\xe9"))
    folder.mkdir()
    (folder / "a.csv").write_text("a")
    assert ingest(argparse.Namespace(dataset="fx_rates", files=[folder / "a.csv"])) == 0
    assert r"/caf\xe9/a.csv → " in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["folder", "pipe", "link to nowhere"])
def test_what_is_no_file_is_refused_as_what_it_is(checkout: Path, kind: str) -> None:
    path = checkout / "a.csv"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(checkout / "nowhere")
    said = {"folder": "a folder; name the files in it", "pipe": "no file but a pipe", "link to nowhere": "No such file"}
    assert said[kind] in refused([path]).problem
