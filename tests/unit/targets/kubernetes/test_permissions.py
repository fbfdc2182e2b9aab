"""What Airflow's account may do, judged as RBAC judges it."""

from __future__ import annotations

from typing import Any

import pytest

from data_platform.stack.load import Stack
from data_platform.targets.kubernetes.permissions import permissions


def rules_of(stack: Stack, kind: str, namespace: str = "") -> list[dict[str, Any]]:
    """Rules that are bound to Airflow's account, in a namespace or everywhere."""
    found = permissions(stack)
    account = {"kind": "ServiceAccount", "name": "airflow", "namespace": "data-platform-core"}
    bound = {
        o["roleRef"]["name"]
        for o in found
        if o["kind"] == f"{kind}Binding"
        and o["metadata"].get("namespace", "") == namespace
        and account in o["subjects"]
    }
    return [
        rule
        for o in found
        if o["kind"] == kind and o["metadata"].get("namespace", "") == namespace and o["metadata"]["name"] in bound
        for rule in o["rules"]
    ]


def may(rules: list[dict[str, Any]], verb: str, group: str, resource: str, name: str = "x") -> bool:
    return any(
        verb in rule["verbs"]
        and group in rule["apiGroups"]
        and resource in rule["resources"]
        and ("resourceNames" not in rule or name in rule["resourceNames"])
        for rule in rules
    )


@pytest.mark.parametrize(
    ("verb", "group", "resource"),
    [
        ("create", "", "secrets"),
        ("patch", "apps", "statefulsets"),
        ("delete", "batch", "jobs"),
        ("create", "", "pods/exec"),
        ("get", "", "pods/log"),
        ("create", "networking.k8s.io", "networkpolicies"),
        ("patch", "", "resourcequotas"),
        ("create", "monitoring.coreos.com", "servicemonitors"),
    ],
)
def test_airflow_may_deploy_in_every_namespace_of_the_platform(
    stack: Stack, verb: str, group: str, resource: str
) -> None:
    for part in stack.file.namespaces:
        assert may(rules_of(stack, "Role", f"data-platform-{part}"), verb, group, resource)
    assert not rules_of(stack, "Role", "kube-system")


@pytest.mark.parametrize(
    ("verb", "group", "resource"),
    [
        ("get", "", "secrets"),
        ("list", "", "pods"),
        ("create", "", "namespaces"),
        ("delete", "", "namespaces"),
        ("patch", "", "nodes"),
        ("create", "rbac.authorization.k8s.io", "clusterroles"),
        ("patch", "rbac.authorization.k8s.io", "clusterrolebindings"),
        ("escalate", "rbac.authorization.k8s.io", "roles"),
        ("impersonate", "", "serviceaccounts"),
    ],
)
def test_airflow_may_not_do_this_everywhere(stack: Stack, verb: str, group: str, resource: str) -> None:
    assert not may(rules_of(stack, "ClusterRole"), verb, group, resource)


def test_airflow_may_label_the_namespaces_of_the_platform_and_no_others(stack: Stack) -> None:
    rules = rules_of(stack, "ClusterRole")
    assert may(rules, "patch", "", "namespaces", "data-platform-datalab")
    assert not may(rules, "patch", "", "namespaces", "kube-system")


def test_no_rule_has_a_wildcard(stack: Stack) -> None:
    found = [rule for o in permissions(stack) for rule in o.get("rules", [])]
    assert len(found) > 20
    for rule in found:
        assert "*" not in [*rule["verbs"], *rule["resources"], *rule["apiGroups"]]


def test_airflow_holds_all_that_the_charts_give_to_components(stack: Stack) -> None:
    """Nobody may grant what he does not have, so its deploy of such a chart would be refused."""
    import yaml

    held, seen = rules_of(stack, "Role", "data-platform-core"), 0
    for item in stack.components.values():
        path = item.folder / "chart" / "values.yaml"
        account = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("serviceAccount") or {}
        for rule in account.get("rules", []):
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    for verb in rule["verbs"]:
                        assert may(held, verb, group, resource), f"{item.name}: {verb} {group} {resource}"
                        seen += 1
    assert seen > 10


def test_pods_that_name_no_account_have_no_token(stack: Stack) -> None:
    accounts = [o for o in permissions(stack) if o["kind"] == "ServiceAccount"]
    assert [o["metadata"]["name"] for o in accounts] == ["default"] * len(stack.file.namespaces)
    assert not any(o["automountServiceAccountToken"] for o in accounts)
