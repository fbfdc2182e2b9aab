"""What a machine cannot do for the platform is said where one looks."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bootstrap import doctor, place, report
from data_platform.stack.errors import PlatformError
from data_platform.targets.local import confine
from data_platform.targets.local.mark import claim
from data_platform.targets.local.state import State
from tests.unit.bootstrap.test_folders import platform


def of(name: str) -> Any:
    return SimpleNamespace(name=name)


def test_a_machine_that_cannot_confine_servers_is_told_of_where_they_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(confine, "abi", lambda: 0)
    report._print_shortfalls(of("kubernetes"))
    assert capsys.readouterr().out == ""
    report._print_shortfalls(of("local"))
    assert capsys.readouterr().out.startswith("Note: this kernel offers no Landlock")


def test_doctor_says_it_and_the_machine_is_ready_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(confine, "abi", lambda: 0)
    monkeypatch.setattr(doctor.preflight, "problems", lambda *_, **__: [])
    monkeypatch.setattr(doctor, "refuse_unfit", lambda *_: None)
    (tmp_path / "cached").write_bytes(bytes([1]) * (3 << 20))
    found = SimpleNamespace(
        stack=SimpleNamespace(components={}), state=SimpleNamespace(folder=tmp_path / "none"), cache=tmp_path
    )
    monkeypatch.setattr(doctor, "make_target", lambda *_: found)
    assert doctor.doctor(argparse.Namespace(state=tmp_path / "state")) == 0
    first, second, third = capsys.readouterr().out.splitlines()
    assert first.startswith("Note: this kernel offers no Landlock")
    assert second == f"On the disk: 0.0 MiB in {tmp_path / 'none'}, 3.0 MiB in {tmp_path}."
    assert third.startswith("This machine is ready")


def test_doctor_looks_at_no_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.preflight, "problems", lambda *_, **__: [])
    state = State(tmp_path / "state")
    claim(state)
    state.settings_file.write_text('{"target": "kubernetes", "profile": "default"}')
    with pytest.raises(PlatformError, match="holds a platform on kubernetes, and doctor looks at what runs on this"):
        doctor.doctor(argparse.Namespace(state=state.folder))


@pytest.mark.parametrize("as_json", [False, True])
def test_status_mentions_the_other_platform_to_people(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    stack = SimpleNamespace(file=SimpleNamespace(name="tiny"))
    target = SimpleNamespace(name="kubernetes", stack=stack)
    described = {"target": "kubernetes", "profile": "default", "lease": None, "components": []}
    monkeypatch.setattr(report, "open_target", lambda _: target)
    monkeypatch.setattr(report.summary, "describe", lambda _: described)
    monkeypatch.setattr(place, "ROOT", tmp_path)
    platform(tmp_path, ".platform-kubernetes", "kubernetes")
    here = platform(tmp_path, ".platform")
    report.status(argparse.Namespace(state=here, json=as_json))
    shown = capsys.readouterr().out
    assert ("say --target kubernetes to mean it" in shown) != as_json
    if as_json:
        assert json.loads(shown)["target"] == "kubernetes"
