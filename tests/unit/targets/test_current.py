"""A process that was not started by the platform is told so, and takes no folder for its state."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_platform.stack.errors import PlatformError
from data_platform.targets.current import STATE_VARIABLE, anew, current_stack


def test_an_empty_variable_is_not_the_folder_that_we_are_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "settings.json").write_text('{"target": "local", "profile": "seaweedfs"}')
    monkeypatch.setenv(STATE_VARIABLE, "")
    with pytest.raises(PlatformError, match=f"{STATE_VARIABLE} is not set"):
        anew()
    assert current_stack().profile == "default"


def test_airflow_reads_what_the_environment_chose(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(
        '{"target": "local", "profile": "default", "capabilities": {"s3": "seaweedfs"}}'
    )
    monkeypatch.setenv(STATE_VARIABLE, str(tmp_path))
    found = current_stack()
    assert (found.profile, found.capabilities["s3"]) == ("default", "seaweedfs")
