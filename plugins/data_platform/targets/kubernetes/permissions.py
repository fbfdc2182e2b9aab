"""Who may do what in the API: the deployer gets the verbs of a deploy, in the platform's namespaces, and nothing else;
the tasks of datasets get nothing at all.
"""

from __future__ import annotations

from typing import Any

from data_platform.stack.capabilities import JOBS, ORCHESTRATOR
from data_platform.stack.holders import PIPELINES
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes import places

Object = dict[str, Any]
#: Group, resources, verbs.
Table = tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]

ROLE, LOOKER_ROLE = "data-platform-deployer", "data-platform-looker"
_RBAC = "rbac.authorization.k8s.io"
_READ = ("get", "list", "watch")
_WRITE = (*_READ, "create", "update", "patch", "delete")
#: Spark's driver and Patroni, whose roles Airflow's deploy grants, remove several at a time; nobody may grant what he
#: does not have.
_WRITE_ALL = (*_WRITE, "deletecollection")

#: What `helm upgrade` of our charts, checks and reports of faults do.
DEPLOYER: Table = (
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
READER: Table = (
    ("", ("nodes", "namespaces"), ("get", "list")),
    ("apiextensions.k8s.io", ("customresourcedefinitions",), ("get", "list")),
    ("gateway.networking.k8s.io", ("gatewayclasses",), ("get", "list")),
    ("networking.k8s.io", ("ingressclasses",), ("get", "list")),
    ("storage.k8s.io", ("storageclasses",), ("get", "list")),
)
#: How components are, without a look into a Secret; and which images nodes have.
LOOKS: Table = (("", ("pods",), ("get", "list")), ("apps", ("deployments", "statefulsets"), ("get", "list")))
LOOKS_EVERYWHERE: Table = (("", ("nodes",), ("get", "list")),)
#: What starts a job of Spark does in the namespace of jobs, by `execution.runner`.
SUBMITTER: dict[str, Table] = {
    "pod": (),
    # It is the driver.
    "scheduler": (
        ("", ("configmaps", "persistentvolumeclaims", "pods", "services"), _WRITE_ALL),
        ("", ("pods/log",), ("get",)),
    ),
    "operator": (
        ("sparkoperator.k8s.io", ("sparkapplications",), _WRITE),
        ("", ("pods", "pods/log"), ("get",)),
    ),
}


def account(stack: Stack) -> str:
    """The deployer's: of tasks that deploy, and of the triggerer."""
    return places.orchestrator(stack)


def looker_account(stack: Stack) -> str:
    """Of the server whose pages show how components are; its release makes it."""
    return f"{places.orchestrator(stack)}-{places.PAGES_SERVER}"


def namespaces(stack: Stack) -> list[str]:
    """Names of the platform's namespaces, those without a component too."""
    return [f"{stack.file.name}-{name}" for name in stack.file.namespaces]


def permissions(stack: Stack, runner: str = "pod") -> list[Object]:
    """Accounts of tasks, roles and their bindings, and default accounts without a token.

    Args:
        stack: the platform.
        runner: how jobs of Spark run, as its values say.
    """
    names = namespaces(stack)
    home = places.namespace(stack, ORCHESTRATOR)
    # Pods that name no account must not speak to the API server; nor must those of datasets.
    found = [_account("default", name) for name in names]
    found += [_account(PIPELINES, home)] if PIPELINES in stack.file.identities else []
    if stack.provider(JOBS) and (table := SUBMITTER[runner]):
        found.append(_account(places.SUBMITTER, home))
        found += _granted(places.SUBMITTER, places.namespace(stack, JOBS), table, _subject(places.SUBMITTER, home))
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
    deployer, looker = _subject(account(stack), home), _subject(looker_account(stack), home)
    found += _bound(cluster, "", rules, deployer)
    found += _granted(f"{stack.file.name}-looker", "", LOOKS_EVERYWHERE, looker)
    for name in names:
        found += _granted(ROLE, name, DEPLOYER, deployer)
        found += _granted(LOOKER_ROLE, name, LOOKS, looker)
    return found


def _account(name: str, namespace: str) -> Object:
    return {**_object("v1", "ServiceAccount", name, namespace), "automountServiceAccountToken": False}


def _subject(name: str, namespace: str) -> Object:
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}


def _granted(role: str, namespace: str, table: Table, subject: Object) -> list[Object]:
    return _bound(role, namespace, _rules(table), subject)


def _bound(role: str, namespace: str, rules: list[Object], subject: Object) -> list[Object]:
    """A role in a namespace, or in the whole cluster, and who has it."""
    kind = "Role" if namespace else "ClusterRole"
    return [
        {**_object(f"{_RBAC}/v1", kind, role, namespace), "rules": rules},
        {
            **_object(f"{_RBAC}/v1", f"{kind}Binding", role, namespace),
            "roleRef": {"apiGroup": _RBAC, "kind": kind, "name": role},
            "subjects": [subject],
        },
    ]


def _rules(table: Table) -> list[Object]:
    return [{"apiGroups": [group], "resources": list(names), "verbs": list(verbs)} for group, names, verbs in table]


def _object(api_version: str, kind: str, name: str, namespace: str = "") -> Object:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name} | ({"namespace": namespace} if namespace else {}),
    }
