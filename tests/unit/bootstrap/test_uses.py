"""What of the cache is used is said by checkouts, by platforms and by processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bootstrap import uses
from bootstrap.arguments import ROOT
from bootstrap.uses import Uses
from data_platform.stack.load import KUBERNETES, load_stack
from data_platform.targets.local.artifacts import place


def test_a_checkout_needs_what_both_targets_and_all_profiles_build_and_run(cache: Path) -> None:
    found = uses.of_this_checkout(cache)
    for profile, target in (("default", "local"), ("seaweedfs", "local"), ("default", KUBERNETES)):
        stack = load_stack(ROOT, profile, target)
        placed = [each for name in stack.components for each in place(stack, name, cache).values()]
        assert len(placed) > 10
        assert {f"artifacts/{each.folder.name}" for each in placed} <= found.names
    kinds = {name.partition("/")[0] for name in found.names}
    assert kinds == set(uses.KINDS)
    assert {name.partition("-")[0] for name in found.names if name.startswith("environments/")} == {
        "environments/platform",
        "environments/test",
    }
    # What the test cluster is made of: its programs, the toolchain that compiles them, its images.
    stems = {name.partition("/")[2].partition("-")[0] for name in found.names}
    assert {"kubernetes", "agents", "go", "image", "uv"} <= stems


def test_a_note_is_read_by_others_until_its_checkout_is_gone_or_forgotten(cache: Path, tmp_path: Path) -> None:
    uses.note(cache)
    mine = uses.of_this_checkout(cache)
    assert uses.noted(cache) == mine
    other = tmp_path / "other"
    other.mkdir()
    note = cache / uses.FOLDER / "0123.json"
    note.write_text(json.dumps({"root": str(other), "names": ["artifacts/x-1"], "layers": ["k"]}))
    assert uses.noted(cache) == mine.plus(Uses(frozenset({"artifacts/x-1"}), frozenset({"k"})))
    long_ago = time.time() - 91 * 86400
    os.utime(note, (long_ago, long_ago))
    assert uses.noted(cache) == mine
    assert not note.exists()
    note.write_text(json.dumps({"root": str(tmp_path / "gone"), "names": ["artifacts/x-1"], "layers": []}))
    assert uses.noted(cache) == mine
    assert not note.exists()


def test_what_a_platform_starts_is_used_also_while_it_is_stopped(cache: Path, tmp_path: Path) -> None:
    state = tmp_path / "a state"
    for folder, name in (("launch", "trino-1"), ("jobs", "dbt-2")):
        (state / "run" / folder).mkdir(parents=True)
        content = {"command": [f"{cache}/artifacts/{name}/bin/java"], "environment": {}}
        (state / "run" / folder / "c.p.json").write_text(json.dumps(content))
    cache.mkdir(exist_ok=True)
    (cache / "ports.json").write_text(json.dumps({"8080": str(state), "8090": str(tmp_path / "gone")}))
    assert uses.of_platforms(cache).names == {"artifacts/trino-1", "artifacts/dbt-2"}


@pytest.mark.parametrize("how", ["cmdline", "environ", "maps"])
def test_what_a_process_has_is_used_as_long_as_it_runs(cache: Path, how: str) -> None:
    folder = cache / "artifacts" / "java-1"
    folder.mkdir(parents=True)
    (folder / "lib").write_bytes(bytes(4096))
    code = "import mmap, sys; f = open(sys.stdin.readline().strip(), 'rb'); " if how == "maps" else "import sys; "
    code += "m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ); " if how == "maps" else ""
    code += "print('ready', flush=True); sys.stdin.read()"
    process = subprocess.Popen(  # noqa: TID251 - it is looked at while it runs
        [sys.executable, "-c", code, *([f"{folder}/lib"] if how == "cmdline" else [])],
        env={"HOME": f"{folder}/home"} if how == "environ" else {},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{folder}/lib\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ready\n"
        assert uses.of_processes(cache).names == {"artifacts/java-1"}
    assert uses.of_processes(cache).names == set()
