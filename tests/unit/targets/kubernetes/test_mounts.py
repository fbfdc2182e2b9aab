"""Credentials as mounted files."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_platform.targets.kubernetes import mounts, places


def test_what_a_pod_is_given_is_what_it_reads(tmp_path: Path) -> None:
    for name, content in mounts.file_of("dbt", {"key": "a value"}).items():
        (tmp_path / name).write_bytes(content)
    assert mounts.given("dbt", tmp_path) == {"key": "a value"}


def test_nothing_is_something_else_than_not_given(tmp_path: Path) -> None:
    for name, content in mounts.file_of("dbt", {}).items():
        (tmp_path / name).write_bytes(content)
    assert mounts.given("dbt", tmp_path) == {}
    assert mounts.given("spark", tmp_path) is None


def test_the_place_is_the_one_that_pods_mount(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(places, "CREDENTIALS", tmp_path)
    (tmp_path / "dbt.json").write_text("{}")
    assert mounts.given("dbt") == {}
