"""Modules are imported ahead in the process from which tasks are forked, and in no other."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from data_platform.hooks import preload
from tests.conftest import ROOT

_PROGRAM = """
import sys
from data_platform.hooks import preload
preload.for_forked_tasks()
print("data_platform.targets.local.target" in sys.modules, all(name in sys.modules for name in preload.MODULES))
"""


@pytest.mark.parametrize(("switch", "loaded"), [("on", True), ("", False)])
def test_modules_are_imported_where_the_switch_is_on(switch: str, loaded: bool) -> None:
    environment = {**os.environ, preload.SWITCH: switch, "PYTHONPATH": str(ROOT / "plugins")}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    # One that each task needs, by its name: an empty list would be imported, too.
    assert done.stdout.split() == [str(loaded), str(loaded)]
