"""A copy of a state folder knows the original's processes, ports and secrets, and does nothing with them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from data_platform.targets.local import contents
from data_platform.targets.local.state import DATA, FILES, FOLDERS, LOGS, State
from tests.running import ROOT, Running

#: How a copy is made; hard links lead to the very socket of the original's supervisor.
WAYS = {"copied": "-a", "linked": "-al"}
VERBS = {
    "down": ["down"],
    "purge": ["down", "--purge"],
    "purge after all": ["down", "--purge", "--adopt"],
    "up": ["up"],
    "up after all": ["up", "--adopt"],
    "status": ["status"],
    "logs": ["logs", "nessie"],
    "check": ["check", "nessie"],
    "run": ["run", "stack_health"],
    "rotate": ["rotate", "nessie"],
    "ingest": ["ingest", "fx_rates", str(ROOT / "README.md")],
    "cluster": ["cluster", "down"],
}


@pytest.fixture(scope="module", params=WAYS)
def copy(platform: Running, request: pytest.FixtureRequest) -> Iterator[Running]:
    """A copy of the running platform's state folder, beside it. Its data and logs, which are large, change nothing."""
    folder = platform.folder.parent / f"{request.param} state"
    folder.mkdir()
    small = [str(path) for path in platform.folder.iterdir() if path.name not in (DATA, LOGS)]
    subprocess.run(["cp", WAYS[request.param], *small, str(folder)], check=True, timeout=60)
    (folder / "cluster").mkdir()
    yield Running(folder)
    shutil.rmtree(folder)


def everything(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(p.relative_to(folder)): (p.stat().st_size, p.stat().st_mtime_ns) for p in folder.rglob("*")}


@pytest.mark.parametrize("verb", VERBS)
def test_no_verb_does_anything_in_a_copy(platform: Running, copy: Running, verb: str) -> None:
    programs, before = platform.programs(), everything(copy.folder)
    done = copy.bootstrap(*VERBS[verb], check=False)
    assert done.returncode == 2
    assert f"was made as {platform.folder}: this is a copy of it, or it was moved here" in done.stderr
    assert "→" in done.stderr
    assert everything(copy.folder) == before
    assert platform.programs() == programs


def test_a_copy_without_its_mark_is_known_too(platform: Running, copy: Running) -> None:
    """As of a platform of a version that wrote no mark."""
    (copy.folder / "platform.json").unlink()
    programs = platform.programs()
    for words in (["down"], ["down", "--purge"], ["down", "--purge", "--adopt"], ["up"], ["status"]):
        done = copy.bootstrap(*words, check=False)
        assert done.returncode == 2
        assert f"was made as {platform.folder}" in done.stderr
    assert platform.programs() == programs
    assert platform.bootstrap("check", "nessie").returncode == 0


def test_all_that_the_platform_makes_is_listed(platform: Running) -> None:
    state = State(platform.folder)
    assert {path.name for path in state.folder.iterdir()} <= {*FILES, *FOLDERS}
    found = contents.read(state)
    assert found.others == ()
    assert {path.name for path in found.ours} >= {"nessie", "postgresql", "minio", "platform.json", "run", "logs"}
