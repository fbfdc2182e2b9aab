"""The first thing that is looked at is the version of Python, before anything that an older one cannot read."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
MAIN = ROOT / "bootstrap" / "__main__.py"
#: Runs the command with another version than its own.
_OLD = """
import runpy, sys
sys.version_info = {version}
sys.argv = ["bootstrap", "status"]
runpy.run_module("bootstrap", run_name="__main__")
"""


@pytest.mark.parametrize("version", [(3, 6, 9), (3, 10, 12)])
def test_too_old_a_python_is_refused_with_its_version_and_the_remedy(version: tuple[int, int, int]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _OLD.format(version=version)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert f"Python {version[0]}.{version[1]} is too old; the platform needs 3.11 or newer" in done.stderr
    assert "→ install it" in done.stderr
    assert "Traceback" not in done.stderr


def test_too_new_a_python_is_refused_with_one_that_fits() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _OLD.format(version=(3, 14, 0))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "Python 3.14 is too new; the platform runs with python3.13, python3.12, python3.11" in done.stderr
    assert "→ run: python3.1" in done.stderr or "→ install one of them" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_comes_before_the_version_is_looked_at_can_be_read_by_an_old_python() -> None:
    tree = ast.parse(MAIN.read_text(encoding="utf-8"), feature_version=(3, 6))
    first = next(i for i, node in enumerate(tree.body) if isinstance(node, ast.If))
    imports = [node for node in tree.body[:first] if isinstance(node, ast.Import | ast.ImportFrom)]
    assert [alias.name for node in imports for alias in node.names] == ["sys"]
    # The package's own __init__ is read before that.
    ast.parse((ROOT / "bootstrap" / "__init__.py").read_text(encoding="utf-8"), feature_version=(3, 6))


def test_the_versions_of_python_are_those_of_pyproject() -> None:
    import tomllib

    from bootstrap.__main__ import OLDEST_PYTHON, TOO_NEW_PYTHON

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (
        project["requires-python"] == f">={OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]},<{'.'.join(map(str, TOO_NEW_PYTHON))}"
    )


@pytest.mark.parametrize(
    "module", ["arguments", "environment", "preflight", "streams", "surroundings", "capacity", "disks"]
)
def test_what_runs_before_the_environment_exists_needs_the_standard_library_alone(module: str) -> None:
    blocked = (
        "import sys\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        f"import bootstrap.{module}\n"
        "own = ('bootstrap', 'data_platform')\n"
        "print(*sorted({n.partition('.')[0] for n in sys.modules} - set(sys.stdlib_module_names) - set(own)))"
    )
    done = subprocess.run(
        # -I -S: no site-packages, so an import of anything else fails.
        [sys.executable, "-I", "-S", "-c", blocked],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) <= {"__main__", "__mp_main__"}
