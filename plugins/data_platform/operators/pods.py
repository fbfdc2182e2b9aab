"""Which pod a task runs in, where tasks are pods. Executors that start processes take no notice.

The templates are written with Airflow's own configuration (data_platform.targets.kubernetes.pods). A task that asks for
none of them has a dataset's pod with Airflow's image: no token, and no secret but what pipelines hold.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseOperator

from data_platform.targets.kubernetes.places import AIRFLOW, DEPLOYER_TEMPLATE, ETC
from data_platform.targets.kubernetes.settings import inside


def tasks_are_pods() -> bool:
    """Whether tasks run as pods here."""
    return inside() is not None


def pod_of(component: str) -> dict[str, Any]:
    """`executor_config` of a dataset's task that needs a component's tools: its image, and room for them."""
    return _template(component)


def deployer_pod() -> dict[str, Any]:
    """`executor_config` of a task that changes components: it may ask the API server of Kubernetes."""
    return _template(DEPLOYER_TEMPLATE)


def _template(name: str) -> dict[str, Any]:
    return {"pod_template_file": str(ETC / AIRFLOW / "pods" / f"{name}.yaml")}


class DeployerOperator(BaseOperator):
    """A task in the deployer's pod."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"executor_config": deployer_pod(), **kwargs})
