"""What components ask for, out of the objects of their releases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from data_platform.stack.errors import PlatformError
from data_platform.stack.load import KUBERNETES, load_stack
from data_platform.stack.stack import Stack
from data_platform.targets.kubernetes import needs, places
from data_platform.targets.kubernetes.needs import (
    DEFAULT,
    NOTHING,
    Asked,
    Need,
    Object,
    asked,
    beside,
    execution,
    job,
    of_pod,
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


SMALL = {"requests": {"cpu": "250m", "memory": "1Gi"}, "limits": {"cpu": "500m", "memory": "2Gi"}}
LARGE = {"requests": {"cpu": "2", "memory": "512Mi"}, "limits": {"cpu": "4", "memory": "512Mi"}}
POD = Need(pods=1, cpu=0.25, memory=1024, cpu_limit=0.5, memory_limit=2048)


def containers(*resources: Object, **more: Any) -> list[Object]:
    return [{"name": f"c{number}", "resources": each, **more} for number, each in enumerate(resources)]


def test_containers_of_a_pod_count_together() -> None:
    assert of_pod({"containers": containers(SMALL, SMALL)}) == POD.times(2)._replace(pods=1)


def test_a_container_that_ends_before_the_others_counts_where_it_is_the_larger() -> None:
    found = of_pod({"containers": containers(SMALL), "initContainers": containers(LARGE, LARGE)})
    assert found == Need(pods=1, cpu=2, memory=1024, cpu_limit=4, memory_limit=2048)


def test_a_container_that_runs_beside_the_others_counts_with_them() -> None:
    first, beside = containers(LARGE), containers(SMALL, restartPolicy="Always")
    spec = {"containers": containers(SMALL)}
    assert of_pod({**spec, "initContainers": beside}) == POD.times(2)._replace(pods=1)
    # It runs already while what comes after it runs to its end.
    assert of_pod({**spec, "initContainers": [*beside, *first]}).cpu == 2.25
    assert of_pod({**spec, "initContainers": [*first, *beside]}).cpu == 2


def test_what_a_container_does_not_say_it_is_given() -> None:
    assert of_pod({"containers": containers({})}) == Need(pods=1)
    assert of_pod({"containers": [{"name": "c"}]}, DEFAULT) == DEFAULT._replace(pods=1)
    limited = of_pod({"containers": containers({"limits": {"memory": "1Gi"}})}, DEFAULT)
    assert limited == DEFAULT._replace(pods=1, memory=1024, memory_limit=1024)


def workload(kind: str, *, volumes: tuple[str, ...] = (), resources: Object = SMALL, **spec: Any) -> Object:
    template = {"spec": {"containers": containers(resources)}}
    claims = [{"spec": {"resources": {"requests": {"storage": size}}}} for size in volumes]
    made = {"template": template, **spec, **({"volumeClaimTemplates": claims} if claims else {})}
    return {"kind": kind, "metadata": {"name": "x"}, "spec": made}


def test_replicas_count() -> None:
    assert asked([workload("StatefulSet", replicas=3)], {}) == Asked(POD.times(3), NOTHING, POD)
    assert asked([workload("StatefulSet")], {}).steady.pods == 1


@pytest.mark.parametrize(
    ("strategy", "more"),
    [
        ({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}, 1),
        ({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "50%"}}, 3),
        ({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0}}, 0),
        ({"type": "Recreate"}, 0),
        ({}, 2),
    ],
)
def test_a_deployment_has_more_pods_while_it_is_replaced(strategy: Object, more: int) -> None:
    found = asked([workload("Deployment", replicas=5, strategy=strategy)], {})
    assert (found.steady.pods, found.extra) == (5, POD.times(more))


def test_each_pod_of_a_stateful_set_has_its_volumes_and_what_is_shared_counts_once() -> None:
    shared = {"kind": "PersistentVolumeClaim", "spec": {"resources": {"requests": {"storage": "1Gi"}}}}
    found = asked([workload("StatefulSet", replicas=2, volumes=("2Gi", "512Mi")), shared], {}).steady
    assert (found.storage, found.claims) == (6 * 1024, 5)


def test_jobs_run_one_after_the_other_and_before_anything_is_replaced() -> None:
    rolling = {"rollingUpdate": {"maxSurge": 1}}
    objects = [workload("Job", resources=LARGE), workload("Deployment", strategy=rolling), workload("Job")]
    objects += [{"kind": "CronJob", "metadata": {"name": "c"}, "spec": {"jobTemplate": workload("Job")}}]
    for order in (objects, objects[::-1]):
        found = asked(order, {})
        assert found == Asked(POD, POD._replace(cpu=2, cpu_limit=4), POD._replace(cpu=2, cpu_limit=4))


def test_what_others_release_here_for_a_component_counts_as_its_own() -> None:
    found = asked([workload("StatefulSet")], {"reserve": {"gms": {"replicas": 2, "resources": LARGE}}})
    pod = Need(pods=1, cpu=2, memory=512, cpu_limit=4, memory_limit=512)
    assert found == Asked(POD.plus(pod.times(2)), pod, POD.most(pod))


def test_pods_that_cannot_be_counted_are_refused() -> None:
    with pytest.raises(PlatformError, match="DaemonSet x: how many pods") as caught:
        asked([workload("DaemonSet")], {})
    assert "reserve" in caught.value.remedy
    assert asked([{"kind": "Service", "metadata": {"name": "x"}, "spec": {}}], {}) == Asked()


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


def test_a_task_may_take_the_memory_of_the_largest_tool(stack: Stack) -> None:
    largest = max(item.component.resources.memory_mib for item in stack.components.values() if item.definition.tools)
    assert task(stack).memory_limit > largest
    assert task(stack).pods == 1


@pytest.mark.parametrize("size", places.SIZES)
def test_there_is_room_for_all_tasks_that_run_at_a_time(stack: Stack, size: str) -> None:
    airflow = stack.components["airflow"]
    assert airflow.kubernetes
    environment = airflow.definition.processes["scheduler"].environment
    schedulers = values_of(airflow, size)["workloads"]["scheduler"].get("replicas", 1)
    pod, count = beside(stack, "airflow", size)
    assert pod == task(stack)
    assert count > schedulers * int(environment["AIRFLOW__CORE__PARALLELISM"])


def test_several_jobs_of_spark_run_at_a_time_and_other_components_make_no_pods(stack: Stack) -> None:
    pod, each = job(stack, "production")
    assert beside(stack, "spark", "production") == (pod, 2 * each)
    assert beside(stack, "minio", "production") == (NOTHING, 0)


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
    none = dict.fromkeys(stack.components, Asked())
    own = none | {"minio": Asked(Need(storage=1024, claims=4))}
    # In one size the folder that tasks share is on one node's disk.
    assert volumes(stack, "small", none) == [("", "ReadWriteOnce")]
    assert volumes(stack, "small", none, "fast") == [("fast", "ReadWriteOnce")]
    assert volumes(stack, "small", own) == [("", "ReadWriteOnce")]
    assert volumes(stack, "small", own, "fast") == [("fast", "ReadWriteOnce")]
    # What is shared is asked for in its own way, and is no reason to ask for another one.
    shared = none | {name: Asked(Need(storage=1024, claims=1)) for name in ("airflow", "nifi")}
    assert volumes(stack, "production", shared) == [("shared", "ReadWriteMany")]
    assert volumes(stack, "production", shared | own) == [
        ("openebs-hostpath", "ReadWriteOnce"),
        ("shared", "ReadWriteMany"),
    ]
    mine = {"nifi": {"sharedVolumes": {"landing": {"existingClaim": "mine"}}}}
    mine["airflow"] = {"sharedVolumes": {"logs": {"existingClaim": "mine"}}}
    assert volumes(load_stack(root, target=KUBERNETES, values=mine), "small", none) == []
    assert volumes(load_stack(root, target=KUBERNETES, values=mine), "production", own) == [
        ("openebs-hostpath", "ReadWriteOnce")
    ]


def test_an_environment_lies_over_the_size(stack: Stack) -> None:
    trino = stack.components["trino"]
    told = trino.model_copy(update={"values": {"workloads": {"worker": {"replicas": 7}}}})
    plain, found = values_of(trino, "production"), values_of(told, "production")
    assert found["workloads"]["worker"] == plain["workloads"]["worker"] | {"replicas": 7}
    assert plain["workloads"]["worker"]["replicas"] != 7
