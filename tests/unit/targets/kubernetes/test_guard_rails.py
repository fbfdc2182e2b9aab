"""The guard rails as objects: all namespaces, their order, their labels, their quotas."""

from __future__ import annotations

import json
from typing import Any

import pytest

from data_platform.stack.errors import PlatformError
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes import places
from data_platform.targets.kubernetes.guard_rails import CLUSTER_WIDE, ORDER, guard_rails, inside
from data_platform.targets.kubernetes.needs import Asked, beside, quantity

API = "10.0.0.1:6443"


@pytest.fixture(params=places.SIZES)
def size(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def rails(stack: Stack, size: str, asked: dict[str, Asked]) -> list[dict[str, Any]]:
    return guard_rails(stack, size, asked, API)


def of_kind(rails: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    """Objects of a kind that each namespace has one of, by namespace."""
    found = {o["metadata"].get("namespace", o["metadata"]["name"]): o for o in rails if o["kind"] == kind}
    assert found, kind
    return found


def test_every_namespace_of_the_stack_has_its_guard_rails(stack: Stack, rails: list[dict[str, Any]]) -> None:
    names = {f"data-platform-{name}" for name in (*stack.file.namespaces, "spark-operator")}
    assert len(names) == 8
    for kind in ("Namespace", "ResourceQuota", "LimitRange", "Role", "RoleBinding", "ServiceAccount", "NetworkPolicy"):
        assert set(of_kind(rails, kind)) == names


def test_every_namespace_is_restricted(rails: list[dict[str, Any]]) -> None:
    for namespace in of_kind(rails, "Namespace").values():
        labels = namespace["metadata"]["labels"]
        assert {labels[f"pod-security.kubernetes.io/{mode}"] for mode in ("enforce", "audit", "warn")} == {"restricted"}


def test_every_object_says_whose_it_is(rails: list[dict[str, Any]]) -> None:
    assert {thing["kind"] for thing in rails} > {"Namespace", "NetworkPolicy", "Role"}
    for thing in rails:
        labels = thing["metadata"]["labels"]
        assert (labels[places.PART_OF], labels[places.MANAGED_BY]) == ("data-platform", "data-platform")


def test_what_others_need_comes_first(rails: list[dict[str, Any]]) -> None:
    kinds = [thing["kind"] for thing in rails]
    assert kinds == sorted(kinds, key=ORDER.index)
    assert kinds[0] == "Namespace"
    assert (rails[-1]["kind"], rails[-1]["metadata"]["name"]) == ("NetworkPolicy", "default-deny")


def test_the_same_stack_gives_the_same_objects_each_once(
    stack: Stack, rails: list[dict[str, Any]], size: str, asked: dict[str, Asked]
) -> None:
    assert json.dumps(rails) == json.dumps(guard_rails(stack, size, asked, API))
    names = [(o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]) for o in rails]
    assert len(names) == len(set(names))


def test_airflow_applies_what_does_not_give_it_more_than_it_has(rails: list[dict[str, Any]]) -> None:
    kinds = {thing["kind"] for thing in inside(rails)}
    assert kinds == set(ORDER) - CLUSTER_WIDE


def test_a_quota_has_room_for_all_that_its_components_ask_for(
    stack: Stack, rails: list[dict[str, Any]], asked: dict[str, Asked]
) -> None:
    for namespace, quota in of_kind(rails, "ResourceQuota").items():
        hard = quota["spec"]["hard"]
        here = [a for n, a in asked.items() if places.namespace(stack, n) == namespace]
        assert int(hard["pods"]) > sum(a.steady.pods + a.extra.pods for a in here)
        assert quantity(hard["requests.cpu"]) > sum(a.steady.cpu + a.extra.cpu for a in here)
        assert quantity(hard["requests.memory"]) / 2**20 > sum(a.steady.memory + a.extra.memory for a in here)
        assert quantity(hard["limits.memory"]) / 2**20 > sum(a.steady.memory_limit for a in here)
        assert quantity(hard["requests.storage"]) / 2**20 > sum(a.steady.storage for a in here)
        assert int(hard["persistentvolumeclaims"]) > sum(a.steady.claims for a in here)


def test_a_quota_has_room_for_tasks_and_for_pods_of_jobs(
    stack: Stack, rails: list[dict[str, Any]], size: str, asked: dict[str, Asked]
) -> None:
    hard = {namespace: quota["spec"]["hard"] for namespace, quota in of_kind(rails, "ResourceQuota").items()}
    for name in ("airflow", "spark"):
        here = [a for n, a in asked.items() if places.namespace(stack, n) == places.namespace(stack, name)]
        room = int(hard[places.namespace(stack, name)]["pods"]) - sum(a.steady.pods + a.extra.pods for a in here)
        _, count = beside(stack, name, size)
        assert room >= count > 1


def test_a_quota_is_no_blank_cheque(stack: Stack, rails: list[dict[str, Any]], asked: dict[str, Asked]) -> None:
    """Five times of what is asked for does not fit."""
    hard = of_kind(rails, "ResourceQuota")["data-platform-storage"]["spec"]["hard"]
    here = [a for n, a in asked.items() if places.namespace(stack, n) == "data-platform-storage"]
    assert quantity(hard["requests.memory"]) / 2**20 < 5 * sum(a.steady.memory for a in here)


def test_no_namespace_may_open_ports_of_the_nodes(rails: list[dict[str, Any]]) -> None:
    for quota in of_kind(rails, "ResourceQuota").values():
        hard = quota["spec"]["hard"]
        assert (hard["services.nodeports"], hard["services.loadbalancers"]) == ("0", "0")


def test_the_largest_pod_is_within_the_limits_and_a_giant_is_not(
    stack: Stack, rails: list[dict[str, Any]], asked: dict[str, Asked]
) -> None:
    for namespace, limits in of_kind(rails, "LimitRange").items():
        (container,) = limits["spec"]["limits"]
        most = quantity(container["max"]["memory"]) / 2**20
        largest = max((a.largest.memory_limit for n, a in asked.items() if places.namespace(stack, n) == namespace),
                      default=0)  # fmt: skip
        assert most >= quantity(container["default"]["memory"]) / 2**20
        assert most >= largest
        assert most <= 64 * 1024


def test_a_size_that_does_not_exist_is_refused(stack: Stack, asked: dict[str, Asked]) -> None:
    with pytest.raises(PlatformError, match="there is no size 'huge'") as caught:
        guard_rails(stack, "huge", asked, API)
    assert caught.value.remedy == "use one of: small, production"
