"""What a namespace is said to look like: all containers' words, no Secret, no field that says nothing."""

from __future__ import annotations

from typing import Any

from data_platform.clients.kubernetes_errors import ClusterError
from data_platform.targets.kubernetes import evidence
from tests.unit.targets.kubernetes.fake_cluster import FakeCluster

HERE = "data-platform-core"


class Logging(FakeCluster):
    """Containers' logs by name, and whether it is that of the try before."""

    def __init__(self, said: dict[tuple[str, bool], str]) -> None:
        super().__init__()
        self.said = said

    def logs(self, pod: str, namespace: str, *, container: str, lines: int, previous: bool) -> str:
        assert (pod, namespace, lines) == ("airflow-0", HERE, 7)
        if (container, previous) not in self.said:
            raise ClusterError(f"{container} is waiting to start", "wait")
        return self.said[container, previous]


def put(cluster: FakeCluster, kind: str, name: str, **more: Any) -> None:
    meta = {"name": name, "namespace": HERE, "managedFields": [{"manager": "x"}]}
    cluster.objects[kind, HERE, name] = {"kind": kind, "metadata": meta, **more}


def test_every_container_is_asked_of_the_try_before_its_restart_too() -> None:
    cluster = Logging(
        {("checkout", False): "cloned", ("server", False): "starting\n", ("server", True): "no database\n",
         ("sync", True): "unable to retrieve container logs for containerd://29206b90"}
    )  # fmt: skip
    put(
        cluster,
        "Pod",
        "airflow-0",
        spec={"initContainers": [{"name": "checkout"}], "containers": [{"name": "server"}, {"name": "sync"}]},
        status={
            "initContainerStatuses": [{"name": "checkout", "restartCount": 0}],
            "containerStatuses": [{"name": "server", "restartCount": 3}, {"name": "sync", "restartCount": 1}],
        },
    )
    found = [(said.container, said.previous, said.text) for said in evidence.logs(cluster, HERE, 7)]  # type: ignore[arg-type]
    assert found == [
        ("checkout", False, "cloned"),
        ("server", False, "starting\n"),
        ("server", True, "no database\n"),
        ("sync", False, "no log: sync is waiting to start\n"),
        ("sync", True, "no log: unable to retrieve container logs for containerd://29206b90\n"),
    ]


def test_objects_are_told_without_what_says_nothing_and_no_secret_is_among_them() -> None:
    cluster = FakeCluster()
    note = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "a": "b"}
    put(cluster, "Service", "trino", spec={"ports": []})
    cluster.objects["Service", HERE, "trino"]["metadata"]["annotations"] = note
    put(cluster, "Secret", "trino-credentials", data={"password": "YWJj"})
    put(cluster, "ConfigMap", "trino", data={"password": "abc"})
    found = dict(evidence.objects(cluster, HERE))  # type: ignore[arg-type]
    (service,) = found["Service"]
    assert service["metadata"] == {"name": "trino", "namespace": HERE, "annotations": {"a": "b"}}
    assert service["spec"] == {"ports": []}
    assert "Pod" in found
    assert {"Secret", "ConfigMap"} & found.keys() == set()
    assert "managedFields" in cluster.objects["Service", HERE, "trino"]["metadata"]


def test_events_are_lines_in_their_order() -> None:
    cluster = FakeCluster()
    about = {"kind": "Pod", "name": "trino-0"}
    late = {"type": "Warning", "reason": "BackOff", "message": "restarting\n failed container", "count": 4}
    put(cluster, "Event", "b", involvedObject=about, lastTimestamp="2026-11-20T10:02:00Z", **late)
    put(cluster, "Event", "a", involvedObject=about, eventTime="2026-11-20T10:01:00Z", reason="Pulled", type="Normal")
    assert evidence.events(cluster, HERE).splitlines() == [  # type: ignore[arg-type]
        "2026-11-20T10:01:00Z  Normal  Pulled  Pod/trino-0  1x  ",
        "2026-11-20T10:02:00Z  Warning  BackOff  Pod/trino-0  4x  restarting failed container",
    ]


def test_nodes_are_told_without_their_images() -> None:
    cluster = FakeCluster()
    cluster.objects["Node", "", "n1"] = {
        "kind": "Node",
        "metadata": {"name": "n1", "namespace": ""},
        "status": {"images": [{"names": ["x"]}], "conditions": []},
    }
    assert evidence.nodes(cluster) == [{"kind": "Node", "metadata": {"name": "n1", "namespace": ""},  # type: ignore[arg-type]
                                        "status": {"conditions": []}}]  # fmt: skip
