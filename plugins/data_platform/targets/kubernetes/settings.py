"""What a platform on Kubernetes was asked to be; the bootstrap decides it, and Airflow's processes are told."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from data_platform.stack.environment import Retention
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import DEFAULT_PROFILE
from data_platform.stack.service import Provided
from data_platform.stack.terms import Name, Strict
from data_platform.targets.kubernetes.places import SETTINGS_VARIABLE


class Settings(Strict):
    """One platform on one cluster."""

    platform: str = Field(default="", description="Id of the platform; empty where the bootstrap did not make it.")
    profile: Name = DEFAULT_PROFILE
    capabilities: dict[Name, Name] = Field(
        default_factory=dict, description="Components that the environment chooses, over the profile's."
    )
    size: Literal["small", "production"] = "small"
    values: dict[Name, dict[str, Any]] = Field(
        default_factory=dict, description="What the environment says over the values of charts, by component."
    )
    cluster_services: dict[Name, Provided] = Field(
        default_factory=dict, description="Who has a cluster service, where the environment says it."
    )
    domain: str = Field(default="", description="DNS domain below which people reach the components; none when empty.")
    retention: Retention = Field(
        default_factory=lambda: Retention.model_validate({}),
        description="How long the orchestrator keeps its own past.",
    )
    authorities: str = Field(
        default="", description="Certificates (PEM) by which the platform's own servers are known; no secret."
    )
    images: dict[Name, str] = Field(default_factory=dict, description="Reference of each component's image.")
    storage_class: str = Field(default="", description="Storage class of volumes; the cluster's default when empty.")
    api_server: str = Field(default="", description="ADDRESS:PORT of the API server, as pods reach it.")

    def image(self, component: str) -> str:
        """Reference of a component's image.

        Raises:
            PlatformError: it has none here.
        """
        if component not in self.images:
            raise PlatformError(
                f"there is no image of {component}", "build the images again: python3 -m bootstrap images build"
            )
        return self.images[component]


def inside(environment: Mapping[str, str] = os.environ) -> Settings | None:
    """The settings of the platform whose pod this is; None outside."""
    text = environment.get(SETTINGS_VARIABLE)
    return Settings.model_validate_json(text) if text else None
