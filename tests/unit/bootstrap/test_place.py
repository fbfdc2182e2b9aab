"""A state folder belongs to the profile that it was brought up with."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bootstrap import place
from bootstrap.place import make_target, open_target, remember
from data_platform.stack.errors import PlatformError

if TYPE_CHECKING:
    from tests.conftest import Tiny


@pytest.fixture(autouse=True)
def _small_checkout(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "ROOT", tiny.root)


def settings(folder: Path) -> object:
    return json.loads((folder / "settings.json").read_text())


def test_a_new_state_folder_remembers_its_profile(tmp_path: Path) -> None:
    target = make_target(tmp_path / "state", "weeds")
    remember(target)
    assert target.stack.profile == "weeds"
    assert settings(tmp_path / "state") == {"target": "local", "profile": "weeds"}


def test_without_a_profile_it_is_the_default_and_later_the_one_in_use(tmp_path: Path) -> None:
    assert make_target(tmp_path / "one", None).stack.profile == "default"
    remember(make_target(tmp_path / "two", "weeds"))
    assert make_target(tmp_path / "two", None).stack.profile == "weeds"
    assert make_target(tmp_path / "two", "weeds").stack.profile == "weeds"


def test_another_profile_than_the_one_in_use_is_refused_and_nothing_changes(tmp_path: Path) -> None:
    remember(make_target(tmp_path / "state", "weeds"))
    with pytest.raises(PlatformError, match="'weeds', not 'default'") as caught:
        make_target(tmp_path / "state", "default")
    assert "--state" in caught.value.remedy
    assert "--profile weeds" in caught.value.remedy
    assert settings(tmp_path / "state") == {"target": "local", "profile": "weeds"}


def test_looking_at_a_new_state_folder_makes_nothing(tmp_path: Path) -> None:
    make_target(tmp_path / "state", "weeds")
    assert not (tmp_path / "state").exists()


def test_an_unknown_profile_leaves_no_state_folder(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="'production'"):
        make_target(tmp_path / "state", "production")
    assert not (tmp_path / "state").exists()


def test_opening_what_was_never_brought_up_is_refused_and_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="there is no platform in") as caught:
        open_target(argparse.Namespace(state=tmp_path / "state"))
    assert caught.value.remedy == "run: python3 -m bootstrap up"
    assert not (tmp_path / "state").exists()


def test_opening_uses_the_profile_in_use(tmp_path: Path) -> None:
    remember(make_target(tmp_path / "state", "weeds"))
    assert open_target(argparse.Namespace(state=tmp_path / "state")).stack.profile == "weeds"


def test_damaged_settings_are_refused(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "settings.json").write_text("{")
    with pytest.raises(PlatformError, match=r"settings\.json is damaged"):
        make_target(tmp_path / "state", None)
