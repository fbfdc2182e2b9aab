"""Pods that run to their end: Airflow's tasks, and tools of components. Reads the library chart's values alone.

There are two kinds of tasks. A dataset's holds what the identity `pipelines` and the component of its tools hold, as
mounted files, and has no way to the API server of Kubernetes; it is what a task gets that asks for nothing. The
deployer's has the token of Airflow's account, and reads there what it needs. Neither has any secret of Airflow itself.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from data_platform.stack.definition import Pod
from data_platform.stack.holders import NEXT, PAGES, PIPELINES
from data_platform.stack.model import Loaded
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes import places
from data_platform.targets.kubernetes.checkout import GitSync, add_checkout
from data_platform.targets.kubernetes.definition import Content
from data_platform.targets.kubernetes.mounts import file_of
from data_platform.targets.kubernetes.permissions import account
from data_platform.targets.kubernetes.settings import Settings
from data_platform.targets.render import render

Object = dict[str, Any]
#: The one of Airflow's files that a task reads. A Secret holds it alone: the one with all of them holds the templates
#: too, which name this one.
CONFIGURATION = "airflow.cfg"
#: What a task itself needs beside the tool that it runs, in MiB.
_TASK_MIB = 600
#: The executor looks for a container of this name.
_CONTAINER = "base"
#: Spark keeps what it shuffles in volumes whose names begin so; by itself it would add one.
_LOCAL_DIRECTORY = "spark-local-dir-1"
#: What a pod of a check may take.
_SCRATCH = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "100m", "memory": "64Mi"}}
_NODE_ADDRESS = {"name": "NODE_ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}


class Tasks(NamedTuple):
    """What all task pods of a platform have in common.

    Attributes:
        environment: of each; no secrets.
        submitters: components whose tools make pods themselves.
        git: where their checkout is from; None for the image's own.
        stored: gives the name under which a Secret of Airflow's is stored.
    """

    environment: Mapping[str, str] = {}
    submitters: frozenset[str] = frozenset()
    git: GitSync | None = None
    stored: Callable[[str], str] = str


def security(stack: Stack) -> dict[str, Object]:
    """What all pods have for their security, and all containers: what the library chart says."""
    found: dict[str, Object] = copy.deepcopy(_defaults(stack)["security"])
    return found


def cpu_limit(stack: Stack) -> str:
    """Cores that a container may take where nothing else is said, as the library chart says."""
    return str(_defaults(stack)["cpuLimit"])


def _defaults(stack: Stack) -> Object:
    return _exported(stack.root / "stack" / "charts" / "platform" / "values.yaml")


@cache
def _exported(values: Path) -> Object:
    found: Object = yaml.safe_load(values.read_text(encoding="utf-8"))["exports"]["defaults"]
    return found


def with_tools(stack: Stack) -> list[str]:
    """Components whose image a dataset's task may run: those with tools, and Airflow's own."""
    return [places.orchestrator(stack), *(name for name, item in stack.components.items() if item.definition.tools)]


def templates(stack: Stack, settings: Settings, tasks: Tasks) -> dict[str, Object]:
    """Pod templates of Airflow's tasks: the deployer's, and datasets' by component."""
    datasets = {name: task_pod(stack, settings, name, tasks) for name in with_tools(stack)}
    return {places.DEPLOYER_TEMPLATE: deployer_pod(stack, settings, tasks), **datasets}


def mounted(stack: Stack) -> dict[str, tuple[str, ...]]:
    """Secrets that are mounted with credentials, and whose they are: of datasets' tasks, and of Airflow's pages."""
    airflow = places.orchestrator(stack)
    found = {_secret(stack, name): tuple(dict.fromkeys((PIPELINES, name))) for name in with_tools(stack)}
    found[_secret(stack, airflow)] = (PIPELINES,)
    # Airflow's own role has the results of checks; its API gives tasks their connections.
    return {**found, f"{airflow}-{PAGES}": (airflow, PAGES, PIPELINES)}


def secrets(stack: Stack, known: Callable[[str], Mapping[str, str]], files: Mapping[str, bytes]) -> list[Content]:
    """The Secrets that are `mounted`, and that with the files which all tasks read.

    Args:
        stack: the platform.
        known: gives the credentials of a holder.
        files: these, by name.
    """

    def present(holder: str) -> dict[str, str]:
        # A value that is to come is no task's business, and would give the Secret another name.
        return {key: value for key, value in known(holder).items() if not key.endswith(NEXT)}

    found = [
        Content(name, {key: text for each in whose for key, text in file_of(each, present(each)).items()})
        for name, whose in mounted(stack).items()
    ]
    return [*found, Content(_configuration(stack), dict(files))]


def _configuration(stack: Stack) -> str:
    return f"{places.orchestrator(stack)}-configuration"


def _secret(stack: Stack, component: str) -> str:
    return f"{places.orchestrator(stack)}-{places.TASK}-{component}"


def task_pod(stack: Stack, settings: Settings, component: str, tasks: Tasks) -> Object:
    """The pod of a dataset's task, without its command.

    Args:
        stack: the platform.
        settings: of the platform.
        component: whose image it runs, for its tools.
        tasks: what all of them have in common.
    """
    pod = _task(stack, settings, component, tasks)
    submits = component in tasks.submitters
    pod["metadata"]["labels"] = places.labels(stack, PIPELINES, places.SUBMIT if submits else places.TASK)
    pod["spec"] |= {
        "serviceAccountName": places.SUBMITTER if submits else PIPELINES,
        "automountServiceAccountToken": submits,
    }
    pod["spec"]["containers"][0]["volumeMounts"].append(
        {"name": "credentials", "mountPath": str(places.CREDENTIALS), "readOnly": True}
    )
    secret = {"secretName": tasks.stored(_secret(stack, component)), "defaultMode": 0o440}
    pod["spec"]["volumes"].append({"name": "credentials", "secret": secret})
    return pod


def deployer_pod(stack: Stack, settings: Settings, tasks: Tasks) -> Object:
    """The pod of a task that deploys, without its command."""
    airflow = places.orchestrator(stack)
    pod = _task(stack, settings, airflow, tasks)
    pod["metadata"]["labels"] = places.labels(stack, airflow, places.DEPLOY_TASK)
    pod["spec"] |= {"serviceAccountName": account(stack), "automountServiceAccountToken": True}
    return pod


def _task(stack: Stack, settings: Settings, component: str, tasks: Tasks) -> Object:
    """What both kinds have; neither an account nor labels."""
    airflow, needs = places.orchestrator(stack), stack.components[component].component.resources
    tools = component != airflow
    memory = f"{_TASK_MIB + (needs.memory_mib if tools else 0)}Mi"
    mounts = [
        {"name": "etc", "mountPath": str(places.ETC / airflow), "readOnly": True},
        {"name": "data", "mountPath": str(places.DATA)},
        {"name": "logs", "mountPath": str(places.LOGS)},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a volume of the pod's own
    ]
    environment = {
        **tasks.environment,
        places.COMPONENT_VARIABLE: component,
        # The executor starts `python`.
        "PATH": f"{places.PLATFORM}/bin:{places.BIN}:/usr/bin:/bin",
    }
    container = {
        "name": _CONTAINER,
        "image": settings.image(component),
        "imagePullPolicy": "IfNotPresent",
        "workingDir": str(places.ROOT),
        "env": [*({"name": key, "value": environment[key]} for key in sorted(environment)), _NODE_ADDRESS],
        # A little of a core is asked for: many tasks wait for a server; what is free they may take.
        "resources": {
            "requests": {"cpu": "50m", "memory": "256Mi"},
            "limits": {"cpu": cpu_limit(stack), "memory": memory},
        },
        "securityContext": security(stack)["container"],
        "volumeMounts": mounts,
    }
    pod: Object = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "task", "namespace": places.namespace(stack, airflow)},
        "spec": {
            "restartPolicy": "Never",
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 30,
            "securityContext": security(stack)["pod"],
            "containers": [container],
            "volumes": [
                {"name": "etc", "secret": {"secretName": tasks.stored(_configuration(stack))}},
                {"name": "data", "emptyDir": {}},
                {"name": "logs", "persistentVolumeClaim": {"claimName": f"{airflow}-logs"}},
                {"name": "tmp", "emptyDir": {}},
            ],
        },
    }
    if tasks.git:
        add_checkout(pod, tasks.git, security(stack)["container"])
    return pod


def tool_pod(
    stack: Stack, settings: Settings, component: str, words: Sequence[str], name: str, *, tasks: Tasks
) -> Object:
    """The pod of one run of a tool, outside of Airflow's tasks. It holds what the component holds.

    Args:
        stack: the platform.
        settings: of the platform.
        component: whose tool.
        words: the tool and its arguments; no secrets.
        name: of the pod.
        tasks: what it has in common with task pods.
    """
    pod = task_pod(stack, settings, component, tasks)
    pod["metadata"] |= {"name": name}
    pod["spec"]["containers"][0]["command"] = [places.PYTHON, "-m", "data_platform.tool", component, *words]
    (given,) = (volume for volume in pod["spec"]["volumes"] if volume["name"] == "credentials")
    own = f"{component}.json"
    given["secret"]["items"] = [{"key": own, "path": own}]
    # Nobody reads logs of it there, and it is no task of Airflow, whose configuration it could read.
    spare = {"logs", "etc"}
    volumes = [{"name": v["name"], "emptyDir": {}} if v["name"] in spare else v for v in pod["spec"]["volumes"]]
    pod["spec"]["volumes"] = volumes
    return pod


def scratch_pod(stack: Stack, settings: Settings, name: str, script: str, volumes: Mapping[str, str]) -> Object:
    """A pod that runs a script of the shell to its end, in the orchestrator's namespace; it has no token.

    Args:
        stack: the platform.
        settings: of the platform.
        name: of the pod.
        script: of the shell.
        volumes: claims by the folders in which they are.
    """
    runner, allowed = places.orchestrator(stack), security(stack)
    claims = dict(enumerate(volumes.items()))
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": places.namespace(stack, runner)},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 1,
            "securityContext": allowed["pod"],
            "containers": [
                {
                    "name": "script",
                    "image": settings.image(runner),
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["/bin/sh", "-ec", script],
                    "resources": _SCRATCH,
                    "securityContext": allowed["container"],
                    "volumeMounts": [{"name": f"v{n}", "mountPath": folder} for n, (folder, _) in claims.items()],
                }
            ],
            "volumes": [
                {"name": f"v{n}", "persistentVolumeClaim": {"claimName": claim}} for n, (_, claim) in claims.items()
            ],
        },
    }


def made(
    stack: Stack,
    settings: Settings,
    item: Loaded,
    values: Mapping[str, str],
    *,
    git: GitSync | None = None,
    stored: Callable[[str], str] = str,
) -> dict[str, Object]:
    """Templates of the pods that a component's tools have made by somebody else, by name.

    Args:
        stack: the platform.
        settings: of the platform.
        item: the component.
        values: its bindings.
        git: where their checkout is from; None for the image's own.
        stored: gives the name under which a Secret of the component's is stored.
    """
    found = {}
    for name, spec in item.kubernetes.pods.items() if item.kubernetes else ():
        command = tuple(render(word, values, f"{item.folder}: {name}") for word in spec.command)
        told = spec.model_copy(update={"command": command})
        found[name] = _made_pod(stack, settings, item.name, name, spec=told, stored=stored)
        if git:
            add_checkout(found[name], git, security(stack)["container"])
    return found


def _made_pod(
    stack: Stack, settings: Settings, component: str, name: str, *, spec: Pod, stored: Callable[[str], str]
) -> Object:
    """Who makes it adds memory, cores and arguments."""
    container = {
        "name": spec.container,
        "image": settings.image(component),
        "imagePullPolicy": "IfNotPresent",
        "command": list(spec.command),
        "envFrom": [{"secretRef": {"name": stored(f"{component}-{name}")}}],
        "env": [_NODE_ADDRESS],
        "resources": {"limits": {"cpu": cpu_limit(stack)}},
        "securityContext": security(stack)["container"],
        "volumeMounts": [
            {"name": "etc", "mountPath": str(places.ETC / component), "readOnly": True},
            {"name": _LOCAL_DIRECTORY, "mountPath": str(places.DATA)},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a volume of the pod's own
        ],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "namespace": places.namespace(stack, component),
            "labels": places.labels(stack, component, name),
        },
        "spec": {
            "serviceAccountName": f"{component}-{name}" if spec.api_server else component,
            "automountServiceAccountToken": spec.api_server,
            "restartPolicy": "Never",
            "securityContext": security(stack)["pod"],
            "containers": [container],
            "volumes": [
                {"name": "etc", "secret": {"secretName": stored(f"{component}-etc")}},
                {"name": _LOCAL_DIRECTORY, "emptyDir": {}},
                {"name": "tmp", "emptyDir": {}},
            ],
        },
    }
