"""Which pod a task runs in, where tasks are pods. Executors that start processes take no notice.

The templates are written with Airflow's own configuration (data_platform.targets.kubernetes.pods). A task that asks for
none of them has a dataset's pod with Airflow's image: no token, and no secret but what pipelines hold.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from data_platform.stack.capabilities import ORCHESTRATOR
from data_platform.targets.current import current_stack
from data_platform.targets.kubernetes.places import DEPLOYER_TEMPLATE, ETC
from data_platform.targets.kubernetes.settings import inside

if TYPE_CHECKING:
    from data_platform.stack.stack import Stack


def tasks_are_pods() -> bool:
    """Whether tasks run as pods here."""
    return inside() is not None


def pod_of(component: str) -> dict[str, Any]:
    """`executor_config` of a dataset's task that needs tools of a component, or of who stands for a capability: the
    image that has them, and room for them.
    """
    return _template(_stack().resolve(component))


def deployer_pod() -> dict[str, Any]:
    """`executor_config` of a task that changes components: it may ask the API server of Kubernetes."""
    return _template(DEPLOYER_TEMPLATE)


def _template(name: str) -> dict[str, Any]:
    return {"pod_template_file": str(ETC / _stack().resolve(ORCHESTRATOR) / "pods" / f"{name}.yaml")}


@cache
def _stack() -> Stack:
    """Read once: a process that parses asks for each task."""
    return current_stack()


class DeployerOperator(BaseOperator):
    """A task in the deployer's pod."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"executor_config": deployer_pod(), **kwargs})
