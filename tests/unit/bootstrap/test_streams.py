"""A sign that a terminal lacks, a reader that goes away and a closed stream change nothing of what is done."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
_SAYS = """
import os, sys
from bootstrap import streams
streams.prepare()
print("a → b… ✓ Ü \\udcff")
print("x" * 100000, flush=True)
for descriptor in (0, 1, 2):
    os.fstat(descriptor)
open(os.environ["DONE"], "w").close()
sys.exit(7)
"""


def say(shell: str, tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    script = tmp_path / "says.py"
    script.write_text(_SAYS, encoding="utf-8")
    done = subprocess.run(
        ["bash", "-c", shell, "bash", sys.executable, str(script)],
        cwd=ROOT,
        env={
            "PYTHONPATH": f"{ROOT}:{ROOT}/plugins",
            "PATH": "/usr/bin:/bin",
            "DONE": str(tmp_path / "done"),
            **environment,
        },
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (tmp_path / "done").exists(), done.stderr.decode()
    return done


@pytest.mark.parametrize(
    ("encoding", "line"),
    [
        ("ascii", b"a -> b... ok \\xdc \\udcff"),
        ("latin-1", b"a -> b... ok \xdc \\udcff"),
        ("utf-8", "a → b… ✓ Ü ".encode() + b"\\udcff"),
    ],
)
@pytest.mark.parametrize("to", ["", " > {file}"], ids=["pipe", "file"])
def test_a_sign_that_is_not_there_is_written_in_others(tmp_path: Path, encoding: str, line: bytes, to: str) -> None:
    file = tmp_path / "out"
    done = say(f'"$1" "$2"{to.format(file=file)}', tmp_path, PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (7, b"")
    assert (file.read_bytes() if to else done.stdout).splitlines()[0] == line


def test_a_reader_that_goes_away_ends_nothing_and_the_exit_code_is_the_verbs(tmp_path: Path) -> None:
    done = say('"$1" "$2" | true; exit "${PIPESTATUS[0]}"', tmp_path)
    assert (done.returncode, done.stderr) == (7, b"")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_no_place_for_another_file(tmp_path: Path, closed: str) -> None:
    done = say(f'"$1" "$2" {closed}', tmp_path)
    assert (done.returncode, done.stderr) == (7, b"")
