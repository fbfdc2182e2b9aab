"""How large the platform is, by its charts: what quotas and preflight go by."""

from __future__ import annotations

from functools import cache
from typing import Any, cast

import pytest

from data_platform.stack.errors import PlatformError
from data_platform.stack.load import KUBERNETES, load_stack
from data_platform.stack.service import Provided
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes.inventory import Facts, Node
from data_platform.targets.kubernetes.needs import Asked, beside, total, volumes
from data_platform.targets.kubernetes.preflight import judge
from tests import sizes
from tests.render.conftest import ROOT, SIZES
from tests.render.test_components import GIT_SYNC

#: What the smallest platform may ask of a node of two cores, so that tasks and the cluster itself have room.
CORES, MIB = 1.5, 9 * 1024


@cache
def stack() -> Stack:
    return load_stack(ROOT, target=KUBERNETES)


@cache
def asked(size: str) -> dict[str, Asked]:
    return sizes.asked(stack(), size)


def told(component: str, size: str, **values: Any) -> Asked:
    """What a component asks for where the environment says something."""
    return sizes.asked(sizes.told(stack(), component, values), size)[component]


def test_the_smallest_platform_fits_on_two_cores() -> None:
    found = total({name: one.steady for name, one in asked("small").items()})
    assert 0.5 < found.cpu <= CORES
    assert 4096 < found.memory <= MIB


@pytest.mark.parametrize("size", SIZES)
def test_every_component_counts_and_what_has_no_pods_asks_for_none(size: str) -> None:
    found = asked(size)
    assert set(found) == set(stack().components)
    none = {name for name, one in found.items() if one.steady.pods == 0}
    items = stack().components.items()
    assert none == {name for name, item in items if not (item.definition.processes and item.is_deployed)}
    assert {name for name, one in found.items() if one == Asked()} == none
    for name in found.keys() - none:
        assert found[name].largest.memory_limit >= found[name].largest.memory > 0


def test_the_numbers_are_those_of_the_values() -> None:
    trino, minio, airflow = (asked("small")[name] for name in ("trino", "minio", "airflow"))
    assert (trino.steady.pods, trino.steady.memory, trino.largest.memory) == (2, 2400, 1250)
    assert (minio.steady.storage, minio.steady.claims) == (4 * 2048, 4)
    # A job before the release, the logs' volume; a Deployment of one is two for a while, all four at a time.
    assert (airflow.steady.claims, airflow.extra.pods) == (1, 4)


def test_a_cluster_service_counts_where_the_platform_deploys_it() -> None:
    services = ("openebs", "spark-operator")
    for provided, pods in (("deployed", 1), ("administrator", 0)):
        said = cast("dict[str, Provided]", dict.fromkeys(services, provided))
        found = sizes.asked(load_stack(ROOT, target=KUBERNETES, cluster_services=said), "small")
        assert {name: found[name].steady.pods for name in services} == dict.fromkeys(services, pods)
        assert all((found[name] == Asked()) == (pods == 0) for name in services)


def test_volumes_that_charts_ask_for_are_of_these_classes() -> None:
    assert volumes(stack(), "small", asked("small")) == [("", "ReadWriteOnce")]
    assert volumes(stack(), "production", asked("production")) == [
        ("openebs-hostpath", "ReadWriteOnce"),
        ("shared", "ReadWriteMany"),
    ]


def test_what_an_environment_says_counts() -> None:
    before = asked("production")["trino"].steady
    after = told("trino", "production", workloads={"worker": {"replicas": 7}}).steady
    assert after.pods == before.pods + 5
    assert after.memory == before.memory + 5 * 32 * 1024


def test_what_others_release_for_a_component_counts_as_its_own() -> None:
    resources = {"requests": {"cpu": "1", "memory": "4Gi"}, "limits": {"cpu": "4", "memory": "4Gi"}}
    before = asked("small")["datahub"]
    after = told("datahub", "small", reserve={"gms": {"replicas": 2, "resources": resources}})
    assert (after.steady.pods, after.steady.memory) == (before.steady.pods + 2, before.steady.memory + 2 * 4096)
    assert after.largest.memory == 4096


def test_the_quota_has_room_for_git_sync_beside_each_server() -> None:
    plain, synced = asked("small")["airflow"].steady, told("airflow", "small", gitSync=GIT_SYNC).steady
    assert synced.pods == plain.pods == 4
    assert synced.memory - plain.memory == 4 * 64
    assert synced.memory_limit - plain.memory_limit == 4 * 256


def test_a_chart_that_cannot_be_rendered_is_named() -> None:
    with pytest.raises(PlatformError, match="rendering the chart of minio"):
        told("minio", "small", workloads={"sever": {}})


def test_the_same_node_is_enough_for_one_size_and_not_for_the_other() -> None:
    node = Node("lab", 4, 16 * 1024, 100)
    facts = Facts((1, 37), {"fast": True}, (), (node,), {}, ("IngressClass nginx",), {}, {})
    assert judge(stack(), "small", asked("small"), facts).problems == ()
    assert [p for p in judge(stack(), "production", asked("production"), facts).problems if "(memory)" in p.what]


@pytest.mark.parametrize("size", SIZES)
def test_nothing_that_is_declared_is_a_giant(size: str) -> None:
    for name, one in asked(size).items():
        assert one.largest.memory_limit <= 48 * 1024, name
    assert beside(stack(), "airflow", size)[1] >= 10
