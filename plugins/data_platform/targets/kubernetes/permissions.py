"""Who may do what in the API: the deployer gets the verbs of a deploy, in the platform's namespaces, and nothing else;
the tasks of datasets get nothing at all.
"""

from __future__ import annotations

from typing import Any

from data_platform.stack.capabilities import JOBS, ORCHESTRATOR
from data_platform.stack.holders import PIPELINES
from data_platform.stack.model import Loaded
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes import grants, places, rbac
from data_platform.targets.kubernetes.rbac import Table

Object = dict[str, Any]

ROLE, LOOKER_ROLE = "data-platform-deployer", "data-platform-looker"
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
    (rbac.GROUP, ("rolebindings", "roles"), _WRITE),
)
#: The little that lies outside of namespaces.
READER: Table = (
    ("", ("nodes", "namespaces"), ("get", "list")),
    ("apiextensions.k8s.io", ("customresourcedefinitions",), ("get", "list")),
    ("gateway.networking.k8s.io", ("gatewayclasses",), ("get", "list")),
    ("networking.k8s.io", ("ingressclasses",), ("get", "list")),
    ("storage.k8s.io", ("storageclasses",), ("get", "list")),
)
#: What Airflow sees of a service in a privileged namespace, which the bootstrap deploys.
SEES: Table = (
    ("", ("events", "persistentvolumeclaims", "pods", "pods/log", "secrets"), _READ),
    ("apps", ("controllerrevisions", "deployments", "replicasets", "statefulsets"), _READ),
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
    return [f"{stack.file.name}-{name}" for name in stack.parts]


def privileged(stack: Stack) -> list[Loaded]:
    """Services in whose namespaces a pod may be anything: who makes one there has the nodes, so Airflow makes none."""
    return [i for i in stack.components.values() if i.service and i.is_deployed and i.service.is_privileged]


def permissions(stack: Stack, runner: str = "pod") -> list[Object]:
    """Accounts of tasks, roles and their bindings, and default accounts without a token.

    Args:
        stack: the platform.
        runner: how jobs of Spark run, as its values say.
    """
    names = namespaces(stack)
    closed = {f"{stack.file.name}-{item.part}" for item in privileged(stack)}
    open_ = [name for name in names if name not in closed]
    home = places.namespace(stack, ORCHESTRATOR)
    # Pods that name no account must not speak to the API server; nor must those of datasets.
    found = [_account("default", name) for name in names]
    found += [_account(PIPELINES, home)] if PIPELINES in stack.file.identities else []
    if stack.provider(JOBS) and (table := SUBMITTER[runner]):
        submitter = rbac.subject(places.SUBMITTER, home)
        found.append(_account(places.SUBMITTER, home))
        found += rbac.granted(places.SUBMITTER, places.namespace(stack, JOBS), table, submitter)
    cluster = f"{stack.file.name}-deployer"
    rules = [
        *rbac.rules(READER),
        # The namespaces themselves: their labels are guard rails too. Made they are by the bootstrap alone.
        {"apiGroups": [""], "resources": ["namespaces"], "resourceNames": open_, "verbs": ["update", "patch"]},
        # Its own role it may read, so that drift is seen, and not change.
        {
            "apiGroups": [rbac.GROUP],
            "resources": ["clusterroles", "clusterrolebindings"],
            "resourceNames": [cluster],
            "verbs": ["get"],
        },
    ]
    deployer, looker = rbac.subject(account(stack), home), rbac.subject(looker_account(stack), home)
    found += rbac.bound(cluster, "", rules, deployer)
    found += rbac.granted(f"{stack.file.name}-looker", "", LOOKS_EVERYWHERE, looker)
    for name in names:
        found += rbac.granted(ROLE, name, DEPLOYER if name in open_ else SEES, deployer)
        found += rbac.granted(LOOKER_ROLE, name, LOOKS, looker)
    return found + grants.roles(stack, deployer)


def _account(name: str, namespace: str) -> Object:
    return {**rbac.thing("v1", "ServiceAccount", name, namespace), "automountServiceAccountToken": False}
