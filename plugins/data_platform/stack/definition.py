"""How a component runs on a target: what `local.yaml` and `kubernetes.yaml` may say.

Unknown keys are errors. The JSON schema in `docs/reference/` is generated from these classes.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import Field, StringConstraints, model_validator

from data_platform.stack.endpoint import Endpoint
from data_platform.stack.facets import FacetedTarget
from data_platform.stack.service import ClusterService
from data_platform.stack.terms import Key, Name, Seconds, Sha256, Strict, Variable

#: A lock with names, versions and digests: one of the checkout's by its name, or a file.
EnvironmentLock = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}(\.txt)?$")]


class Artifact(Strict):
    """Something to fetch or build, into the per-user cache by the digest of its inputs. Exactly one source."""

    wheel: str | None = Field(None, description="PyPI wheel as NAME==VERSION, unpacked.")
    environment: EnvironmentLock | None = Field(
        None,
        description="Python environment: NAME from locks/NAME.txt, or NAME.txt, a lock of its own beside local.yaml.",
    )
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
    def is_shared(self) -> bool:
        """Whether it is a Python environment whose lock is one of the checkout's, in `locks/`."""
        return self.environment is not None and not self.environment.endswith(".txt")

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
    pid_file: str = Field(
        "",
        description="On `local`: a file by which it keeps itself from running twice. It is removed before a start where"
        " it names a process that is somebody else's.",
    )
    inherit: tuple[str, ...] = Field((), description="Names (globs) of the caller's environment that it also gets.")
    watch: tuple[str, ...] = Field((), description="Files (globs below the checkout) whose change restarts it.")
    unprivileged: bool = Field(False, description="Refuses root: as root, run as the user nobody.")


class Tool(Confined):
    """A command that others run through the target (a Spark job), with the component's bindings."""

    command: tuple[str, ...] = Field(min_length=1)
    environment: dict[str, str] = Field(default_factory=dict)
    inherit: tuple[str, ...] = Field((), description="Names (globs) of the caller's environment that win over it.")


_Runs = TypeVar("_Runs", Job, Process)
#: What a target's file says of all.
Environment = Annotated[
    dict[str, str],
    Field(description="Of each of its jobs and processes; what they say themselves wins. Tools have their own alone."),
]


class Definition(Strict):
    """How a component runs on a target. Strings may be templates over the bindings; in all of them, coordinates of
    artifacts too, `{{ VERSION }}` is the version that `component.yaml` says."""

    toolchains: tuple[Key, ...] = Field((), description="Shared artifacts of stack/toolchains.yaml.")
    artifacts: dict[Key, Artifact] = Field(default_factory=dict)
    environment: Environment = Field(default_factory=dict)
    jobs: dict[Key, Job] = Field(default_factory=dict)
    processes: dict[Name, Process] = Field(default_factory=dict)
    tools: dict[Name, Tool] = Field(default_factory=dict)

    def whole(self) -> Self:
        """The same, with the environment of all in that of each."""

        def given(each: _Runs) -> _Runs:
            return each.model_copy(update={"environment": {**self.environment, **each.environment}})

        return self.model_copy(
            update={
                "jobs": {name: given(job) for name, job in self.jobs.items()},
                "processes": {name: given(process) for name, process in self.processes.items()},
            }
        )


class Local(Definition):
    """`local.yaml`: how a component runs on the `local` target. Strings may be templates over the bindings."""


class Image(Strict):
    """What the component's container image holds, above the base that all images share."""

    platform: bool = Field(
        False, description="The platform's Python environment, this checkout, helm and kubectl are in it too."
    )
    artifacts: tuple[Key, ...] = Field((), description="Artifacts and toolchains that are in it.")
    over: Name | None = Field(
        None,
        description="Component (or capability) whose image is below, without its checkout: what that runs is there.",
    )


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

    Artifacts, toolchains, tools and variables of `environment` are added to those of `local.yaml`, or replace those of
    the same name; `jobs` and `processes` replace all of them where they are given. A facet takes the place of the
    component's.
    """

    cluster_service: ClusterService | None = Field(
        None, description="It is a cluster service; for what is in components/cluster/, and that alone."
    )
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
        default_factory=dict,
        description="Of those task pods, besides the `environment` of all; templates over bindings that are no secret.",
    )
    bindings: dict[Variable, str] = Field(
        default_factory=dict,
        description="Values of its chart that templates may name besides, by binding: paths such as workload.replicas.",
    )
    values_with: dict[Name, dict[str, Any]] = Field(
        default_factory=dict,
        description="Values of its chart where somebody stands for a capability, by capability; those of a size win.",
    )
    pods: dict[Name, Pod] = Field(
        default_factory=dict,
        description="Pods that its tools have made: each is `pods/<name>.yaml` in ETC, its environment a Secret.",
    )
    toolchains: tuple[Key, ...] = ()
    artifacts: dict[Key, Artifact] = Field(default_factory=dict)
    environment: Environment = Field(default_factory=dict)
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
            environment={**local.environment, **self.environment},
            jobs=local.jobs if self.jobs is None else self.jobs,
            processes=local.processes if self.processes is None else self.processes,
            tools={**local.tools, **self.tools},
        )
