"""What a machine cannot do for the platform is said where one looks."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bootstrap import doctor, place, report
from data_platform.datasets.pipeline_state import Pipeline, Run, Step, paused
from data_platform.datasets.pipeline_state import State as PipelineState
from data_platform.stack.errors import PlatformError
from data_platform.targets.local import confine
from data_platform.targets.local.mark import claim
from data_platform.targets.local.state import State
from tests.unit.bootstrap.test_folders import platform
from tests.unit.zones import shell_in


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
    target = SimpleNamespace(name="kubernetes", stack=stack, public_url=lambda *_: "https://airflow.example")
    described = {"target": "kubernetes", "profile": "default", "lease": None, "components": [], "pipelines": []}
    monkeypatch.setattr(report, "open_target", lambda _: target)
    monkeypatch.setattr(report.pipelines, "look", lambda _: ())
    monkeypatch.setattr(report.summary, "describe", lambda *_: described)
    monkeypatch.setattr(place, "ROOT", tmp_path)
    platform(tmp_path, ".platform-kubernetes", "kubernetes")
    here = platform(tmp_path, ".platform")
    report.status(argparse.Namespace(state=here, json=as_json))
    shown = capsys.readouterr().out
    assert ("say --target kubernetes to mean it" in shown) != as_json
    if as_json:
        assert json.loads(shown)["target"] == "kubernetes"


NOW = datetime(2026, 11, 26, 16, 33, 12, tzinfo=UTC)
AT = NOW - timedelta(minutes=3)


def component(**check: str) -> dict[str, Any]:
    whole = {"name": "counts-rows", "status": "passed", "seconds": 0.5, "evidence": "25", "at": AT.isoformat(), **check}
    texts = {"name": "trino", "version": "476", "state": "running", "page": "http://h:1/ui/", "endpoints": {}}
    return {**texts, "checks_declared": 1, "checks": [whole]}


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What `status` prints to somebody in Paris."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return NOW.astimezone(tz)

    stack = SimpleNamespace(file=SimpleNamespace(name="tiny"))
    target = SimpleNamespace(name="kubernetes", stack=stack, public_url=lambda *_: "https://airflow.example")
    monkeypatch.setattr(report, "open_target", lambda _: target)
    monkeypatch.setattr(report, "mention_others", lambda _: None)
    monkeypatch.setattr(report, "datetime", Clock)

    def status(lease: dict[str, str] | None = None, looked: Sequence[Pipeline] = ()) -> str:
        described = {"target": "local", "profile": "default", "lease": lease, "components": [component()]}
        monkeypatch.setattr(report.pipelines, "look", lambda _: tuple(looked))
        monkeypatch.setattr(report.summary, "describe", lambda _, pipelines: described | {"pipelines": pipelines})
        with shell_in("Europe/Paris", monkeypatch):
            assert report.status(argparse.Namespace(state=tmp_path, json=False)) == 0
        return capsys.readouterr().out

    return status


def test_status_says_when_checks_ran_last(shown: Callable[..., str]) -> None:
    assert "3 min ago" in next(line for line in shown().splitlines() if "trino" in line)


def test_status_tells_times_in_the_zone_of_the_shell(shown: Callable[..., str]) -> None:
    until = (NOW + timedelta(minutes=2)).isoformat()
    lease = {"holder": "stack_deploy/first", "purpose": "deploy", "since": AT.isoformat(), "until": until}
    assert (
        "Held by stack_deploy/first (deploy) since 2026-11-26 17:30:12 CET (3 min ago), until 2026-11-26 17:35:12 CET"
        " (in 2 min) unless it is renewed.\n"
    ) in shown(lease)


def test_status_says_what_is_the_matter_with_a_pipeline_and_what_to_do(shown: Callable[..., str]) -> None:
    fine = Pipeline("pipelines_a", "a", PipelineState.ON_TIME, ("its last run ended well ", AT))
    ask = Step("ask who [delivers] it", "python3 -m bootstrap ingest c FILE")
    stale = Pipeline("pipelines_c", "c", PipelineState.STALE, ("its newest data is from ", AT), (ask, Step("or wait")))
    lines = shown(looked=(fine, paused("pipelines_b", [Run("r", "queued", AT)], "b"), stale)).splitlines()
    assert lines[lines.index("on time  a: its last run ended well 2026-11-26 17:30:12 CET (3 min ago)") :] == [
        "on time  a: its last run ended well 2026-11-26 17:30:12 CET (3 min ago)",
        "paused  b: a run waits since 2026-11-26 17:30:12 CET (3 min ago)",
        "  → unpause it and run it: python3 -m bootstrap run pipelines_b, or https://airflow.example/dags/pipelines_b",
        "stale  c: its newest data is from 2026-11-26 17:30:12 CET (3 min ago)",
        "  → ask who [delivers] it: python3 -m bootstrap ingest c FILE",
        "  → or wait",
    ]
