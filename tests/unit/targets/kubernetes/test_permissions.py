"""What Airflow's account may do, judged as RBAC judges it."""

from __future__ import annotations

from typing import Any

import pytest

from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes.permissions import permissions


def rules_of(
    stack: Stack, kind: str, namespace: str = "", *, name: str = "airflow", runner: str = "pod"
) -> list[dict[str, Any]]:
    """Rules that are bound to an account of the namespace of Airflow, in a namespace or everywhere."""
    found = permissions(stack, runner)
    account = {"kind": "ServiceAccount", "name": name, "namespace": "data-platform-core"}
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

    held, seen = rules_of(stack, "Role", "data-platform-core"), set()
    for item in stack.components.values():
        path = item.folder / "chart" / "values.yaml"
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        for account in (values.get("serviceAccount") or {}, *(values.get("accounts") or {}).values()):
            for asked in each(account.get("rules", [])):
                assert may(held, *asked), f"{item.name}: {asked}"
                seen.add((item.name, asked))
    assert {name for name, _ in seen} == {"airflow", "postgresql", "spark", "spark-operator"}


def each(rules: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Verb, group and resource of everything that some rules allow."""
    return [
        (verb, group, resource)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]


def accounts(stack: Stack, runner: str) -> list[tuple[str, str]]:
    """Namespace and name of the accounts that the namespaces bring."""
    found = [o for o in permissions(stack, runner) if o["kind"] == "ServiceAccount"]
    # A pod must ask for its token.
    assert not any(o["automountServiceAccountToken"] for o in found)
    return [(o["metadata"]["namespace"], o["metadata"]["name"]) for o in found]


@pytest.mark.parametrize("runner", ["pod", "scheduler", "operator"])
def test_pods_that_name_no_account_have_no_token(stack: Stack, runner: str) -> None:
    own = {("data-platform-core", "pipelines")} | (
        {("data-platform-core", "spark-submit")} if runner != "pod" else set()
    )
    assert set(accounts(stack, runner)) == own | {(f"data-platform-{part}", "default") for part in stack.parts}


@pytest.mark.parametrize("runner", ["pod", "scheduler", "operator"])
def test_tasks_of_datasets_have_no_role(stack: Stack, runner: str) -> None:
    bindings = [o for o in permissions(stack, runner) if o["kind"].endswith("Binding")]
    names = {subject["name"] for binding in bindings for subject in binding["subjects"]}
    submitter = {"spark-submit"} if runner != "pod" else set()
    assert names == {"airflow", "airflow-api-server", "spark-operator"} | submitter


@pytest.mark.parametrize(
    ("runner", "may_do", "may_not"),
    [
        ("scheduler", ("create", "", "pods"), ("create", "sparkoperator.k8s.io", "sparkapplications")),
        ("operator", ("create", "sparkoperator.k8s.io", "sparkapplications"), ("create", "", "pods")),
    ],
)
def test_what_starts_jobs_may_do_so_where_they_run(
    stack: Stack, runner: str, may_do: tuple[str, str, str], may_not: tuple[str, str, str]
) -> None:
    rules = rules_of(stack, "Role", "data-platform-processing", name="spark-submit", runner=runner)
    assert may(rules, *may_do)
    assert not may(rules, *may_not)
    assert not [asked for asked in each(rules) if asked[2] == "secrets"]
    elsewhere = [f"data-platform-{part}" for part in stack.file.namespaces if part != "processing"]
    assert not [
        rule for name in elsewhere for rule in rules_of(stack, "Role", name, name="spark-submit", runner=runner)
    ]
    # Airflow's deploy grants it.
    held = rules_of(stack, "Role", "data-platform-processing")
    assert all(may(held, *asked) for asked in each(rules))


def test_airflows_pages_may_look_at_components_and_at_no_secret(stack: Stack) -> None:
    for part in stack.file.namespaces:
        rules = rules_of(stack, "Role", f"data-platform-{part}", name="airflow-api-server")
        assert may(rules, "list", "apps", "deployments")
        assert {verb for verb, _, _ in each(rules)} == {"get", "list"}
        assert "secrets" not in {resource for _, _, resource in each(rules)}
    assert each(rules_of(stack, "ClusterRole", name="airflow-api-server")) == [
        ("get", "", "nodes"),
        ("list", "", "nodes"),
    ]
