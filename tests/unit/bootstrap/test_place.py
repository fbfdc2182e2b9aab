"""A state folder belongs to what it was brought up as."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bootstrap import environments, place
from bootstrap.place import make_target, mention_others, open_target, remember
from data_platform.stack.errors import PlatformError
from data_platform.targets.local.mark import claim
from data_platform.targets.local.state import State
from tests.unit.bootstrap.test_folders import platform

if TYPE_CHECKING:
    from tests.conftest import Tiny


@pytest.fixture(autouse=True)
def _small_checkout(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (environments, place):
        monkeypatch.setattr(module, "ROOT", tiny.root)


def settings(folder: Path) -> object:
    return json.loads((folder / "settings.json").read_text())


def words(folder: Path, **more: object) -> argparse.Namespace:
    return argparse.Namespace(state=folder, **more)


def brought_up(folder: Path, **asked: object) -> Path:
    """A state folder that remembers what it was asked to be."""
    remember(make_target(folder, asked), asked)
    return folder


def test_a_new_state_folder_remembers_what_it_was_asked_to_be(tmp_path: Path) -> None:
    folder = brought_up(tmp_path / "state", profile="weeds")
    assert settings(folder) == {"target": "local", "profile": "weeds"}
    more = {"environment": "lab", "capabilities": {"s3": "weeds"}, "domain": "lab.example", "values": {}}
    asked = {"target": "local", "profile": "default", **more}
    brought_up(folder, **asked)
    del asked["values"]
    assert settings(folder) == asked


def test_what_is_remembered_already_is_not_written_again(tmp_path: Path) -> None:
    folder = brought_up(tmp_path / "state", profile="weeds")
    before = (folder / "settings.json").stat().st_ino
    brought_up(folder, profile="weeds")
    assert (folder / "settings.json").stat().st_ino == before


def test_without_a_profile_it_is_the_default(tmp_path: Path) -> None:
    assert make_target(tmp_path / "one", {}).stack.profile == "default"


def test_looking_at_a_new_state_folder_makes_nothing(tmp_path: Path) -> None:
    make_target(tmp_path / "state", {"profile": "weeds"})
    assert not (tmp_path / "state").exists()


def test_an_unknown_profile_leaves_no_state_folder(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="'production'"):
        make_target(tmp_path / "state", {"profile": "production"})
    assert not (tmp_path / "state").exists()


def test_opening_what_was_never_brought_up_is_refused_and_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="there is no platform in") as caught:
        open_target(words(tmp_path / "state"))
    assert caught.value.remedy == "make one: python3 -m bootstrap up, with the same options"
    assert not (tmp_path / "state").exists()


def test_where_there_is_none_those_that_there_are_are_told(tiny: Tiny) -> None:
    platform(tiny.root, ".platform-staging", "kubernetes")
    for name in (".platform", ".platform-kubernetes"):
        with pytest.raises(PlatformError, match="there is no platform in") as caught:
            open_target(words(tiny.root / name))
        assert "say which one is meant (--environment staging), or make one" in caught.value.remedy


def test_opening_uses_what_is_remembered(tmp_path: Path) -> None:
    assert open_target(words(brought_up(tmp_path / "one", profile="weeds"))).stack.profile == "weeds"
    other = open_target(words(brought_up(tmp_path / "two", capabilities={"s3": "weeds"}))).stack
    assert (other.profile, other.capabilities) == ("default", {"s3": "weeds"})
    assert "minio" not in other.components


def test_a_target_that_was_said_is_the_one_that_is_opened(tmp_path: Path) -> None:
    folder = brought_up(tmp_path / "state")
    assert open_target(words(folder, target="local")).name == "local"
    with pytest.raises(PlatformError, match="is of the target local, not kubernetes; nothing was done") as caught:
        open_target(words(folder, target="kubernetes"))
    assert "--state" in caught.value.remedy


def test_damaged_settings_are_refused(tmp_path: Path) -> None:
    claim(State(tmp_path / "state"))
    (tmp_path / "state" / "settings.json").write_text("{")
    with pytest.raises(PlatformError, match=r"settings\.json is damaged"):
        open_target(words(tmp_path / "state"))


def test_the_other_platform_of_the_checkout_is_mentioned(tiny: Tiny, capsys: pytest.CaptureFixture[str]) -> None:
    platform(tiny.root, ".platform")
    mention_others(State(tiny.root / ".platform"))
    assert capsys.readouterr().out == ""
    there = platform(tiny.root, ".platform-kubernetes", "kubernetes")
    mention_others(State(tiny.root / ".platform"))
    assert capsys.readouterr().out == (
        f"Another platform, on kubernetes, is in {there}: say --target kubernetes to mean it.\n"
    )
