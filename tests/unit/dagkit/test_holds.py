"""A task waits where a drill holds it, and nowhere else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from data_platform.dagkit import components, datasets, holds
from data_platform.targets.current import STATE_VARIABLE

CONTEXT = {"ti": SimpleNamespace(dag_id="pipelines_x", task_id="dbt.run")}


def until(look: Callable[[], Any]) -> Any:
    again = Retrying(retry=retry_if_result(lambda found: not found), wait=wait_fixed(0.01), stop=stop_after_delay(60))
    return again(look)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that holds the task, in the state folder of this process."""
    monkeypatch.setenv(STATE_VARIABLE, str(tmp_path))
    found = holds.folder_of(tmp_path, "pipelines_x", "dbt.run")
    found.parent.mkdir(parents=True)
    return found


def test_a_task_that_nobody_holds_begins_at_once(folder: Path) -> None:
    holds.wait_at_hold(CONTEXT)
    assert list(folder.parent.iterdir()) == []


def test_what_holds_another_task_does_not_hold_this_one(folder: Path) -> None:
    other = folder.with_name("pipelines_x.load")
    other.mkdir()
    holds.wait_at_hold(CONTEXT)
    assert list(other.iterdir()) == []


def test_a_task_that_is_held_waits_for_the_word_each_time(folder: Path) -> None:
    folder.mkdir()
    for _ in range(2):
        task = threading.Thread(target=holds.wait_at_hold, args=(CONTEXT,))
        task.start()
        (told,) = until(lambda: list(folder.iterdir()))
        assert task.is_alive()
        told.unlink()
        task.join(60)
        assert not task.is_alive()


def test_a_task_goes_on_when_the_folder_is_removed(folder: Path) -> None:
    folder.mkdir()
    task = threading.Thread(target=holds.wait_at_hold, args=(CONTEXT,))
    task.start()
    (told,) = until(lambda: list(folder.iterdir()))
    told.unlink()
    folder.rmdir()
    task.join(60)
    assert not task.is_alive()


def test_a_task_whose_drill_is_gone_begins_in_the_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    monkeypatch.setattr(holds._until_gone.retry, "stop", stop_after_delay(0.2))  # type: ignore[attr-defined]
    holds.wait_at_hold(CONTEXT)
    assert len(list(folder.iterdir())) == 1


def test_outside_of_a_state_folder_nobody_waits(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    monkeypatch.delenv(STATE_VARIABLE)
    holds.wait_at_hold(CONTEXT)
    assert list(folder.iterdir()) == []


def test_every_task_of_the_platform_and_of_datasets_asks() -> None:
    assert components.DEFAULTS["pre_execute"] is holds.wait_at_hold
    assert datasets.DEFAULTS["pre_execute"] is holds.wait_at_hold
