"""`up` makes nothing where it may not, and goes on when what it stands on answers."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from bootstrap import runs
from bootstrap.doctor import doctor
from bootstrap.place import open_target
from bootstrap.progress import Progress
from bootstrap.up import _deploy, up
from data_platform import lifecycle
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import load_stack
from data_platform.stack.plan import Resource
from data_platform.targets.local.mark import claim
from data_platform.targets.local.state import State, write_private

if TYPE_CHECKING:
    from tests.conftest import Tiny


CHANGED = [Resource(kind="file", name="a", digest="1")]


def words_of(folder: Path, **more: object) -> argparse.Namespace:
    plain = {"target": None, "profile": None, "only": "", "foreground": False, "adopt": False}
    return argparse.Namespace(**{"state": folder, **plain, **more})


@pytest.mark.parametrize("more", [{}, {"adopt": True}, {"target": "kubernetes"}])
def test_a_folder_that_holds_something_else_is_refused_before_anything_is_written(
    tmp_path: Path, more: dict[str, object]
) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(PlatformError, match=r"it holds letter\.txt; nothing was written") as caught:
        up(words_of(tmp_path, **more))
    assert caught.value.remedy == "name a folder that is new or empty with --state"
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_copy_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    original, copy = State(tmp_path / "original"), State(tmp_path / "copy")
    claim(original)
    write_private(copy.mark_file, original.mark_file.read_text())
    write_private(copy.settings_file, json.dumps({"target": "local", "profile": "default"}))
    for act in (up, doctor, open_target):
        with pytest.raises(PlatformError, match=f"was made as {original.folder}"):
            act(words_of(copy.folder))
    assert sorted(path.name for path in copy.folder.iterdir()) == ["platform.json", "settings.json"]


@pytest.mark.parametrize(
    ("said", "deploys"),
    [
        (lifecycle.Observation([], [], proven=True), []),
        (lifecycle.Observation([], [], proven=False), [{"components": []}]),
        (lifecycle.Observation(CHANGED, [], proven=True), [{"components": []}]),
        (OSError("refused"), [{"components": []}]),
    ],
    ids=["as declared and proven", "not proven", "changed", "away"],
)
def test_airflow_deploys_unless_all_is_as_declared_and_proven(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, said: Any, deploys: list[Any]
) -> None:
    waited: list[str] = []
    target: Any = SimpleNamespace(stack=load_stack(tiny.root), wait=waited.append)
    last, asked = list(target.stack.components)[-1], list[Any]()

    def observe(_: Any, name: str) -> lifecycle.Observation:
        found = said if name == last else lifecycle.Observation([], [], proven=True)
        if isinstance(found, Exception):
            raise found
        return found

    def follow(_: Any, dag: str, conf: Any, __: Any) -> str:
        assert dag == "stack_deploy"
        asked.append(conf)
        return "failed"

    monkeypatch.setattr(lifecycle, "observe", observe)
    monkeypatch.setattr(runs, "follow", follow)
    airflow: Any = None
    assert _deploy(target, airflow, (), Progress()) == ("failed" if deploys else "success")
    assert asked == deploys
    assert waited == ([] if deploys else list(target.stack.components))


def test_large_downloads_are_told_with_their_size(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny.edit(tiny.local("reader"), lambda c: c["artifacts"]["program"].update(megabytes=820))
    missing = [Resource(kind="artifact", name=name, digest="1") for name in ("program", "shell")]
    target: Any = SimpleNamespace(stack=load_stack(tiny.root))
    monkeypatch.setattr(
        lifecycle,
        "observe",
        lambda _, name: lifecycle.Observation(missing if name == "reader" else [], [], proven=True),
    )
    monkeypatch.setattr(runs, "follow", lambda *_: "success")
    airflow: Any = None
    _deploy(target, airflow, (), Progress())
    assert "large ones to download: reader's program (820 MB)\n" in capsys.readouterr().out
