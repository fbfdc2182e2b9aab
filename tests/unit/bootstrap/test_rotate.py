"""`rotate`, and the takeover in `up`: when who holds a secret runs with the other value, nothing keeps the old one."""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

import pytest

from bootstrap import rotate, up
from bootstrap.progress import Progress
from data_platform import rotation
from data_platform.rotation import Secret

if TYPE_CHECKING:
    from pathlib import Path

SECRET = Secret("postgresql", "password")


class Lease:
    """Nobody else wants it."""

    def __init__(self, *_: object) -> None:
        self.taken = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def take(self) -> None:
        self.taken = True


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done, in its order."""
    found: list[str] = []
    monkeypatch.setattr(rotation, "affected", lambda _, secrets: ["postgresql", "airflow"] if secrets else [])
    for module in (rotate, up):
        monkeypatch.setattr(module, "install", lambda _, name, *__: found.append(f"install {name}"))
        monkeypatch.setattr(module, "finish", lambda *_: found.append("finish"))
        monkeypatch.setattr(module, "CommandLease", Lease)
    return found


@pytest.fixture
def place(done: list[str]) -> Any:
    """A target with the two components that the bootstrap installs, and one of Airflow's."""
    first, later = (SimpleNamespace(component=SimpleNamespace(bootstrap=whether)) for whether in (True, False))
    return SimpleNamespace(
        name="local",
        stack=SimpleNamespace(components={"postgresql": first, "airflow": first, "trino": later}),
        close=lambda: None,
        ensure_credentials=lambda: None,
        forget_earlier=lambda name: done.append(f"forget {name}"),
    )


def test_earlier_definitions_are_forgotten_when_all_run_with_the_other_value(
    place: Any, done: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(rotate, "open_target", lambda _: place)
    monkeypatch.setattr(rotate, "alone", lambda _: nullcontext())
    monkeypatch.setattr(rotate.mark, "require", lambda state: state)
    monkeypatch.setattr(rotation, "secrets_of", lambda *_: [SECRET])
    monkeypatch.setattr(rotation, "staged", lambda _: [])
    assert rotate.rotate(argparse.Namespace(state=tmp_path, holder="postgresql", secret="password")) == 0
    assert done == ["finish", "install postgresql", "install airflow", "forget postgresql", "forget airflow"]


@pytest.mark.parametrize(
    "case",
    [
        ([SECRET], True, "success", ["postgresql", "airflow", "trino"]),
        ([SECRET], True, "failed", []),
        ([SECRET], False, "success", ["postgresql", "airflow"]),
        ([], False, "success", []),
    ],
    ids=["takeover", "a deploy that failed", "rest of a rotation", "nothing rotated"],
)
def test_they_are_forgotten_when_all_is_deployed_and_those_of_an_earlier_release_of_everybody(
    place: Any, done: list[str], monkeypatch: pytest.MonkeyPatch, case: tuple[list[Secret], bool, str, list[str]]
) -> None:
    staged, is_taken_over, outcome, forgotten = case
    left = [staged]
    monkeypatch.setattr(up, "begin_takeover", lambda *_: is_taken_over)
    monkeypatch.setattr(rotation, "staged", lambda _: left.pop() if left else [])
    monkeypatch.setattr(up, "connect", lambda _: nullcontext())
    monkeypatch.setattr(up, "_deploy", lambda *_: done.append("deploy") or outcome)
    monkeypatch.setattr(up.runs, "follow", lambda *_: "success")
    assert up._bring_up(place, (), lambda: None, Progress()) == outcome
    assert done[done.index("deploy") + 1 :] == [f"forget {name}" for name in forgotten]
