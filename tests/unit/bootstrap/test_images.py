"""Images on their way to the node of the test cluster: what the bootstrap installs comes first."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bootstrap import images
from bootstrap.progress import Progress
from data_platform.clients.kubernetes import Cluster
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import Stack
from data_platform.targets.local.state import State

STACK = {"trino": False, "postgresql": True, "airflow": True, "minio": False}


def load(there: Sequence[str], tmp_path: Path) -> images.Loaded:
    """Load what a node that has some of the images lacks."""
    node = {"status": {"images": [{"names": [f"localhost/{name}:1"]} for name in there]}}
    stack = SimpleNamespace(
        components={n: SimpleNamespace(component=SimpleNamespace(bootstrap=first)) for n, first in STACK.items()}
    )
    cluster = SimpleNamespace(list_objects=lambda *_: [node])
    return images.load(State(tmp_path), cast("Stack", stack), cast("Cluster", cluster), Progress())


@pytest.fixture
def brought(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What was brought, in its order."""
    found: list[list[str]] = []
    built = {name: SimpleNamespace(reference=f"localhost/{name}:1") for name in STACK}
    monkeypatch.setattr(images, "build", lambda *_: built)
    monkeypatch.setattr(images, "bring", lambda _state, names, _progress: found.append(list(names)))
    return found


def test_what_the_bootstrap_installs_comes_first_and_the_rest_beside_it(
    tmp_path: Path, brought: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()

    def bring(_state: State, names: Sequence[str], _progress: Progress) -> None:
        if "localhost/trino:1" in names:
            assert goes_on.wait(30), "nobody went on while the rest was being loaded"
        brought.append(list(names))

    monkeypatch.setattr(images, "bring", bring)
    loaded = load([], tmp_path)
    assert brought == [["localhost/postgresql:1", "localhost/airflow:1"]]
    assert not loaded.rest.done()
    goes_on.set()
    loaded.rest.result(30)
    assert brought[1:] == [["localhost/minio:1", "localhost/trino:1"]]
    assert loaded.references == {name: f"localhost/{name}:1" for name in STACK}


def test_what_is_there_is_not_loaded_again(tmp_path: Path, brought: list[list[str]]) -> None:
    load(["airflow", "trino"], tmp_path).rest.result(30)
    assert brought == [["localhost/postgresql:1"], ["localhost/minio:1"]]


@pytest.mark.usefixtures("brought")
def test_a_fault_of_the_rest_is_met_by_who_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def bring(_state: State, names: Sequence[str], _progress: Progress) -> Any:
        if "localhost/trino:1" in names:
            raise PlatformError("no room on the node", "make some")

    monkeypatch.setattr(images, "bring", bring)
    loaded = load([], tmp_path)
    with pytest.raises(PlatformError, match="no room on the node"):
        loaded.rest.result(30)
