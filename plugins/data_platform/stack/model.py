"""The component model: what `component.yaml`, `local.yaml` and `stack.yaml` may say.

Unknown keys are errors. The JSON schema in `docs/reference/` is generated from these classes.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from data_platform.stack.check import CheckSpec
from data_platform.stack.endpoint import Endpoint
from data_platform.stack.facets import Faceted, FacetedTarget
from data_platform.stack.kinds import KINDS, ClaimEntry
from data_platform.stack.terms import Key, Name, Seconds, Sha256, Strict, Variable


class Connection(Strict):
    """The Airflow connection that is derived from an endpoint and the generated credentials."""

    type: Key = Field(description="Airflow connection type, such as trino, postgres, http, aws.")
    endpoint: Key = Field(description="Which of the endpoints it goes to.")
    login: Key | None = Field(None, description="Credential of the identity `pipelines` that is the login.")
    password: Key | None = Field(None, description="Credential of the identity `pipelines` that is the password.")
    db_schema: str | None = Field(None, alias="schema", description="Airflow's `schema` field (a database or catalog).")
    extra: dict[str, Any] = Field(default_factory=dict, description="Airflow's `extra` field.")
    url_host: bool = Field(False, description="True where the hook wants the whole address in `host`.")


class Resources(Strict):
    """What the component needs, for preflight on `local` and requests on `kubernetes`."""

    cpu: float = Field(gt=0, description="Cores.")
    memory_mib: int = Field(gt=0, description="Resident memory in MiB.")
    storage_mib: int = Field(0, ge=0, description="Disk for its data in MiB.")


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


class Artifact(Strict):
    """Something to fetch or build, into the per-user cache by the digest of its inputs. Exactly one source."""

    wheel: str | None = Field(None, description="PyPI wheel as NAME==VERSION, unpacked.")
    environment: Key | None = Field(None, description="Python environment from locks/NAME.txt.")
    maven: str | None = Field(None, description="Maven coordinate GROUP:ARTIFACT:VERSION[:TYPE[:CLASSIFIER]].")
    maven_lock: str | None = Field(None, description="File beside local.yaml: a line `COORDINATE SHA256` a file.")
    go: str | None = Field(None, description="Go package, built from the go.mod and go.sum in `source`.")
    build: tuple[str, ...] | None = Field(
        None,
        description="Command (templates allowed) that writes into the folder $OUT, run in the component's folder.",
    )
    source: str | None = Field(None, description="Folder or file beside local.yaml that a build reads.")
    needs: tuple[Key, ...] = Field((), description="Artifacts of this component that a build uses.")
    home: str = Field("", description="Folder inside it that the binding names.")
    sha256: tuple[Sha256, ...] = Field((), description="Accepted digests of what is fetched.")
    unpack: bool = Field(False, description="Unpack the fetched tar or zip.")
    strip: int = Field(0, ge=0, description="Leading folders to drop while unpacking.")
    keep: tuple[str, ...] = Field((), description="Paths (globs) to keep of what was unpacked; empty for all.")
    megabytes: int | None = Field(None, gt=0, description="Of a large download, about: told before it is fetched.")

    @model_validator(mode="after")
    def _exactly_one_source(self) -> Self:
        kinds = ("wheel", "environment", "maven", "maven_lock", "go", "build")
        given = [kind for kind in kinds if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of {', '.join(kinds)}; given: {', '.join(given) or 'none'}")
        if given[0] in ("wheel", "maven") and not self.sha256:
            raise ValueError(f"{given[0]} needs sha256")
        if given[0] == "go" and not self.source:
            raise ValueError("go needs source, the folder of its go.mod and go.sum")
        return self

    @property
    def kind(self) -> str:
        """Which source it has: wheel, environment, maven, maven_lock, go or build."""
        return next(k for k in ("wheel", "environment", "maven", "maven_lock", "go", "build") if getattr(self, k))


class Ready(Strict):
    """How to see that a process takes requests. Exactly one way."""

    http: str | None = Field(None, description="URL that answers 200.")
    contains: str = Field("", description="Text that the answer must contain.")
    command: tuple[str, ...] | None = Field(None, description="Command that exits 0.")
    within: Seconds = Field(120.0, description="Deadline in seconds, or a duration such as 2m.")

    @model_validator(mode="after")
    def _exactly_one_way(self) -> Self:
        if (self.http is None) == (self.command is None):
            raise ValueError("give exactly one of http and command")
        return self


#: Globs of configuration files.
Files = Annotated[
    tuple[str, ...],
    Field(description="Configuration files (globs) that it is given where it is a pod of its own; all by default."),
]


class Confined(Strict):
    """What a program may touch on `local` besides its component's ETC (read), DATA and TMPDIR (written)."""

    confined: bool = Field(True, description="On `local`: it can read and write only what is its own.")
    reads: tuple[str, ...] = Field((), description="On `local`: files and folders that it reads besides ETC.")
    writes: tuple[str, ...] = Field((), description="On `local`: what it writes besides DATA and TMPDIR.")
    unix_sockets: bool = Field(False, description="On `local`: it makes unix sockets.")

    @model_validator(mode="after")
    def _nothing_for_what_may_all(self) -> Self:
        if not self.confined and (self.reads or self.writes or self.unix_sockets):
            raise ValueError("reads, writes and unix_sockets say nothing where confined is false")
        return self


class Job(Confined):
    """A command that runs to its end before the processes start."""

    command: tuple[str, ...] = Field(min_length=1)
    environment: dict[str, str] = Field(default_factory=dict)
    files: Files = ("*",)
    creates: str | None = Field(None, description="Path that exists once it has run; it never runs again then.")
    unprivileged: bool = Field(False, description="Refuses root: as root, run as the user nobody.")
    within: Seconds = Field(300.0)


class Process(Confined):
    """A supervised process."""

    command: tuple[str, ...] = Field(min_length=1)
    environment: dict[str, str] = Field(default_factory=dict)
    files: Files = ("*",)
    directory: str = Field("{{ DATA }}", description="Working folder.")
    ready: Ready
    stop_signal: Literal["TERM", "INT", "QUIT"] = "TERM"
    stop_seconds: int = Field(20, ge=1, description="Seconds until it is killed after the stop signal.")
    inherit: tuple[str, ...] = Field((), description="Names (globs) of the caller's environment that it also gets.")
    watch: tuple[str, ...] = Field((), description="Files (globs below the checkout) whose change restarts it.")
    unprivileged: bool = Field(False, description="Refuses root: as root, run as the user nobody.")


class Tool(Confined):
    """A command that others run through the target (a Spark job), with the component's bindings."""

    command: tuple[str, ...] = Field(min_length=1)
    environment: dict[str, str] = Field(default_factory=dict)
    inherit: tuple[str, ...] = Field((), description="Names (globs) of the caller's environment that win over it.")


class Definition(Strict):
    """How a component runs on a target. Strings may be templates over the bindings."""

    toolchains: tuple[Key, ...] = Field((), description="Shared artifacts of stack/toolchains.yaml.")
    artifacts: dict[Key, Artifact] = Field(default_factory=dict)
    jobs: dict[Key, Job] = Field(default_factory=dict)
    processes: dict[Name, Process] = Field(default_factory=dict)
    tools: dict[Name, Tool] = Field(default_factory=dict)


class Local(Definition):
    """`local.yaml`: how a component runs on the `local` target. Strings may be templates over the bindings."""


class Image(Strict):
    """What the component's container image holds, above the base that all images share."""

    platform: bool = Field(
        False, description="The platform's Python environment, this checkout, helm and kubectl are in it too."
    )
    artifacts: tuple[Key, ...] = Field((), description="Artifacts and toolchains that are in it.")


class ChartReference(Strict):
    """A chart of the field's own in the place of the component's `chart/`."""

    repository: str = Field(description="oci://… or https://… address, or a folder of this checkout.")
    name: str = Field(min_length=1)
    version: str = Field(min_length=1)
    values: str = Field(description="File beside kubernetes.yaml that turns our definition into the chart's values.")


class Pod(Strict):
    """A pod that a tool has made by somebody else (executors of Spark), who is given its template."""

    tool: Name = Field(description="Tool whose environment it has.")
    container: Name = Field(description="Name of its container, as who makes it wants it.")
    command: tuple[str, ...] = Field(min_length=1, description="Who makes it adds arguments.")
    api_server: bool = Field(False, description="It holds the token of the account <component>-<name>.")


class Kubernetes(FacetedTarget):
    """`kubernetes.yaml`: what differs on the `kubernetes` target from `local.yaml`.

    Artifacts, toolchains and tools are added to those of `local.yaml`, or replace those of the same name; `jobs` and
    `processes` replace all of them where they are given. A facet takes the place of the component's.
    """

    image: Image | None = Field(None, description="The image to build; none for a component without pods.")
    chart: ChartReference | None = Field(None, description="In the place of the component's own chart.")
    after: tuple[Name, ...] = Field((), description="What must be verified before on this target besides.")
    calls: tuple[Name, ...] = Field((), description="Whom its processes call on this target besides.")
    endpoints: dict[Key, Endpoint] = Field(
        default_factory=dict, description="Addresses that exist on this target only."
    )
    api_server: bool | tuple[Name, ...] = Field(
        False, description="Its pods speak to the API server of Kubernetes; or the processes that do."
    )
    runs_tasks: bool = Field(
        False, description="Its processes start task pods: they get the settings, and `pods/<component>.yaml` in ETC."
    )
    task_environment: dict[str, str] = Field(
        default_factory=dict, description="Environment of those task pods; templates over bindings that are no secret."
    )
    bindings: dict[Variable, str] = Field(
        default_factory=dict,
        description="Values of its chart that templates may name besides, by binding: paths such as workload.replicas.",
    )
    pods: dict[Name, Pod] = Field(
        default_factory=dict,
        description="Pods that its tools have made: each is `pods/<name>.yaml` in ETC, its environment a Secret.",
    )
    toolchains: tuple[Key, ...] = ()
    artifacts: dict[Key, Artifact] = Field(default_factory=dict)
    jobs: dict[Key, Job] | None = None
    processes: dict[Name, Process] | None = None
    tools: dict[Name, Tool] = Field(default_factory=dict)

    def over(self, local: Local) -> Definition:
        """The definition on this target.

        Args:
            local: what `local.yaml` says; an empty one for a component that exists on this target only.
        """
        return Definition(
            toolchains=tuple(dict.fromkeys((*local.toolchains, *self.toolchains))),
            artifacts={**local.artifacts, **self.artifacts},
            jobs=local.jobs if self.jobs is None else self.jobs,
            processes=local.processes if self.processes is None else self.processes,
            tools={**local.tools, **self.tools},
        )


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

    @property
    def name(self) -> str:
        """The component's name."""
        return self.component.name
