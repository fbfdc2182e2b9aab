"""The landing folders are those of the platform's target, and of the component that has the flows."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any

import pytest

from data_platform.datasets.landing import landing_of
from data_platform.datasets.landing.kubernetes import PodLanding
from data_platform.datasets.landing.local import FolderLanding
from data_platform.stack.load import KUBERNETES, LOCAL, load_stack
from data_platform.targets.local.state import State

ROOT = Path(__file__).resolve().parents[4]


def target(name: str, **own: Any) -> Any:
    return SimpleNamespace(name=name, stack=load_stack(ROOT, target=name), **own)


def test_on_this_machine_they_are_of_the_state_folder(tmp_path: Path) -> None:
    found = landing_of(target(LOCAL, state=State(tmp_path)))
    assert isinstance(found, FolderLanding)
    assert found.made("fx_rates") == str(tmp_path / "landing" / "fx_rates")


def test_in_a_cluster_they_are_seen_through_a_pod_of_the_component_with_the_flows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, str]] = []

    def ready_pod(_: object, component: str, namespace: str) -> str:
        asked.append((component, namespace))
        return "a-pod"

    monkeypatch.setattr("data_platform.datasets.landing.kubernetes.ready_pod", ready_pod)
    done = SimpleNamespace(returncode=0, stdout=b"", stderr=b"")
    found = landing_of(target(KUBERNETES, cluster=SimpleNamespace(execute=lambda *_, **__: done)))
    assert isinstance(found, PodLanding)
    assert PurePosixPath(found.made("fx_rates")).name == "fx_rates"
    assert asked == [("nifi", "data-platform-integration")]
