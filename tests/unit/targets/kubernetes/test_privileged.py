"""A service whose namespace lets a pod be anything: the bootstrap deploys it, and Airflow may look alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_platform.stack.load import KUBERNETES, load_stack
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes.guard_rails import guard_rails, inside
from data_platform.targets.kubernetes.needs import Asked
from data_platform.targets.kubernetes.permissions import permissions

API, SPACE = "10.0.0.1:6443", "data-platform-openebs"


@pytest.fixture(scope="module")
def privileged(root: Path) -> Stack:
    """With OpenEBS, whose helpers mount folders of nodes."""
    return load_stack(root, target=KUBERNETES, cluster_services={"openebs": "deployed"})


def test_its_namespace_alone_is_privileged(privileged: Stack, asked: dict[str, Asked]) -> None:
    spaces = [o for o in guard_rails(privileged, "small", asked, API) if o["kind"] == "Namespace"]
    levels = {o["metadata"]["name"]: o["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] for o in spaces}
    assert levels.pop(SPACE) == "privileged"
    assert set(levels.values()) == {"restricted"}
    (own,) = (o for o in spaces if o["metadata"]["name"] == SPACE)
    assert own["metadata"]["labels"]["pod-security.kubernetes.io/audit"] == "restricted"


def test_airflow_may_look_there_and_change_nothing(privileged: Stack) -> None:
    found = [
        rule
        for role in permissions(privileged)
        if role["kind"] == "Role" and role["metadata"]["namespace"] == SPACE
        for rule in role["rules"]
        if role["metadata"]["name"] == "data-platform-deployer"
    ]
    assert {verb for rule in found for verb in rule["verbs"]} == {"get", "list", "watch"}
    assert "secrets" in {resource for rule in found for resource in rule["resources"]}


def test_airflow_may_not_change_its_level(privileged: Stack) -> None:
    (role,) = (
        o for o in permissions(privileged) if o["kind"] == "ClusterRole" and o["metadata"]["name"].endswith("deployer")
    )
    (rule,) = (r for r in role["rules"] if "patch" in r["verbs"])
    assert "data-platform-core" in rule["resourceNames"]
    assert SPACE not in rule["resourceNames"]


def test_airflow_applies_nothing_there(privileged: Stack, asked: dict[str, Asked]) -> None:
    rails = guard_rails(privileged, "small", asked, API)
    there = [o for o in rails if SPACE in (o["metadata"]["name"], o["metadata"].get("namespace"))]
    assert {o["kind"] for o in there} > {"Namespace", "ResourceQuota", "NetworkPolicy"}
    mine = inside(rails)
    assert mine
    assert not [o for o in there if o in mine]
