"""A cluster service: what a cluster needs once and its administrator may have already (an operator, a provisioner).

It is a component of the folder `components/cluster/`, on the target kubernetes alone, with a namespace of its own. The
platform deploys it, or verifies the administrator's; which of both, one setting says.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from data_platform.stack.check import CheckSpec
from data_platform.stack.terms import Key, Name, Strict

#: Folder of cluster services in `components/`. It is no namespace: each service has its own.
CLUSTER = "cluster"
#: Who has a cluster service. `deployed`: this platform. `administrator`: somebody else, and it is verified. `absent`:
#: nobody; it takes no part.
Provided = Literal["deployed", "administrator", "absent"]
DEPLOYED, ADMINISTRATOR, ABSENT = "deployed", "administrator", "absent"
#: Who has these can give himself everything.
_GIVES_RIGHTS = frozenset({"bind", "escalate", "impersonate"})

Word = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9./-]*$")]


class Right(Strict):
    """What may be done with some kinds of objects. Everything is named; there is no wildcard."""

    group: str = Field("", pattern=r"^[a-z0-9.-]*$", description="API group; empty for the core.")
    resources: tuple[Word, ...] = Field(min_length=1, description="In the plural, such as pods or pods/log.")
    verbs: tuple[Word, ...] = Field(min_length=1)
    names: tuple[Word, ...] = Field((), description="Only the objects of these names; all when left out.")

    @model_validator(mode="after")
    def _gives_no_rights(self) -> Self:
        if found := sorted(_GIVES_RIGHTS & set(self.verbs)):
            raise ValueError(f"verbs: {', '.join(found)}: who may do that can give himself everything; name the rights")
        return self


class Grant(Strict):
    """Rights that the bootstrap gives to an account, for Airflow can give none that it does not have."""

    to: Literal["own", "deployer"] = Field(
        "own", description="The service's own account, or Airflow's, which checks it and lets jobs use it."
    )
    namespaces: tuple[Name, ...] = Field(
        (), description="Where: keys of `namespaces`, or the service's own name; the whole cluster when left out."
    )
    reason: str = Field(min_length=10, description="What for.")
    rights: tuple[Right, ...] = Field(min_length=1)


class ServedKind(Strict):
    """A kind of objects that the cluster knows by this service."""

    group: str = Field(pattern=r"^[a-z0-9.-]+$", description="API group.")
    version: str = Field(pattern=r"^v[0-9a-z]+$", description="Version that is used.")
    kind: Word = Field(description="Such as SparkApplication.")
    resource: Word = Field(description="Its plural, such as sparkapplications.")

    @property
    def api_version(self) -> str:
        """Group and version, as objects say it."""
        return f"{self.group}/{self.version}"

    @property
    def definition(self) -> str:
        """Name of its CustomResourceDefinition."""
        return f"{self.resource}.{self.group}"

    def __str__(self) -> str:
        """As people read it."""
        return f"{self.kind} ({self.api_version})"


class Definitions(Strict):
    """Where the CustomResourceDefinitions of its kinds are."""

    artifact: Key = Field(description="Artifact of the component.")
    folder: str = Field(min_length=1, description="Folder in it, with a YAML file for each.")


class ClusterService(Strict):
    """What makes a component a cluster service."""

    provided: Provided = Field(DEPLOYED, description="Who has it where the environment does not say.")  # type: ignore[arg-type]
    kinds: tuple[ServedKind, ...] = Field((), description="Kinds that must be served, whoever has it.")
    definitions: Definitions | None = Field(
        None, description="The bootstrap makes these kinds known, for they belong to the whole cluster."
    )
    grants: tuple[Grant, ...] = Field((), description="Rights that its own account and Airflow's need.")
    pod_security: Literal["restricted", "privileged"] = Field(
        "restricted",
        description="Level of its namespace. Who makes pods in a privileged one has the nodes: the bootstrap alone"
        " deploys what needs it.",
    )

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.definitions and not self.kinds:
            raise ValueError("definitions needs kinds: which of them must be served")
        return self

    @property
    def is_privileged(self) -> bool:
        """Whether its pods may be anything on their node."""
        return self.pod_security == "privileged"

    def checks(self) -> tuple[CheckSpec, ...]:
        """What proves that its kinds are served."""
        if not self.kinds:
            return ()
        kinds = [{"api_version": kind.api_version, "kind": kind.kind} for kind in self.kinds]
        spec = {"name": "serves-its-kinds", "kind": "served_kinds", "within": 60.0, "with": {"kinds": kinds}}
        return (CheckSpec.model_validate(spec),)
