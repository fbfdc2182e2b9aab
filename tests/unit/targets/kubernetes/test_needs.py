"""What components ask for in each size, out of their definitions and values."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from data_platform.stack.errors import PlatformError
from data_platform.stack.load import KUBERNETES, load_stack
from data_platform.stack.model import Loaded
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes import needs, places
from data_platform.targets.kubernetes.needs import (
    Asked,
    Need,
    all_asked,
    asked,
    execution,
    job,
    quantity,
    read_values,
    task,
    values_of,
    volumes,
)


@pytest.mark.parametrize(
    ("text", "number"),
    [("500m", 0.5), ("2", 2), (1, 1), (0.25, 0.25), ("1Gi", 2**30), ("512Mi", 2**29), ("1G", 1e9), ("1e3", 1000)],
)
def test_quantities_are_read_as_kubernetes_writes_them(text: object, number: float) -> None:
    assert quantity(text) == number


@pytest.mark.parametrize("text", ["", "lots", "1GB", "1 Gi", "-"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(PlatformError, match="is no quantity"):
        quantity(text)


@pytest.fixture
def item(stack: Stack) -> Loaded:
    """A component with one process, one core and 400 MiB."""
    found = stack.components["minio"]
    assert (found.component.resources.cpu, found.component.resources.memory_mib) == (1, 400)
    assert (list(found.definition.processes), found.definition.jobs) == (["server"], {})
    return found


def of(item: Loaded, **settings: Any) -> Asked:
    return asked(item, {"workloads": {"server": settings}})


def test_a_process_asks_for_what_its_component_declares(item: Loaded) -> None:
    pod = Need(pods=1, cpu=1, memory=400, cpu_limit=2, memory_limit=400)
    assert of(item) == Asked(steady=pod, extra=pod, largest=pod)


def test_values_say_it_better_and_replicas_count(item: Loaded) -> None:
    resources = {"requests": {"cpu": "250m"}, "limits": {"cpu": "500m", "memory": "1Gi"}}
    found = of(item, replicas=3, resources=resources)
    assert found.steady == Need(pods=3, cpu=0.75, memory=1200, cpu_limit=1.5, memory_limit=3072)
    assert found.largest.memory_limit == 1024


def test_a_deployment_is_replaced_by_one_pod_more_and_a_stateful_set_is_not(item: Loaded) -> None:
    assert of(item, kind="Deployment").extra.pods == 1
    assert of(item, kind="StatefulSet").extra.pods == 0


def test_each_pod_of_a_stateful_set_has_its_volumes(item: Loaded) -> None:
    found = of(item, kind="StatefulSet", replicas=2, storage="2Gi", volumes={"wal": {"size": "1Gi"}})
    assert (found.steady.storage, found.steady.claims) == (6 * 1024, 4)
    assert of(item, kind="Deployment", storage="2Gi").steady.claims == 0


def test_drives_and_shared_volumes_count(item: Loaded) -> None:
    values = {
        "drives": {"count": 4, "size": "2Gi"},
        "sharedVolumes": {"logs": {"size": "1Gi"}},
        "workloads": {"server": {"kind": "StatefulSet"}},
    }
    found = asked(item, values)
    assert (found.steady.storage, found.steady.claims) == (9 * 1024, 5)


def test_what_others_release_here_for_a_component_counts_as_its_own(item: Loaded) -> None:
    resources = {"requests": {"cpu": "1", "memory": "4Gi"}, "limits": {"cpu": "4", "memory": "4Gi"}}
    own = of(item, kind="StatefulSet")
    found = asked(
        item,
        {"workloads": {"server": {"kind": "StatefulSet"}}, "reserve": {"gms": {"replicas": 2, "resources": resources}}},
    )
    pod = Need(pods=1, cpu=1, memory=4096, cpu_limit=4, memory_limit=4096)
    assert found == Asked(own.steady.plus(pod.times(2)), pod, own.largest.most(pod))


def test_a_job_runs_beside_what_is_there(stack: Stack) -> None:
    airflow = stack.components["airflow"]
    assert airflow.definition.jobs
    replicas = {name: {"kind": "StatefulSet"} for name in airflow.definition.processes}
    found = asked(airflow, {"workloads": replicas, "job": {"resources": {"requests": {"memory": "300Mi"}}}})
    assert (found.extra.pods, found.extra.memory) == (1, 300)


def test_a_size_lies_over_the_values_of_the_chart(tmp_path: Path) -> None:
    (tmp_path / "chart").mkdir()
    chart = "workloads: {server: {kind: StatefulSet, storage: 1Gi}, worker: {replicas: 2}}\n"
    (tmp_path / "chart" / "values.yaml").write_text(chart, encoding="utf-8")
    (tmp_path / "values.small.yaml").write_text("workloads: {server: {storage: 2Gi}}\n", encoding="utf-8")
    server = {"kind": "StatefulSet", "storage": "2Gi"}
    assert read_values(tmp_path, "small") == {"workloads": {"server": server, "worker": {"replicas": 2}}}
    assert read_values(tmp_path, "production")["workloads"]["server"]["storage"] == "1Gi"
    (tmp_path / "values.small.yaml").write_text("a: [", encoding="utf-8")
    with pytest.raises(PlatformError, match=r"values\.small\.yaml is not YAML"):
        read_values(tmp_path, "small")


def test_components_without_processes_ask_for_nothing_of_their_own(stack: Stack) -> None:
    found = all_asked(stack, "small")
    assert found["dbt"] == Asked()
    assert found["trino"].steady.pods == 2


def test_a_task_may_take_the_memory_of_the_largest_tool(stack: Stack) -> None:
    largest = max(item.component.resources.memory_mib for item in stack.components.values() if item.definition.tools)
    assert task(stack).memory_limit > largest
    assert task(stack).pods == 1


@pytest.mark.parametrize(("runner", "count"), [("pod", 0), ("scheduler", 3), ("operator", 4)])
def test_a_job_of_spark_has_pods_as_its_values_say(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, runner: str, count: int
) -> None:
    said = {"execution": {"runner": runner, "executors": 3, "cpu": "250m"}}
    monkeypatch.setattr(needs, "read_values", lambda *_: said)
    assert job(stack, "small") == (Need(pods=1, cpu=0.25, memory=1200, cpu_limit=2, memory_limit=1200), count)


def test_a_runner_that_there_is_not_is_refused(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"execution": {"runner": "yarn", "executors": 1, "cpu": 1}}
    monkeypatch.setattr(needs, "read_values", lambda *_: said)
    with pytest.raises(PlatformError, match="no runner 'yarn'"):
        job(stack, "small")


def test_jobs_run_by_the_operator_where_there_is_one_and_the_size_says_nothing_else(root: Path, stack: Stack) -> None:
    none = load_stack(root, target=KUBERNETES, cluster_services={"spark-operator": "absent"})
    theirs = load_stack(root, target=KUBERNETES, cluster_services={"spark-operator": "administrator"})
    runners = {
        (name, size): said["runner"]
        for name, each in (("ours", stack), ("theirs", theirs), ("none", none))
        for size in places.SIZES
        if (said := execution(each, size))
    }
    assert runners == {
        ("ours", "small"): "scheduler",
        ("ours", "production"): "operator",
        ("theirs", "small"): "scheduler",
        ("theirs", "production"): "operator",
        ("none", "small"): "scheduler",
        ("none", "production"): "scheduler",
    }


def test_jobs_cannot_run_by_an_operator_that_nobody_has(root: Path) -> None:
    said = {"spark": {"execution": {"runner": "operator"}}}
    assert job(load_stack(root, target=KUBERNETES, values=said), "small")[1] == 2
    none = load_stack(root, target=KUBERNETES, values=said, cluster_services={"spark-operator": "absent"})
    with pytest.raises(PlatformError, match="nobody has one") as caught:
        job(none, "small")
    assert "cluster_services" in caught.value.remedy


def test_volumes_are_asked_for_by_class_and_by_way_of_access(root: Path, stack: Stack) -> None:
    assert volumes(stack, "small") == [("", "ReadWriteOnce")]
    assert volumes(stack, "small", "fast") == [("fast", "ReadWriteOnce")]
    assert volumes(stack, "production") == [("openebs-hostpath", "ReadWriteOnce"), ("shared", "ReadWriteMany")]
    mine = {"nifi": {"sharedVolumes": {"landing": {"existingClaim": "mine"}}}}
    mine["airflow"] = {"sharedVolumes": {"logs": {"existingClaim": "mine"}}}
    assert volumes(load_stack(root, target=KUBERNETES, values=mine), "production") == [
        ("openebs-hostpath", "ReadWriteOnce")
    ]


def test_a_service_of_the_administrators_asks_for_nothing(root: Path, stack: Stack) -> None:
    theirs = load_stack(root, target=KUBERNETES, cluster_services={"spark-operator": "administrator"})
    assert all_asked(stack, "small")["spark-operator"].steady.pods == 1
    assert all_asked(theirs, "small")["spark-operator"] == Asked()


def test_an_environment_lies_over_the_size(stack: Stack) -> None:
    trino = stack.components["trino"]
    told = trino.model_copy(update={"values": {"workloads": {"worker": {"replicas": 7}}}})
    plain, found = values_of(trino, "production"), values_of(told, "production")
    assert found["workloads"]["worker"] == plain["workloads"]["worker"] | {"replicas": 7}
    assert plain["workloads"]["worker"]["replicas"] != 7
    more = replace(stack, components={**stack.components, "trino": told})
    assert all_asked(more, "production")["trino"].steady.pods == all_asked(stack, "production")["trino"].steady.pods + 5
