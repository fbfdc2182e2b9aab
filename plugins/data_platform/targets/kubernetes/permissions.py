"""Who may do what in the API: Airflow gets the verbs of a deploy, in the platform's namespaces, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from data_platform.stack.load import Stack
from data_platform.targets.kubernetes import places

Object = dict[str, Any]

ACCOUNT = "airflow"
ROLE = "data-platform-deployer"
_RBAC = "rbac.authorization.k8s.io"
_READ = ("get", "list", "watch")
_WRITE = (*_READ, "create", "update", "patch", "delete")
#: Spark's driver and Patroni, whose roles Airflow's deploy grants, remove several at a time; nobody may grant what he
#: does not have.
_WRITE_ALL = (*_WRITE, "deletecollection")

#: Group, resources, verbs: what `helm upgrade` of our charts, the executor's pods, checks and reports of faults do.
DEPLOYER: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("", ("configmaps", "endpoints", "persistentvolumeclaims", "pods", "services"), _WRITE_ALL),
    ("", ("limitranges", "resourcequotas", "secrets", "serviceaccounts"), _WRITE),
    ("", ("events", "pods/log", "pods/status"), _READ),
    ("", ("pods/exec",), ("get", "create")),
    ("apps", ("deployments", "statefulsets"), _WRITE),
    ("apps", ("deployments/scale", "statefulsets/scale"), ("get", "update", "patch")),
    ("apps", ("controllerrevisions", "replicasets"), _READ),
    ("batch", ("jobs",), _WRITE_ALL),
    ("coordination.k8s.io", ("leases",), _WRITE),
    ("discovery.k8s.io", ("endpointslices",), _READ),
    ("gateway.networking.k8s.io", ("httproutes",), _WRITE),
    ("monitoring.coreos.com", ("servicemonitors",), _WRITE),
    ("networking.k8s.io", ("ingresses", "networkpolicies"), _WRITE),
    ("policy", ("poddisruptionbudgets",), _WRITE),
    (_RBAC, ("rolebindings", "roles"), _WRITE),
    ("sparkoperator.k8s.io", ("sparkapplications", "sparkapplications/status"), _WRITE),
)
#: The little that lies outside of namespaces.
READER: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("", ("nodes", "namespaces"), ("get", "list")),
    ("apiextensions.k8s.io", ("customresourcedefinitions",), ("get", "list")),
    ("gateway.networking.k8s.io", ("gatewayclasses",), ("get", "list")),
    ("networking.k8s.io", ("ingressclasses",), ("get", "list")),
    ("storage.k8s.io", ("storageclasses",), ("get", "list")),
)


def namespaces(stack: Stack) -> list[str]:
    """Names of the platform's namespaces, those without a component too."""
    return [f"{stack.file.name}-{name}" for name in stack.file.namespaces]


def permissions(stack: Stack) -> list[Object]:
    """Roles and bindings of Airflow's account, and default accounts without a token."""
    names = namespaces(stack)
    home = places.namespace(stack, ACCOUNT)
    subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": home}
    found = [
        # Pods that name no account must not speak to the API server.
        {**_object("v1", "ServiceAccount", "default", name), "automountServiceAccountToken": False}
        for name in names
    ]
    cluster = f"{stack.file.name}-deployer"
    rules = [
        *_rules(READER),
        # The namespaces themselves: their labels are guard rails too. Made they are by the bootstrap alone.
        {"apiGroups": [""], "resources": ["namespaces"], "resourceNames": names, "verbs": ["update", "patch"]},
        # Its own role it may read, so that drift is seen, and not change.
        {
            "apiGroups": [_RBAC],
            "resources": ["clusterroles", "clusterrolebindings"],
            "resourceNames": [cluster],
            "verbs": ["get"],
        },
    ]
    found += [
        {**_object(f"{_RBAC}/v1", "ClusterRole", cluster), "rules": rules},
        {
            **_object(f"{_RBAC}/v1", "ClusterRoleBinding", cluster),
            "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": cluster},
            "subjects": [subject],
        },
    ]
    for name in names:
        found += [
            {**_object(f"{_RBAC}/v1", "Role", ROLE, name), "rules": _rules(DEPLOYER)},
            {
                **_object(f"{_RBAC}/v1", "RoleBinding", ROLE, name),
                "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": ROLE},
                "subjects": [subject],
            },
        ]
    return found


def _rules(table: Sequence[tuple[str, tuple[str, ...], tuple[str, ...]]]) -> list[Object]:
    return [{"apiGroups": [group], "resources": list(names), "verbs": list(verbs)} for group, names, verbs in table]


def _object(api_version: str, kind: str, name: str, namespace: str = "") -> Object:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name} | ({"namespace": namespace} if namespace else {}),
    }
