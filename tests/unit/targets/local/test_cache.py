"""The cache is the user's, unless told otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_platform.targets.local.cache import CACHE_VARIABLE, cache_folder


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
