"""The target that this process belongs to: Airflow's processes are told by their environment."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from data_platform.stack.errors import PlatformError
from data_platform.stack.load import DEFAULT_PROFILE, KUBERNETES, LOCAL, load_stack
from data_platform.stack.stack import Stack
from data_platform.targets.base import Target
from data_platform.targets.kubernetes import settings

#: Set for Airflow's processes by stack/components/core/airflow/local.yaml; kubernetes.yaml sets places' own.
STATE_VARIABLE = "DATA_PLATFORM_STATE"
#: Links are kept: git-sync's leads to another commit when there is one, and what it led to is removed.
ROOT = Path(__file__).absolute().parents[3]


def current_stack() -> Stack:
    """The stack of the profile that this platform was brought up with; of the default one outside a platform."""
    if (inside := settings.inside()) is not None:
        said = (inside.profile, KUBERNETES, inside.capabilities, inside.values)
        return load_stack(ROOT, *said, cluster_services=inside.cluster_services)
    folder = os.environ.get(STATE_VARIABLE)
    if not folder:
        return load_stack(ROOT)
    from data_platform.targets.local.state import State

    asked = State(Path(folder)).settings()
    return load_stack(ROOT, asked.get("profile", DEFAULT_PROFILE), LOCAL, asked.get("capabilities"))


def current() -> Target:
    """The target of this process; in a cluster one for the whole process, which remembers what it has read.

    Raises:
        PlatformError: this process was not started by the platform.
    """
    return anew() if settings.inside() is None else _kept()


def anew() -> Target:
    """The target as it is now, for a process that lives longer than definitions and credentials do.

    Raises:
        PlatformError: this process was not started by the platform.
    """
    if (here := settings.inside()) is not None:
        from data_platform.clients import kubernetes
        from data_platform.targets.kubernetes.places import BIN
        from data_platform.targets.kubernetes.releases import Helm
        from data_platform.targets.kubernetes.target import KubernetesTarget

        cluster = kubernetes.connect_in_pod()
        return KubernetesTarget(current_stack(), here, cluster, Helm(str(BIN / "helm")), inside=True)
    folder = os.environ.get(STATE_VARIABLE)
    if not folder:  # an empty one would be the folder that we are in
        raise PlatformError(f"{STATE_VARIABLE} is not set", "run this through python3 -m bootstrap, or in Airflow")
    from data_platform.targets.local.state import State
    from data_platform.targets.local.target import LocalTarget

    state = State(Path(folder))
    return LocalTarget(current_stack(), state, state.settings())


@cache
def _kept() -> Target:
    """One client for the whole process: the API server tells it its kinds once."""
    return anew()
