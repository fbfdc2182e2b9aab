"""What components ask of a cluster: the base of quotas, and of the question whether they fit. It is read off what their
charts render to (`sizes.py`). Pure but for reading the values files of the components."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from data_platform.stack import capabilities
from data_platform.stack.errors import PlatformError
from data_platform.stack.model import Loaded
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes import places
from data_platform.targets.kubernetes.pods import Tasks, cpu_limit, templates
from data_platform.targets.kubernetes.settings import Settings

#: Of `execution.runner`: the Spark Operator's.
OPERATOR = "operator"
_SUFFIXES = {
    "": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50,
}  # fmt: skip
_QUANTITY = re.compile(r"^([0-9.]+(?:[eE][0-9+-]+)?)([a-zA-Z]*)$")
#: Bytes.
MIB = 2.0**20
Object = dict[str, Any]
#: Where objects have the specification of their pods, and which of them end by themselves.
_PLACES = {
    "Deployment": ("template", "spec"),
    "StatefulSet": ("template", "spec"),
    "Job": ("template", "spec"),
    "CronJob": ("jobTemplate", "spec", "template", "spec"),
}
_ENDS = ("Job", "CronJob", "Pod")


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


NOTHING = Need()
#: What a container gets that asks for nothing (the LimitRange of each namespace).
DEFAULT = Need(cpu=0.1, memory=128, cpu_limit=1, memory_limit=512)


def total(needs: Mapping[str, Need]) -> Need:
    """All together."""
    found = NOTHING
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

    steady: Need = NOTHING
    extra: Need = NOTHING
    largest: Need = NOTHING


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


def of_pod(spec: Mapping[str, Any], default: Need = NOTHING) -> Need:
    """What a pod reserves, as Kubernetes counts: all of its containers and those that run beside them; or one that ends
    before these start, with what runs by then, where that is more.

    Args:
        spec: of the pod.
        default: what a container has that does not say it.
    """
    beside, most = NOTHING, NOTHING
    for container in spec.get("initContainers") or []:
        need = _of_container(container, default)
        if container.get("restartPolicy") == "Always":
            beside = beside.plus(need)
            need = NOTHING
        most = most.most(beside.plus(need))
    for container in spec.get("containers") or []:
        beside = beside.plus(_of_container(container, default))
    return most.most(beside)._replace(pods=1)


def _of_container(container: Mapping[str, Any], default: Need) -> Need:
    resources = container.get("resources") or {}
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}

    def said(key: str) -> tuple[float | None, float | None]:
        """What is asked for and the limit; where only the limit is given, that is asked for."""
        asked, limit = (quantity(each[key]) if key in each else None for each in (requests, limits))
        return (limit if asked is None else asked), limit

    def mib(value: float | None, other: float) -> float:
        return other if value is None else value / MIB

    (cpu, cpu_limit), (memory, memory_limit) = said("cpu"), said("memory")
    return Need(
        cpu=default.cpu if cpu is None else cpu,
        memory=mib(memory, default.memory),
        cpu_limit=default.cpu_limit if cpu_limit is None else cpu_limit,
        memory_limit=mib(memory_limit, default.memory_limit),
    )


def asked(objects: Iterable[Object], values: Mapping[str, Any]) -> Asked:
    """What a component asks for.

    Args:
        objects: of its release, as its chart renders them.
        values: of its chart: `reserve` has the pods that are of nobody's release here.

    Raises:
        PlatformError: an object makes pods in a way that cannot be counted.
    """
    steady, surge, job, largest = NOTHING, NOTHING, NOTHING, NOTHING
    for thing in objects:
        one = _of_object(thing)
        steady, largest = steady.plus(one.steady), largest.most(one.largest)
        if thing["kind"] in _ENDS:
            # They run one after the other, and before workloads are replaced.
            job = job.most(one.extra)
        else:
            surge = surge.plus(one.extra)
    for other in (values.get("reserve") or {}).values():
        pod = of_pod({"containers": [other]}, DEFAULT)
        steady, surge, largest = steady.plus(pod.times(other["replicas"])), surge.plus(pod), largest.most(pod)
    return Asked(steady, surge.most(job), largest)


def _of_object(thing: Object) -> Asked:
    kind, spec = thing["kind"], thing.get("spec") or {}
    if kind == "PersistentVolumeClaim":
        return Asked(steady=_of_claim(spec))
    if (pod_spec := _pod_of(kind, spec)) is None:
        if "template" in spec:
            raise PlatformError(
                f"{kind} {thing['metadata']['name']}: how many pods it makes is not known",
                f"its chart may use {', '.join((*_PLACES, 'Pod'))}; say what others make in `reserve` of its values",
            )
        return Asked()
    pod = of_pod(pod_spec, DEFAULT)
    if kind in _ENDS:
        return Asked(extra=pod, largest=pod)
    count = spec.get("replicas", 1)
    steady = pod.times(count)
    for claim in spec.get("volumeClaimTemplates") or []:
        steady = steady.plus(_of_claim(claim["spec"]).times(count))
    # A Deployment makes new pods before old ones go; a StatefulSet does not.
    return Asked(steady, pod.times(_surge(spec, count)) if kind == "Deployment" else NOTHING, pod)


def _pod_of(kind: str, spec: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Specification of the pods of an object; None where it is no such object."""
    if kind == "Pod":
        return spec
    if kind not in _PLACES:
        return None
    found: Any = spec
    for key in _PLACES[kind]:
        found = found[key]
    return dict(found)


def _surge(spec: Mapping[str, Any], count: int) -> int:
    """How many pods more a Deployment has while it is replaced."""
    strategy = spec.get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return 0
    said = (strategy.get("rollingUpdate") or {}).get("maxSurge", "25%")
    return said if isinstance(said, int) else math.ceil(count * float(said.removesuffix("%")) / 100)


def _of_claim(spec: Mapping[str, Any]) -> Need:
    return Need(storage=quantity(spec["resources"]["requests"]["storage"]) / MIB, claims=1)


def volumes(stack: Stack, size: str, asked: Mapping[str, Asked], storage_class: str = "") -> list[tuple[str, str]]:
    """Which volumes components ask for: classes (the cluster's default when empty) with the way of access, sorted.

    Args:
        stack: the platform.
        size: small or production.
        asked: what each component asks for in it (`sizes.Paper`).
        storage_class: what the platform was told, over the defaults of a size.
    """
    found: set[tuple[str, str]] = set()
    for name, item in stack.components.items():
        values = values_of(item, size)
        default, shared = storage_class or values.get("defaultStorageClass", ""), values.get("sharedVolumes") or {}
        made = [volume for volume in shared.values() if not volume.get("existingClaim")]
        if asked[name].steady.claims > len(made):
            found.add((default, "ReadWriteOnce"))
        found |= {(volume.get("storageClass") or default, volume["accessMode"]) for volume in made}
    return sorted(found)


def job(stack: Stack, size: str) -> tuple[Need, int]:
    """A pod of a job of Spark, as large as the component says that a job is, and how many a job has beside its task.

    Raises:
        PlatformError: the values name no way to run a job.
    """
    if (said := execution(stack, size)) is None:
        return NOTHING, 0
    memory = stack.components[stack.resolve(capabilities.JOBS)].component.resources.memory_mib
    pod = Need(1, quantity(said["cpu"]), memory, quantity(cpu_limit(stack)), memory)
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


def beside(stack: Stack, component: str, size: str) -> tuple[Need, int]:
    """Pods that a component makes beside those of its release: one of them, and how many its namespace has room for.

    Args:
        stack: the platform.
        component: tasks are the orchestrator's, and drivers and executors are whose jobs they are.
        size: small or production.
    """
    if component == stack.provider(capabilities.ORCHESTRATOR):
        return task(stack), int(values_of(stack.components[component], size)["tasks"])
    if component == stack.provider(capabilities.JOBS) and (said := execution(stack, size)):
        pod, count = job(stack, size)
        return pod, count * int(said["jobs"])
    return NOTHING, 0


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
    found = NOTHING
    settings = Settings.model_validate({"images": dict.fromkeys(stack.components, "any")})
    for pod in templates(stack, settings, Tasks()).values():
        found = found.most(of_pod(pod["spec"]))
    return found
