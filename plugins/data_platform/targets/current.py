"""The target that this process belongs to: Airflow's processes are told by their environment."""

from __future__ import annotations

import os
from pathlib import Path

from data_platform.stack.errors import PlatformError
from data_platform.stack.load import DEFAULT_PROFILE, Stack, load_stack
from data_platform.targets.base import Target

#: Set for Airflow's processes by stack/components/core/airflow/local.yaml.
STATE_VARIABLE = "DATA_PLATFORM_STATE"
ROOT = Path(__file__).resolve().parents[3]


def current_stack() -> Stack:
    """The stack of the profile that this platform was brought up with; of the default one outside a platform."""
    folder = os.environ.get(STATE_VARIABLE)
    if folder is None:
        return load_stack(ROOT)
    from data_platform.targets.local.state import State

    return load_stack(ROOT, str(State(Path(folder)).settings().get("profile", DEFAULT_PROFILE)))


def current() -> Target:
    """The target of this process.

    Raises:
        PlatformError: this process was not started by the platform.
    """
    folder = os.environ.get(STATE_VARIABLE)
    if folder is None:
        raise PlatformError(f"{STATE_VARIABLE} is not set", "run this through python3 -m bootstrap, or in Airflow")
    from data_platform.targets.local.state import State
    from data_platform.targets.local.target import LocalTarget

    return LocalTarget(current_stack(), State(Path(folder)))
