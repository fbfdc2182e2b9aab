"""What a machine cannot do for the platform is said where one looks."""

from __future__ import annotations

import argparse
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bootstrap import doctor, report
from data_platform.targets.local import confine


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
    place = SimpleNamespace(stack=SimpleNamespace(components={}), state=SimpleNamespace(folder="/state"))
    monkeypatch.setattr(doctor, "make_target", lambda *_: place)
    assert doctor.doctor(argparse.Namespace(state=tmp_path / "state")) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("Note: this kernel offers no Landlock")
    assert second.startswith("This machine is ready")
