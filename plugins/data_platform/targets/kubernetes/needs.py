"""What components ask of a cluster in each size: the base of quotas, and of the question whether they fit. Pure but for
reading the values files of the components."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from data_platform.stack import capabilities
from data_platform.stack.errors import PlatformError
from data_platform.stack.model import Loaded
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes import places
from data_platform.targets.kubernetes.pods import CPU_LIMIT, Tasks, templates
from data_platform.targets.kubernetes.settings import Settings

#: Cores that a container may take where its values do not say; the chart's own default.
_CPU_LIMIT = 2.0
#: Pods of tasks and of tools at a time: a little more than Airflow's parallelism.
TASKS = {"small": 10, "production": 64}
#: Jobs of Spark at a time: of two datasets, or of one beside a check.
JOBS = 2
#: Of `execution.runner`: the Spark Operator's.
OPERATOR = "operator"
_SUFFIXES = {
    "": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50,
}  # fmt: skip
_QUANTITY = re.compile(r"^([0-9.]+(?:[eE][0-9+-]+)?)([a-zA-Z]*)$")
#: Bytes.
MIB = 2.0**20


def quantity(value: object) -> float:
    """Kubernetes' way to write numbers: 500m is 0.5, 1Gi is 1073741824.

    Raises:
        PlatformError: it is no such number.
    """
    match = _QUANTITY.match(str(value))
    if not match or match[2] not in _SUFFIXES:
        raise PlatformError(f"{value!r} is no quantity", "write for example 500m, 2, 512Mi or 10Gi")
    return float(match[1]) * _SUFFIXES[match[2]]


class Need(NamedTuple):
    """What pods and volumes ask for. Memory and storage in MiB."""

    pods: int = 0
    cpu: float = 0.0
    memory: float = 0.0
    cpu_limit: float = 0.0
    memory_limit: float = 0.0
    storage: float = 0.0
    claims: int = 0

    def plus(self, other: Need) -> Need:
        """Both together."""
        return Need._make(one + two for one, two in zip(self, other, strict=True))

    def times(self, count: int) -> Need:
        """So many of it."""
        return Need._make(count * part for part in self)

    def most(self, other: Need) -> Need:
        """Of each part the larger one."""
        return Need._make(map(max, self, other))


def total(needs: Mapping[str, Need]) -> Need:
    """All together."""
    found = Need()
    for need in needs.values():
        found = found.plus(need)
    return found


class Asked(NamedTuple):
    """What one component asks for.

    Attributes:
        steady: while it runs.
        extra: besides, while it is being replaced or its jobs run.
        largest: its largest pod.
    """

    steady: Need = Need()
    extra: Need = Need()
    largest: Need = Need()


def read_values(folder: Path, size: str, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What a component's chart is told in a size: its own values, and over them those of the size; empty without chart.

    Args:
        folder: of the component.
        size: small or production.
        given: values between both.

    Raises:
        PlatformError: there is no such size, or a file is not YAML.
    """
    if size not in places.SIZES:
        raise PlatformError(f"there is no size {size!r}", f"use one of: {', '.join(places.SIZES)}")
    own, of_size = (_file(path) for path in (folder / "chart" / "values.yaml", folder / f"values.{size}.yaml"))
    return _over(_over(own, given or {}), of_size)


def _file(path: Path) -> dict[str, Any]:
    try:
        return (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.exists() else {}
    except yaml.YAMLError as error:
        raise PlatformError(f"{path} is not YAML: {error}", "correct the syntax at that line") from None


def values_of(item: Loaded, size: str) -> dict[str, Any]:
    """What a component's chart is told in a size: its own values, what follows from what is there, those of the size,
    and what the environment says.

    Raises:
        PlatformError: see `read_values`.
    """
    return _over(read_values(item.folder, size, item.given), item.values)


def _over(one: Mapping[str, Any], two: Mapping[str, Any]) -> dict[str, Any]:
    """As helm merges values: mappings key by key, everything else replaced."""
    found = dict(one)
    for key, value in two.items():
        before = found.get(key)
        found[key] = _over(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return found


def asked(item: Loaded, values: Mapping[str, Any]) -> Asked:
    """What a component asks for, by its definition and the values of a size."""
    if item.kubernetes is not None and item.kubernetes.image is None and not item.has_chart:
        return Asked()
    steady, surge, job, largest = Need(), Need(), Need(), Need()
    # git-sync beside each server.
    beside = _pod(item, values["gitSyncResources"])._replace(pods=0) if values.get("gitSync") else Need()
    for process in item.definition.processes:
        settings = _over(values.get("workload") or {}, (values.get("workloads") or {}).get(process) or {})
        pod = _pod(item, settings.get("resources") or {}).plus(beside)
        stateful = settings.get("kind") == "StatefulSet"
        steady = steady.plus(pod.plus(_volumes(settings, values) if stateful else Need()).times(_replicas(settings)))
        # A Deployment makes the new pod before the old one goes; a StatefulSet does not.
        surge = surge if stateful else surge.plus(pod)
        largest = largest.most(pod)
    for other in (values.get("reserve") or {}).values():
        pod = _pod(item, other["resources"])
        steady, surge, largest = steady.plus(pod.times(other["replicas"])), surge.plus(pod), largest.most(pod)
    for volume in (values.get("sharedVolumes") or {}).values():
        steady = steady.plus(Need(storage=quantity(volume.get("size", 0)) / MIB, claims=1))
    if item.definition.jobs:
        # They run one after the other.
        job = _pod(item, (values.get("job") or {}).get("resources") or {})
    return Asked(steady, surge.most(job), largest.most(job))


def _replicas(settings: Mapping[str, Any]) -> int:
    return int(settings.get("replicas", 1))


def _volumes(settings: Mapping[str, Any], values: Mapping[str, Any]) -> Need:
    """Claims of one pod of a StatefulSet."""
    sizes = [settings["storage"]] if settings.get("storage") else []
    sizes += [volume["size"] for volume in (settings.get("volumes") or {}).values()]
    # An object store counts its drives.
    if drives := values.get("drives"):
        sizes += [drives["size"]] * int(drives["count"])
    return Need(storage=sum(map(quantity, sizes)) / MIB, claims=len(sizes))


def _pod(item: Loaded, resources: Mapping[str, Any]) -> Need:
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    own = item.component.resources
    memory = quantity(requests.get("memory", f"{own.memory_mib}Mi")) / MIB
    return Need(
        pods=1,
        cpu=quantity(requests.get("cpu", own.cpu)),
        memory=memory,
        cpu_limit=quantity(limits.get("cpu", _CPU_LIMIT)),
        memory_limit=quantity(limits["memory"]) / MIB if "memory" in limits else memory,
    )


def all_asked(stack: Stack, size: str) -> dict[str, Asked]:
    """What every component asks for in a size."""
    return {name: asked(item, values_of(item, size)) for name, item in stack.components.items()}


def volumes(stack: Stack, size: str, storage_class: str = "") -> list[tuple[str, str]]:
    """Which volumes components ask for: classes (the cluster's default when empty) with the way of access, sorted.

    Args:
        stack: the platform.
        size: small or production.
        storage_class: what the platform was told, over the defaults of a size.
    """
    found: set[tuple[str, str]] = set()
    for item in stack.components.values():
        values = values_of(item, size)
        default, shared = storage_class or values.get("defaultStorageClass", ""), values.get("sharedVolumes") or {}
        if asked(item, values).steady.claims > len(shared):
            found.add((default, "ReadWriteOnce"))
        made = (volume for volume in shared.values() if not volume.get("existingClaim"))
        found |= {(volume.get("storageClass") or default, volume["accessMode"]) for volume in made}
    return sorted(found)


def job(stack: Stack, size: str) -> tuple[Need, int]:
    """A pod of a job of Spark, as large as the component says that a job is, and how many a job has beside its task.

    Raises:
        PlatformError: the values name no way to run a job.
    """
    if (said := execution(stack, size)) is None:
        return Need(), 0
    memory = stack.components[stack.resolve(capabilities.JOBS)].component.resources.memory_mib
    pod = Need(1, quantity(said["cpu"]), memory, quantity(CPU_LIMIT), memory)
    # Of the operator's, the driver is a pod of its own too.
    beside = {"pod": 0, "scheduler": int(said["executors"]), OPERATOR: int(said["executors"]) + 1}
    if said["runner"] not in beside:
        raise PlatformError(f"Spark has no runner {said['runner']!r}", "execution.runner is pod, scheduler or operator")
    if said["runner"] == OPERATOR and stack.provider(capabilities.SPARK_APPLICATIONS) is None:
        raise PlatformError(
            "jobs of Spark are to run by an operator (execution.runner), and nobody has one (cluster_services: absent)",
            "let the platform deploy it, or name the administrator's (cluster_services in the environment), or set "
            "execution.runner to scheduler",
        )
    return pod, beside[said["runner"]]


def execution(stack: Stack, size: str) -> Mapping[str, Any] | None:
    """How jobs of Spark run, as its values say; None where nobody runs jobs."""
    if (name := stack.provider(capabilities.JOBS)) is None:
        return None
    found: Mapping[str, Any] = values_of(stack.components[name], size)["execution"]
    return found


def submitters(stack: Stack, size: str) -> frozenset[str]:
    """Components whose tools make pods: Spark's, where its jobs are not in the pod of the task."""
    said = execution(stack, size)
    return frozenset({stack.resolve(capabilities.JOBS)} if said is not None and said["runner"] != "pod" else ())


def task(stack: Stack) -> Need:
    """The largest pod of a task of Airflow."""
    found = Need()
    settings = Settings.model_validate({"images": dict.fromkeys(stack.components, "any")})
    for pod in templates(stack, settings, Tasks()).values():
        for container in pod["spec"]["containers"]:
            resources = container["resources"]
            found = found.most(
                Need(
                    1,
                    quantity(resources["requests"]["cpu"]),
                    quantity(resources["requests"]["memory"]) / MIB,
                    quantity(resources["limits"]["cpu"]),
                    quantity(resources["limits"]["memory"]) / MIB,
                )
            )
    return found
