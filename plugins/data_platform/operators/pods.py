"""Which pod a task runs in, where tasks are pods."""

from __future__ import annotations

from typing import Any

from data_platform.targets.kubernetes.places import ETC
from data_platform.targets.kubernetes.settings import inside


def tasks_are_pods() -> bool:
    """Whether tasks run as pods here."""
    return inside() is not None


def pod_of(component: str) -> dict[str, Any]:
    """`executor_config` of a task that needs a component's tools: its image, and room for them.

    The templates are written with Airflow's own configuration (data_platform.targets.kubernetes.pods). Executors that
    start processes take no notice.
    """
    return {"pod_template_file": str(ETC / "airflow" / "pods" / f"{component}.yaml")}
