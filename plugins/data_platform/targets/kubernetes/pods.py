"""Pods that run to their end: Airflow's tasks, and tools of components. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from data_platform.stack.load import Stack
from data_platform.targets.kubernetes import places
from data_platform.targets.kubernetes.settings import Settings

Object = dict[str, Any]
#: Component whose processes Airflow's tasks are, with their account, environment and log volume.
AIRFLOW = "airflow"
#: What a task itself needs beside the tool that it runs, in MiB.
_TASK_MIB = 600
#: The executor looks for a container of this name.
_CONTAINER = "base"


def templates(stack: Stack, settings: Settings) -> dict[str, Object]:
    """Pod templates of Airflow's tasks, by component: one for each component with tools, and Airflow's own."""
    names = [AIRFLOW, *(name for name, item in stack.components.items() if item.definition.tools)]
    return {name: task_pod(stack, settings, name) for name in names}


def task_pod(stack: Stack, settings: Settings, component: str) -> Object:
    """The pod of a task that needs a component's tools, without its command.

    Args:
        stack: the platform.
        settings: of the platform.
        component: whose image it runs.
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
            {"name": "NODE_ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        ],
        # A little of a core is asked for: many tasks wait for a server; what is free they may take.
        "resources": {
            "requests": {"cpu": "50m", "memory": "256Mi"},
            "limits": {"cpu": "2", "memory": memory},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": mounts,
    }
    return {
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
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": places.USER,
                "runAsGroup": places.USER,
                "fsGroup": places.USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
            "volumes": [
                {"name": "etc", "secret": {"secretName": f"{AIRFLOW}-etc"}},
                {"name": "data", "emptyDir": {}},
                {"name": "logs", "persistentVolumeClaim": {"claimName": f"{AIRFLOW}-logs"}},
                {"name": "tmp", "emptyDir": {}},
            ],
        },
    }


def tool_pod(stack: Stack, settings: Settings, component: str, words: Sequence[str], name: str) -> Object:
    """The pod of one run of a tool, outside of Airflow's tasks.

    Args:
        stack: the platform.
        settings: of the platform.
        component: whose tool.
        words: the tool and its arguments; no secrets.
        name: of the pod.
    """
    pod = task_pod(stack, settings, component)
    pod["metadata"] |= {"name": name}
    pod["spec"]["containers"][0]["command"] = [places.PYTHON, "-m", "data_platform.tool", component, *words]
    return pod
