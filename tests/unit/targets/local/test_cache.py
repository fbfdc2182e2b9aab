"""The cache is the user's, unless told otherwise."""

from __future__ import annotations

import pwd
from pathlib import Path

import pytest

from data_platform.targets.local.cache import CACHE_VARIABLE, cache_folder, has_place


def test_the_variable_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, "/big/disk")
    assert cache_folder() == Path("/big/disk")


@pytest.mark.parametrize("empty", ["", "  "])
def test_a_variable_that_says_nothing_is_as_if_it_was_not_set(monkeypatch: pytest.MonkeyPatch, empty: str) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, empty)
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/xdg/data-platform")


def test_then_the_desktop_standard_then_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CACHE_VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/xdg/data-platform")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/one")
    assert cache_folder() == Path("/home/one/.cache/data-platform")


def test_a_folder_of_the_standard_that_is_not_absolute_means_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CACHE_VARIABLE)
    monkeypatch.setenv("HOME", "/home/one")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/folder")
    assert cache_folder() == Path("/home/one/.cache/data-platform")


def test_a_user_without_a_home_has_a_place_where_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_: object) -> None:
        raise KeyError

    monkeypatch.delenv("HOME")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    assert has_place()
    monkeypatch.delenv(CACHE_VARIABLE)
    assert not has_place()
