"""Every module of `data_platform.claims` is a kind of claims, whichever of them is imported first."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from data_platform import claims
from data_platform.stack.kinds import KINDS

#: Imports each kind as the first of all that is ours.
_EACH_FIRST = """
import importlib, sys
for kind in sys.argv[1:]:
    for name in [name for name in sys.modules if name.partition(".")[0] == "data_platform"]:
        del sys.modules[name]
    module = importlib.import_module(f"data_platform.claims.{kind}")
    kinds = importlib.import_module("data_platform.stack.kinds").KINDS
    assert kinds[kind].__module__ == module.__name__
    print(kind)
"""


def test_a_kind_is_a_module_with_one_model_of_that_kind() -> None:
    modules = {path.stem for path in Path(claims.__path__[0]).glob("*.py")} - {"__init__"}
    assert set(KINDS) == modules
    assert {"database", "bucket", "s3_user", "token", "branch"} <= modules
    for name, kind in KINDS.items():
        assert kind.__module__ == f"data_platform.claims.{name}"
        assert kind.model_fields["kind"].annotation.__args__ == (name,)  # type: ignore[union-attr]


def test_each_kind_may_be_imported_before_anything_else(root: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _EACH_FIRST, *KINDS],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": str(root / "plugins")},
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == list(KINDS)
