"""Which rooms are run, with what, and what a machine must have for them."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bootstrap import testing
from bootstrap.arguments import DEEP_ROOMS, TEST_ROOMS
from bootstrap.proof import deep
from bootstrap.proof.inputs import PLATFORM_ROOMS
from bootstrap.testing import commands


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Commands that were run; those with `fails` in them fail."""
    found: list[str] = []

    def pretend(command: Sequence[str], **_: Any) -> Any:
        words = " ".join([command[0].rpartition("/")[2], *command[1:]])
        found.append(words)
        return subprocess.CompletedProcess(command, int(words in monkeypatched))

    monkeypatched: set[str] = {"pytest tests/docs"}
    monkeypatch.setattr(subprocess, "run", pretend)

    @contextmanager
    def begin(command: Sequence[str], _: object) -> Iterator[Callable[[], int]]:
        words = " ".join(command[1:])
        found.append(f"begin {words}")
        # Its code, 0, when the list is told of its end.
        yield lambda: found.append(f"end {words}") or 0

    monkeypatch.setattr(testing, "_started", begin)
    return found


@pytest.fixture
def enough(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine with two cores and 20 GiB."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(testing, "available_memory_gib", lambda: 20.0)
    return monkeypatch


def test_by_default_a_room_that_takes_long_runs_its_examples() -> None:
    found = dict(commands([]))
    assert found["e2e and drills"] == [["pytest", "tests/e2e", "tests/drills", "-m", "not deep"]]
    assert found["cluster"] == [["pytest", "tests/cluster", "-m", "api_level"]]
    assert found["unit"] == [["pytest", "tests/unit"]]
    assert " and ".join(found).split(" and ") == list(TEST_ROOMS)


def test_a_room_that_is_named_is_run_whole() -> None:
    assert commands(["drills"]) == [("drills", [["pytest", "tests/drills"]])]
    assert commands(["cluster"]) == [("cluster", [["pytest", "tests/cluster"]])]


def test_rooms_of_the_deep_run_are_those_with_a_platform() -> None:
    assert set(DEEP_ROOMS) == set(PLATFORM_ROOMS)


def test_a_room_that_fails_ends_the_run(ran: list[str], enough: pytest.MonkeyPatch) -> None:
    del enough
    assert testing._run([]) == 1
    assert ran[-1] == "pytest tests/docs"
    assert "pytest tests/unit" in ran


@pytest.mark.parametrize(("cores", "gib"), [(1, 20.0), (2, 7.5)], ids=["one core", "little memory"])
def test_a_machine_with_less_ends_with_words_before_the_platform(
    ran: list[str], enough: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], cores: int, gib: float
) -> None:
    enough.setattr("os.sched_getaffinity", lambda _: set(range(cores)))
    enough.setattr(testing, "available_memory_gib", lambda: gib)
    enough.setattr(testing, "commands", lambda rooms: [room for room in commands(rooms) if room[0] != "docs"])
    assert testing._run([]) == 1
    assert "pytest tests/cluster -m api_level" in ran
    assert not any("tests/e2e" in words for words in ran)
    said = capsys.readouterr().err
    assert f"e2e and drills: needs 2 cores and 9 GiB of free memory, and this machine has {cores} and {gib}" in said


def test_a_room_that_is_named_is_tried_on_any_machine(ran: list[str], enough: pytest.MonkeyPatch) -> None:
    enough.setattr("os.sched_getaffinity", lambda _: {0})
    assert testing._run(["e2e"]) == 0
    assert ran == ["pytest tests/e2e"]


def test_a_machine_with_enough_runs_all(ran: list[str], enough: pytest.MonkeyPatch) -> None:
    enough.setattr(testing, "commands", lambda rooms: [room for room in commands(rooms) if room[0] != "docs"])
    assert testing._run([]) == 0
    assert ran[-1] == "pytest tests/e2e tests/drills -m not deep"


def test_the_deep_run_is_given_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[deep.Wanted] = []
    monkeypatch.setattr(deep, "run", lambda _, wanted: asked.append(wanted) or 0)
    said = argparse.Namespace(rooms=["deep"], part=(2, 5), room="e2e", words="kill", since="main")
    assert testing.test(said) == 0
    assert testing.test(argparse.Namespace(rooms=["deep"], part=None, room="", words="", since="")) == 0
    assert asked == [deep.Wanted(deep.Part(2, 5), "e2e", "kill", "main"), deep.Wanted()]


def test_what_takes_long_on_one_core_is_begun_early_and_shown_at_its_turn(
    ran: list[str], enough: pytest.MonkeyPatch
) -> None:
    enough.setattr(testing, "commands", lambda rooms: [room for room in commands(rooms) if room[0] != "docs"])
    testing._run([])
    order = [ran.index(words) for words in ("begin tests/integration", "pytest tests/unit", "end tests/integration")]
    assert order == sorted(order)
    assert "pytest tests/integration" not in ran
    assert ran.index("end tests/integration") < ran.index("pytest tests/cluster -m api_level")


def test_a_room_that_is_named_is_not_begun_early(ran: list[str]) -> None:
    assert testing._run(["unit", "integration"]) == 0
    assert ran == ["pytest tests/unit", "pytest tests/integration"]


def test_what_was_begun_is_shown_with_its_code_and_ends_with_the_run(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(testing, "_BIN", Path(sys.executable).parent)
    script = "import sys; print('seen'); print('wrong', file=sys.stderr); sys.exit(3)"
    with testing._beside(["python", "-c", script]) as finish:
        assert finish() == 3
    assert sorted(capfd.readouterr().out.split()) == ["seen", "wrong"]
    with testing._started([sys.executable, "-c", "import signal; signal.pause()"], subprocess.DEVNULL) as wait:
        pass
    assert wait() == -signal.SIGTERM
