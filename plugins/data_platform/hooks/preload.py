"""Modules that nearly every task imports, imported once by the process from which tasks are forked.

Half a second of a core for each task. Elsewhere they are imported when they are needed.
"""

from __future__ import annotations

import os
from importlib import import_module

#: `on` for the process from which tasks are forked.
SWITCH = "DATA_PLATFORM_PRELOAD"
MODULES = (
    "data_platform.targets.local.target",
    "data_platform.lifecycle",
    "data_platform.checks.run",
    "data_platform.operators.lifecycle",
    "data_platform.datasets.audit",
    "data_platform.datasets.dbt_docs",
    "data_platform.datasets.files",
    "data_platform.datasets.flow",
    "data_platform.datasets.lineage",
)


def for_forked_tasks() -> None:
    """Import them where the switch is on."""
    if os.environ.get(SWITCH) == "on":
        for module in MODULES:
            import_module(module)
