"""The component model: what `component.yaml` and `stack.yaml` may say.

Unknown keys are errors. The JSON schema in `docs/reference/` is generated from these classes.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from data_platform.stack.check import CheckSpec
from data_platform.stack.definition import Definition, Kubernetes
from data_platform.stack.endpoint import Endpoint
from data_platform.stack.facets import Faceted
from data_platform.stack.kinds import KINDS, ClaimEntry
from data_platform.stack.service import ADMINISTRATOR, ClusterService, Provided
from data_platform.stack.terms import Key, Name, Strict


class Connection(Strict):
    """The Airflow connection that is derived from an endpoint and the generated credentials."""

    type: Key = Field(description="Airflow connection type, such as trino, postgres, http, aws.")
    endpoint: Key = Field(description="Which of the endpoints it goes to.")
    login: Key | None = Field(None, description="Credential of the identity `pipelines` that is the login.")
    password: Key | None = Field(None, description="Credential of the identity `pipelines` that is the password.")
    db_schema: str | None = Field(None, alias="schema", description="Airflow's `schema` field (a database or catalog).")
    extra: dict[str, Any] = Field(default_factory=dict, description="Airflow's `extra` field.")
    tls: dict[str, Any] = Field(default_factory=dict, description="More of `extra`, where its endpoint is https.")
    trust: str = Field("verify", description="Field of `extra` with the file of certificates of trusted authorities.")
    url_host: bool = Field(False, description="True where the hook wants the whole address in `host`.")


class Resources(Strict):
    """What the component needs, for preflight on `local` and requests on `kubernetes`."""

    cpu: float = Field(gt=0, description="Cores.")
    memory_mib: int = Field(gt=0, description="Resident memory in MiB.")
    storage_mib: int = Field(0, ge=0, description="Disk for its data in MiB.")
    open_files: int = Field(1024, gt=0, description="Files that one of its processes has open, at most (on `local`).")
    ascii_path: bool = Field(False, description="It starts from a path without accents alone (on `local`).")


class Rotation(Strict):
    """What it takes to give a secret another value, where giving it to its holders is not all. Exactly one way."""

    role: Key | None = Field(None, description="PostgreSQL role whose password it is.")
    fernet: bool = Field(False, description="Airflow's rows are encrypted with it, and are encrypted anew.")
    refused: str | None = Field(None, description="Why it cannot be done.")

    @model_validator(mode="after")
    def _exactly_one_way(self) -> Self:
        if [self.role is not None, self.fernet, self.refused is not None].count(True) != 1:
            raise ValueError("give exactly one of role, fernet and refused")
        return self


def _refuse_others(field: str, said: Iterable[str], kinds: Iterable[str], what: str) -> None:
    """Refuse what is said that is none of the kinds; `what` these are."""
    fitting = list(kinds)
    if others := sorted(set(said) - set(fitting)):
        raise ValueError(f"{field} names {', '.join(others)}, which is {what}; use one of: {', '.join(fitting)}")


def _claimed_by_name() -> list[str]:
    """Kinds of which a claim need say nothing but its name."""
    return [
        name
        for name, kind in KINDS.items()
        if {key for key, field in kind.model_fields.items() if field.is_required()} == {"kind", "name"}
    ]


class Identity(Strict):
    """A holder of credentials that is no component: something that acts for itself in a component's processes."""

    summary: str = Field(min_length=10, description="Who acts by it, and for what.")
    component: Name = Field(description="In whose namespace its credentials lie.")
    claims: tuple[ClaimEntry, ...] = Field((), description="What components make for it, with credentials of its own.")
    each_dataset: tuple[Key, ...] = Field(
        (), description="Kinds of claims that it has for each dataset, by the dataset's name."
    )
    calls: tuple[Name, ...] = Field((), description="Components whose endpoints it calls without credentials.")

    @model_validator(mode="after")
    def _kinds_fit(self) -> Self:
        _refuse_others(
            "each_dataset", self.each_dataset, _claimed_by_name(), "no kind of claim that a name is enough for"
        )
        return self


class Component(Faceted):
    """`component.yaml`: what a component is, on any target. Each facet is a key of it too."""

    name: Name
    namespace: Name = Field(description="Namespace without the platform's prefix: storage, processing, …")
    version: str = Field(min_length=1, description="Version of the software.")
    summary: str = Field(min_length=10, description="One sentence: why it is here.")
    provides: tuple[Name, ...] = Field((), description="Capabilities; stack.yaml says which component stands for one.")
    after: tuple[Name, ...] = Field(
        (),
        description="What must be verified before (components, capabilities), besides who makes what it claims.",
    )
    calls: tuple[Name, ...] = Field(
        (),
        description="Whom its processes call (components, capabilities), besides who makes what it claims: it knows"
        " their addresses, and the network lets it through.",
    )
    bootstrap: bool = Field(False, description="True for what the bootstrap installs before Airflow exists.")
    endpoints: dict[Key, Endpoint] = Field(default_factory=dict)
    connection: Connection | None = None
    credentials: dict[Key, str] = Field(
        default_factory=dict, description="Fixed names, such as a user name; not secret."
    )
    secrets: tuple[Key, ...] = Field((), description="Generated at first start; nobody else is given them.")
    rotation: dict[Key, Rotation] = Field(
        default_factory=dict, description="Of which of its secrets another value takes more than giving it to it."
    )
    claims: tuple[ClaimEntry, ...] = Field((), description="What others make for it, with credentials of its own.")
    serves: dict[Key, Key] = Field(
        default_factory=dict,
        description="Kinds of claims that it serves, each with the way: by which of the server's interfaces it is made,"
        " or `configuration`, where its configuration files list it.",
    )
    shows: tuple[Key, ...] = Field(
        (),
        description="Kinds of claims, its own or others', of which it knows all names, by a binding (BRANCHES). It"
        " begins anew when one is added.",
    )
    resources: Resources
    checks: tuple[CheckSpec, ...] = Field(min_length=1)

    @property
    def all_checks(self) -> tuple[CheckSpec, ...]:
        """Its own checks, and those of its facets."""
        return (*self.checks, *(check for side in self.facets.values() for check in side.checks()))

    @property
    def all_before(self) -> tuple[str, ...]:
        """Components and capabilities that must be verified before it."""
        makers = (claim.provider for claim in self.claims if claim.first)
        return tuple(dict.fromkeys((*self.after, *makers)))

    @property
    def all_called(self) -> tuple[str, ...]:
        """Components and capabilities that its processes call."""
        return tuple(dict.fromkeys((*self.calls, *(claim.provider for claim in self.claims))))

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        names = [check.name for check in self.checks]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two checks are named {', '.join(twice)}")
        if unknown := sorted(self.rotation.keys() - set(self.secrets)):
            raise ValueError(f"rotation names {', '.join(unknown)}, which is not among the secrets")
        if self.connection and self.connection.endpoint not in self.endpoints:
            raise ValueError(f"connection.endpoint {self.connection.endpoint!r} is not one of the endpoints")
        _refuse_others("serves", self.serves, KINDS, "no kind of claim")
        shown = (name for name, kind in KINDS.items() if kind.shown_as)
        _refuse_others("shows", self.shows, shown, "no kind of claim that has a binding with all names")
        for kind, way in self.serves.items():
            if way not in KINDS[kind].ways:
                raise ValueError(f"serves.{kind} is {way!r}, expected one of: {', '.join(KINDS[kind].ways)}")
        return self


class Profile(Strict):
    """A named choice: which component stands for a capability, and which components are left out."""

    summary: str
    capabilities: dict[Name, Name] = Field(default_factory=dict)
    without: tuple[Name, ...] = ()


class StackFile(Strict):
    """`stack.yaml`: what is true of the platform as a whole."""

    name: Name
    namespaces: dict[Name, str] = Field(description="Namespace (without the prefix) and what it is for.")
    capabilities: dict[Name, Name] = Field(description="Which component provides a capability by default.")
    profiles: dict[Name, Profile]
    identities: dict[Name, Identity] = Field(
        default_factory=dict, description="Holders of credentials that are no components."
    )


class Loaded(Strict):
    """A component on a target, with its folder."""

    component: Component
    definition: Definition = Field(description="How it runs on the stack's target.")
    folder: Path
    kubernetes: Kubernetes | None = Field(default=None, description="Its kubernetes.yaml, on that target.")
    values: dict[str, Any] = Field(
        default_factory=dict, description="What the environment says over the values of its chart."
    )
    given: dict[str, Any] = Field(
        default_factory=dict, description="Values of its chart that follow from what is there; below those of a size."
    )
    provided: Provided | None = Field(default=None, description="Of a cluster service: who has it.")

    @property
    def name(self) -> str:
        """The component's name."""
        return self.component.name

    @property
    def endpoints(self) -> dict[str, Endpoint]:
        """Addresses that it listens on."""
        return self.component.endpoints

    @property
    def processes(self) -> tuple[str, ...]:
        """Names of its processes."""
        return tuple(self.definition.processes)

    @property
    def service(self) -> ClusterService | None:
        """What makes it a cluster service; None for what is none."""
        return self.kubernetes.cluster_service if self.kubernetes else None

    @property
    def part(self) -> str:
        """Its namespace without the platform's prefix: a cluster service has one of its own."""
        return self.name if self.service else self.component.namespace

    @property
    def is_deployed(self) -> bool:
        """Whether the platform deploys it; otherwise it is the administrator's, and only verified."""
        return self.provided != ADMINISTRATOR

    @property
    def has_chart(self) -> bool:
        """Whether it becomes a release on Kubernetes."""
        return self.is_deployed and (
            (self.folder / "chart").is_dir() or bool(self.kubernetes and self.kubernetes.chart)
        )
