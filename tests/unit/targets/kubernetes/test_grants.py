"""Rights of cluster services are roles that the bootstrap alone makes, and nothing more than what is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from data_platform.stack.load import KUBERNETES, load_stack
from data_platform.stack.service import Provided
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes import grants, guard_rails, places, rbac
from data_platform.targets.kubernetes.needs import Asked

DEPLOYER = rbac.subject("airflow", "data-platform-core")
Object = dict[str, Any]


def with_(root: Path, **said: Provided) -> Stack:
    return load_stack(
        root, target=KUBERNETES, cluster_services={key.replace("_", "-"): who for key, who in said.items()}
    )


def made(stack: Stack) -> dict[tuple[str, str, str], Object]:
    found = {
        (o["kind"], o["metadata"].get("namespace", ""), o["metadata"]["name"]): o for o in grants.roles(stack, DEPLOYER)
    }
    assert found
    return found


def test_its_account_and_airflows_are_given_what_is_said_where_it_is_said(stack: Stack) -> None:
    roles = made(stack)
    assert set(roles) == {
        (kind, namespace, name)
        for kind in ("Role", "RoleBinding")
        for namespace, name in (
            ("data-platform-processing", "spark-operator-service"),
            ("data-platform-spark-operator", "spark-operator-service"),
            ("data-platform-processing", "spark-operator-user"),
        )
    }
    binding = roles["RoleBinding", "data-platform-processing", "spark-operator-service"]
    assert binding["subjects"] == [rbac.subject("spark-operator", "data-platform-spark-operator")]
    assert roles["RoleBinding", "data-platform-processing", "spark-operator-user"]["subjects"] == [DEPLOYER]
    said = roles["Role", "data-platform-spark-operator", "spark-operator-service"]["rules"]
    assert said == [{"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch", "update"]}]


def test_an_operator_may_do_nothing_in_the_whole_cluster(stack: Stack) -> None:
    assert not [kind for kind, _, _ in made(stack) if kind.startswith("Cluster")]
    assert {each.namespace for each in grants.all_granted(stack)} == {
        "data-platform-processing",
        "data-platform-spark-operator",
    }


def test_what_is_granted_everywhere_bears_the_platforms_name(root: Path) -> None:
    roles = made(with_(root, openebs="deployed", spark_operator="absent"))
    assert set(roles) == {
        ("ClusterRole", "", "data-platform-openebs-service"),
        ("ClusterRoleBinding", "", "data-platform-openebs-service"),
        ("Role", "data-platform-openebs", "openebs-service"),
        ("RoleBinding", "data-platform-openebs", "openebs-service"),
    }
    rules = roles["ClusterRole", "", "data-platform-openebs-service"]["rules"]
    # Of pods, nodes and namespaces of others it may change nothing.
    changing = {"create", "delete", "patch", "update"}
    written = {r for rule in rules for r in rule["resources"] if changing & set(rule["verbs"])}
    assert written == {"persistentvolumes", "persistentvolumeclaims", "events"}


def test_of_the_administrators_airflow_alone_is_given_something(root: Path) -> None:
    assert {name for _, _, name in made(with_(root, spark_operator="administrator"))} == {"spark-operator-user"}
    assert grants.roles(with_(root, spark_operator="absent"), DEPLOYER) == []


def test_airflow_applies_none_of_them(root: Path, asked: dict[str, Asked]) -> None:
    stack = with_(root, openebs="deployed")
    rails = guard_rails.guard_rails(stack, "small", asked, "10.0.0.1:6443", "0123")
    mine = {(o["kind"], o["metadata"]["name"]) for o in guard_rails.inside(rails)}
    names = {(kind, name) for kind, _, name in made(stack)}
    assert names <= {(o["kind"], o["metadata"]["name"]) for o in rails}
    assert not names & mine
    assert all(o["metadata"]["labels"][places.PLATFORM_ID] == "0123" for o in rails)


def test_rights_on_some_objects_name_them(stack: Stack) -> None:
    item = stack.components["spark-operator"]
    assert item.service
    right = item.service.grants[0].rights[0].model_copy(update={"names": ("one",)})
    assert grants._rule(right)["resourceNames"] == ["one"]


@pytest.mark.parametrize(("name", "served"), [("spark-operator", ["data-platform-processing"]), ("trino", [])])
def test_where_it_serves_follows_from_its_rights(stack: Stack, name: str, served: list[str]) -> None:
    assert grants.served(stack, stack.components[name]) == served
