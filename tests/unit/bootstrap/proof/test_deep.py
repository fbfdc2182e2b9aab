"""What the deep run runs."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bootstrap.proof import deep, record
from bootstrap.proof.deep import Part, Wanted
from bootstrap.proof.inputs import Graph
from data_platform.stack.errors import PlatformError
from tests.unit.bootstrap.proof.conftest import commit

EVERYTHING = [
    "tests/cluster/test_database.py",
    "tests/drills/test_rates.py",
    "tests/drills/test_store.py",
    "tests/e2e/test_all.py",
    "tests/e2e/test_reader.py",
]


@pytest.fixture
def pytests(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Calls of pytest, which runs one test of each module; those of the cluster fail."""
    called: list[list[str]] = []
    run = subprocess.run

    def pretend(command: Sequence[str], **more: Any) -> Any:
        if not command[0].endswith("pytest"):
            return run(command, **more)
        called.append(list(command[1:]))
        modules = [word for word in command if word.endswith(".py")]
        failed = any("cluster" in name for name in modules)
        cases = "".join(
            f'<testcase classname="{name[:-3].replace("/", ".")}" time="1">{"<failure />" if failed else ""}</testcase>'
            for name in modules
        )
        (report,) = (word.partition("=")[2] for word in command if word.startswith("--junit-xml="))
        Path(report).write_text(f"<testsuites>{cases}</testsuites>", encoding="utf-8")
        return subprocess.CompletedProcess(command, int(failed))

    monkeypatch.setattr(subprocess, "run", pretend)
    return called


def modules_of(call: list[str]) -> list[str]:
    return [word for word in call if word.endswith(".py")]


def test_everything_that_needs_a_platform_is_run(graph: Graph) -> None:
    assert deep.chosen(graph, Wanted()) == EVERYTHING


def test_parts_are_everything_together(graph: Graph) -> None:
    found = [deep.chosen(graph, Wanted(Part(number, 2))) for number in (1, 2)]
    assert sorted(found[0] + found[1]) == EVERYTHING
    assert all(found)


def test_a_room_can_be_run_alone(graph: Graph) -> None:
    assert deep.chosen(graph, Wanted(room="e2e")) == ["tests/e2e/test_all.py", "tests/e2e/test_reader.py"]


def test_what_a_change_cannot_have_broken_is_left_out(graph: Graph) -> None:
    before = commit_of(graph)
    (graph.root / "tests/helping.py").write_text('STORE = "minio"  # changed\n', encoding="utf-8")
    commit(graph.root)
    (graph.root / "stack/charts/Chart.yaml").write_text("# not committed\n", encoding="utf-8")
    wanted = ["tests/cluster/test_database.py", "tests/drills/test_store.py"]
    assert deep.chosen(graph, Wanted(since=before)) == wanted
    assert deep.chosen(graph, Wanted(since="HEAD")) == wanted[:1]


def commit_of(graph: Graph) -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=graph.root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_commit_that_is_not_there_is_named(graph: Graph) -> None:
    with pytest.raises(PlatformError, match="--since nowhere: fatal: bad revision"):
        deep.chosen(graph, Wanted(since="nowhere"))


def test_a_room_that_fails_does_not_keep_the_others_from_being_run_and_recorded(
    checkout: Path, pytests: list[list[str]]
) -> None:
    assert deep.run(checkout, Wanted()) == 1
    # Tests on one platform share one pytest.
    assert [modules_of(call) for call in pytests] == [EVERYTHING[1:], EVERYTHING[:1]]
    found = {f"{one.room}/{one.component}": one.outcome for one in record.read(checkout)}
    assert found["cluster/postgresql"] == "failed"
    assert {outcome for name, outcome in found.items() if not name.startswith("cluster")} == {"passed"}


def test_all_that_passed_is_a_success(checkout: Path, pytests: list[list[str]]) -> None:
    assert deep.run(checkout, Wanted(room="e2e")) == 0
    assert len(pytests) == 1


def test_chosen_tests_are_run_and_not_recorded(checkout: Path, pytests: list[list[str]]) -> None:
    assert deep.run(checkout, Wanted(room="e2e", words="reads")) == 0
    assert pytests[0][-2:] == ["-k", "reads"]
    assert record.read(checkout) == []


def test_a_run_that_was_interrupted_is_no_proof(
    checkout: Path, pytests: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = subprocess.run

    def interrupted(command: Sequence[str], **more: Any) -> Any:
        done = run(command, **more)
        # As pytest ends then: what ran until then is in its report.
        return subprocess.CompletedProcess(command, 2) if command[0].endswith("pytest") else done

    monkeypatch.setattr(subprocess, "run", interrupted)
    assert deep.run(checkout, Wanted(room="e2e")) == 1
    assert len(pytests) == 1
    assert record.read(checkout) == []


def test_nothing_to_run_is_said(checkout: Path, pytests: list[list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    assert deep.run(checkout, Wanted(since="HEAD")) == 0
    assert pytests == []
    assert "nothing of the deep run is to be run" in capsys.readouterr().out
