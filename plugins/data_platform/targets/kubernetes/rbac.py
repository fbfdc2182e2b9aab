"""Roles and bindings as objects. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

Object = dict[str, Any]
#: Group, resources, verbs.
Table = tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]

GROUP = "rbac.authorization.k8s.io"


def subject(name: str, namespace: str) -> Object:
    """An account that is given something."""
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}


def granted(role: str, namespace: str, table: Table, to: Object) -> list[Object]:
    """See `bound`, of a table."""
    return bound(role, namespace, rules(table), to)


def bound(role: str, namespace: str, its: Sequence[Object], to: Object) -> list[Object]:
    """A role in a namespace, or in the whole cluster, and who has it.

    Args:
        role: its name.
        namespace: where; the whole cluster when empty.
        its: rules.
        to: who has it.
    """
    kind = "Role" if namespace else "ClusterRole"
    return [
        {**thing(f"{GROUP}/v1", kind, role, namespace), "rules": list(its)},
        {
            **thing(f"{GROUP}/v1", f"{kind}Binding", role, namespace),
            "roleRef": {"apiGroup": GROUP, "kind": kind, "name": role},
            "subjects": [to],
        },
    ]


def rules(table: Iterable[tuple[str, tuple[str, ...], tuple[str, ...]]]) -> list[Object]:
    """Rules of a role."""
    return [{"apiGroups": [group], "resources": list(names), "verbs": list(verbs)} for group, names, verbs in table]


def thing(api_version: str, kind: str, name: str, namespace: str = "") -> Object:
    """The begin of an object."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name} | ({"namespace": namespace} if namespace else {}),
    }
