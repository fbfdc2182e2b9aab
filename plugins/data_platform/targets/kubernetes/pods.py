"""Pods that run to their end: Airflow's tasks, and tools of components. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from data_platform.stack.load import Stack
from data_platform.stack.model import Loaded, Pod
from data_platform.targets.kubernetes import places
from data_platform.targets.kubernetes.checkout import GitSync, add_checkout
from data_platform.targets.kubernetes.settings import Settings
from data_platform.targets.render import render

Object = dict[str, Any]
#: Component whose processes Airflow's tasks are, with their account, environment and log volume.
AIRFLOW = "airflow"
#: Cores that one of them may take.
CPU_LIMIT = "2"
#: What a task itself needs beside the tool that it runs, in MiB.
_TASK_MIB = 600
#: The executor looks for a container of this name.
_CONTAINER = "base"
#: Spark keeps what it shuffles in volumes whose names begin so; by itself it would add one.
_LOCAL_DIRECTORY = "spark-local-dir-1"
#: What Pod Security's level `restricted` asks for, and a root that nobody can change.
_POD_SECURITY = {
    "runAsNonRoot": True,
    "runAsUser": places.USER,
    "runAsGroup": places.USER,
    "fsGroup": places.USER,
    "seccompProfile": {"type": "RuntimeDefault"},
}
_CONTAINER_SECURITY = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}
_NODE_ADDRESS = {"name": "NODE_ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}


def templates(stack: Stack, settings: Settings, git: GitSync | None = None) -> dict[str, Object]:
    """Pod templates of Airflow's tasks, by component: one for each component with tools, and Airflow's own."""
    names = [AIRFLOW, *(name for name, item in stack.components.items() if item.definition.tools)]
    return {name: task_pod(stack, settings, name, git) for name in names}


def task_pod(stack: Stack, settings: Settings, component: str, git: GitSync | None = None) -> Object:
    """The pod of a task that needs a component's tools, without its command.

    Args:
        stack: the platform.
        settings: of the platform.
        component: whose image it runs.
        git: where its checkout is from; None for the image's own.
    """
    needs = stack.components[component].component.resources
    tools = component != AIRFLOW
    memory = f"{_TASK_MIB + (needs.memory_mib if tools else 0)}Mi"
    mounts = [
        {"name": "etc", "mountPath": str(places.ETC / AIRFLOW), "readOnly": True},
        {"name": "data", "mountPath": str(places.DATA)},
        {"name": "logs", "mountPath": str(places.LOGS)},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a volume of the pod's own
    ]
    container = {
        "name": _CONTAINER,
        "image": settings.image(component),
        "imagePullPolicy": "IfNotPresent",
        "workingDir": str(places.ROOT),
        "envFrom": [{"secretRef": {"name": f"{AIRFLOW}-scheduler"}}],
        "env": [
            {"name": places.COMPONENT_VARIABLE, "value": component},
            # The executor starts `python`.
            {"name": "PATH", "value": f"{places.PLATFORM}/bin:{places.BIN}:/usr/bin:/bin"},
            _NODE_ADDRESS,
        ],
        # A little of a core is asked for: many tasks wait for a server; what is free they may take.
        "resources": {
            "requests": {"cpu": "50m", "memory": "256Mi"},
            "limits": {"cpu": CPU_LIMIT, "memory": memory},
        },
        "securityContext": _CONTAINER_SECURITY,
        "volumeMounts": mounts,
    }
    pod: Object = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "task",
            "namespace": places.namespace(stack, AIRFLOW),
            "labels": places.labels(stack, AIRFLOW, "task"),
        },
        "spec": {
            "serviceAccountName": AIRFLOW,
            "automountServiceAccountToken": True,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 30,
            "securityContext": _POD_SECURITY,
            "containers": [container],
            "volumes": [
                {"name": "etc", "secret": {"secretName": f"{AIRFLOW}-etc"}},
                {"name": "data", "emptyDir": {}},
                {"name": "logs", "persistentVolumeClaim": {"claimName": f"{AIRFLOW}-logs"}},
                {"name": "tmp", "emptyDir": {}},
            ],
        },
    }
    if git:
        add_checkout(pod, git, _CONTAINER_SECURITY)
    return pod


def tool_pod(
    stack: Stack, settings: Settings, component: str, words: Sequence[str], name: str, *, git: GitSync | None = None
) -> Object:
    """The pod of one run of a tool, outside of Airflow's tasks.

    Args:
        stack: the platform.
        settings: of the platform.
        component: whose tool.
        words: the tool and its arguments; no secrets.
        name: of the pod.
        git: where its checkout is from; None for the image's own.
    """
    pod = task_pod(stack, settings, component, git)
    pod["metadata"] |= {"name": name}
    pod["spec"]["containers"][0]["command"] = [places.PYTHON, "-m", "data_platform.tool", component, *words]
    return pod


def made(
    stack: Stack, settings: Settings, item: Loaded, values: Mapping[str, str], git: GitSync | None = None
) -> dict[str, Object]:
    """Templates of the pods that a component's tools have made by somebody else, by name.

    Args:
        stack: the platform.
        settings: of the platform.
        item: the component.
        values: its bindings.
        git: where their checkout is from; None for the image's own.
    """
    found = {}
    for name, spec in item.kubernetes.pods.items() if item.kubernetes else ():
        command = tuple(render(word, values, f"{item.folder}: {name}") for word in spec.command)
        found[name] = _made_pod(stack, settings, item.name, name, spec.model_copy(update={"command": command}))
        if git:
            add_checkout(found[name], git, _CONTAINER_SECURITY)
    return found


def _made_pod(stack: Stack, settings: Settings, component: str, name: str, spec: Pod) -> Object:
    """Who makes it adds memory, cores and arguments."""
    container = {
        "name": spec.container,
        "image": settings.image(component),
        "imagePullPolicy": "IfNotPresent",
        "command": list(spec.command),
        "envFrom": [{"secretRef": {"name": f"{component}-{name}"}}],
        "env": [_NODE_ADDRESS],
        "resources": {"limits": {"cpu": CPU_LIMIT}},
        "securityContext": _CONTAINER_SECURITY,
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
            "serviceAccountName": component,
            "automountServiceAccountToken": spec.api_server,
            "restartPolicy": "Never",
            "securityContext": _POD_SECURITY,
            "containers": [container],
            "volumes": [
                {"name": "etc", "secret": {"secretName": f"{component}-etc"}},
                {"name": _LOCAL_DIRECTORY, "emptyDir": {}},
                {"name": "tmp", "emptyDir": {}},
            ],
        },
    }
