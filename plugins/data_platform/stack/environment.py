"""What `environments/<name>.yaml` may say: what differs between the platforms that one checkout is deployed as."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from data_platform.stack.load import LOCAL
from data_platform.stack.service import Provided
from data_platform.stack.terms import Name, Strict

#: What only a cluster has.
_CLUSTER = ("size", "context", "kubeconfig", "registry", "storage_class", "cluster_services", "values")
#: Words of letters, digits and hyphens with points between, as in `data.bank.example`.
Domain = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$")]


class Retention(Strict):
    """How long the orchestrator keeps its own past (DAG `operations_airflow`)."""

    runs_days: int = Field(90, ge=7, description="Runs in its database, with their tasks; in days.")
    logs_days: int = Field(30, ge=1, description="Logs of tasks that nobody writes to any more; in days.")


class Environment(Strict):
    """One environment. What it does not say is as it is without an environment."""

    summary: str = Field("", description="What it is for.")
    target: Literal["local", "kubernetes"] = Field(description="Where components run.")
    profile: Name | None = Field(None, description="A profile of stack/stack.yaml; the default one when left out.")
    capabilities: dict[Name, Name] = Field(
        default_factory=dict, description="Which component stands for a capability, over the profile's choice."
    )
    domain: Domain | None = Field(None, description="DNS domain below which people reach the components.")
    authorities: str | None = Field(
        None,
        min_length=1,
        description="File (PEM) with the certificates of authorities by which the platform's own servers are known,"
        " absolute or from `~`; the usual authorities when left out.",
    )
    retention: Retention | None = Field(
        None, description="How long the orchestrator keeps its own past; 90 days of runs and 30 of logs when left out."
    )
    promoted_from: Name | None = Field(
        None, description="Environment that must have proven the same definitions: `up` refuses others."
    )
    size: Literal["small", "production"] | None = Field(
        None, description="kubernetes: how much of everything; small when left out."
    )
    context: str | None = Field(
        None, min_length=1, description="kubernetes: context of the kubeconfig; the test cluster when left out."
    )
    kubeconfig: str | None = Field(
        None, min_length=1, description="kubernetes: that file, absolute or from `~`; the user's when left out."
    )
    registry: str | None = Field(
        None, min_length=1, description="kubernetes: HOST/PATH from where nodes pull the platform's images."
    )
    storage_class: str | None = Field(
        None, min_length=1, description="kubernetes: of all volumes; that of the size, or the cluster's, when left out."
    )
    cluster_services: dict[Name, Provided] = Field(
        default_factory=dict,
        description="kubernetes: who has a cluster service: the platform deploys it, it is the administrator's and is"
        " verified, or nobody has it; as the service says when left out.",
    )
    values: dict[Name, dict[str, Any]] = Field(
        default_factory=dict,
        description="kubernetes: by component, over its chart's values and those of the size. They hold no secret.",
    )

    @model_validator(mode="after")
    def _fits_its_target(self) -> Self:
        if self.target == LOCAL and (said := [key for key in _CLUSTER if getattr(self, key)]):
            raise ValueError(f"{', '.join(said)}: for the target kubernetes only")
        for key in ("kubeconfig", "authorities"):
            if (path := getattr(self, key)) and not path.startswith(("/", "~")):
                raise ValueError(f"{key}: it must be an absolute path, or begin with ~")
        if self.kubeconfig and not self.context:
            raise ValueError("kubeconfig needs context: which of its clusters is meant")
        return self
