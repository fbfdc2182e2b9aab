"""`files` says what became of files, and keeps who decided what, when and why."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from bootstrap import files as module
from bootstrap.files import files
from data_platform.datasets.decisions import Decision, Verdict
from data_platform.datasets.files import RawFile
from data_platform.datasets.review import Known, Word
from data_platform.stack.errors import PlatformError
from tests.unit.zones import shell_in

AT = datetime(2026, 11, 2, 10, tzinfo=UTC)
FILE = RawFile(object="fx_rates/x.csv", sha256="0f" * 32, source_file="[été].csv", ingested_at=AT, bytes=9)


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was asked of the platform."""
    asked: list[Any] = []

    def act(verdict: Verdict) -> Any:
        def decide(_: object, dataset: str, text: str, word: Word, __: float) -> Decision:
            asked.append((verdict, dataset, text, *word))
            return word.on(verdict, FILE.sha256, FILE.source_file)

        return decide

    monkeypatch.setattr(module, "open_target", lambda _: SimpleNamespace(close=lambda: asked.append("closed")))
    monkeypatch.setattr(module.review, "accept", act(Verdict.ACCEPTED))
    monkeypatch.setattr(module.review, "take_back", act(Verdict.TAKEN_BACK))
    monkeypatch.setattr(module.review, "known_files", lambda *_: [Known(FILE, published=True, decision=None)])
    monkeypatch.setattr(module.getpass, "getuser", lambda: "ann")
    monkeypatch.setattr(module.platform, "node", lambda: "host")
    return asked


def said(action: str, **more: str) -> argparse.Namespace:
    return argparse.Namespace(**{"action": action, "dataset": "fx_rates", "file": "", "why": ""} | more)


@pytest.mark.parametrize(("action", "verdict"), [("accept", Verdict.ACCEPTED), ("take-back", Verdict.TAKEN_BACK)])
def test_a_decision_is_kept_with_who_and_why(
    done: list[Any], capsys: pytest.CaptureFixture[str], action: str, verdict: Verdict
) -> None:
    assert files(said(action, file="0f0f0f", why="it was so")) == 0
    assert done == [(verdict, "fx_rates", "0f0f0f", "ann on host", "it was so"), "closed"]
    out = capsys.readouterr().out
    assert f"[été].csv (0f0f0f0f0f0f) is {verdict} by ann on host: it was so" in out
    assert "pipelines_fx_rates starts by itself" in out


def test_files_are_listed_under_the_names_that_they_came_with(
    done: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with shell_in("Europe/Paris", monkeypatch):
        assert files(said("list")) == 0
    (line,) = [text for text in capsys.readouterr().out.splitlines() if "0f0f" in text]
    for words in ("0f0f0f0f0f0f ", "[été].csv", "2026-11-02 11:00:00 CET (", "published"):
        assert words in line
    assert done == ["closed"]


def test_a_long_reason_stays_in_its_line(
    done: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    decision = Word("ann on host", "why " * 60).on(Verdict.TAKEN_BACK, FILE.sha256, FILE.source_file)
    monkeypatch.setattr(module.review, "known_files", lambda *_: [Known(FILE, published=False, decision=decision)])
    assert files(said("list")) == 0
    assert decision.reason in capsys.readouterr().out
    assert done == ["closed"]


def test_a_dataset_without_files_says_how_to_bring_one(
    done: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module.review, "known_files", lambda *_: [])
    assert files(said("list")) == 0
    assert "python3 -m bootstrap ingest fx_rates FILE" in capsys.readouterr().out
    assert done == ["closed"]


def test_an_unknown_dataset_is_refused_before_anything_is_asked(done: list[Any]) -> None:
    with pytest.raises(PlatformError, match="there is no dataset 'fx_rate'"):
        files(said("list", dataset="fx_rate"))
    assert done == []
