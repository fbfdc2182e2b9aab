"""What a deployment says of pods that do not come up: the last words of whichever container failed."""

from __future__ import annotations

from typing import Any

import pytest

from data_platform.clients.kubernetes_errors import ClusterError
from data_platform.targets.kubernetes import places, rollout
from tests.unit.targets.kubernetes.fake_cluster import FakeCluster

HERE = "data-platform-core"
#: As the kubelet writes it, with success, when a container is no longer there.
REMOVED = "unable to retrieve container logs for containerd://29206b90"


class Logging(FakeCluster):
    """Containers' logs by name, and whether it is that of the try before."""

    def __init__(self, said: dict[tuple[str, bool], str]) -> None:
        super().__init__()
        self.said = said

    def logs(self, pod: str, namespace: str, *, container: str, lines: int, previous: bool) -> str:
        assert (pod, namespace, lines) == ("airflow-0", HERE, 15)
        if (container, previous) not in self.said:
            raise ClusterError(f"container {container} is waiting to start", "wait")
        return self.said[container, previous]


def status(name: str, restarts: int, **state: Any) -> dict[str, Any]:
    return {"name": name, "ready": False, "restartCount": restarts, **state}


CRASHED = {
    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}},
}
WAITS = {"state": {"waiting": {"reason": "PodInitializing"}}}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({("checkout", True): "no such ref", ("checkout", False): "starting"}, "no such ref"),
        ({("checkout", True): REMOVED, ("checkout", False): "starting"}, "starting"),
        ({("checkout", False): "starting"}, "starting"),
        ({}, "(none)"),
    ],
    ids=["the try before", "that one is removed", "that one is refused", "nothing"],
)
def test_a_container_that_fails_before_the_server_starts_has_the_last_word(
    said: dict[tuple[str, bool], str], told: str
) -> None:
    cluster = Logging(said)
    cluster.server_side_apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": "airflow-0",
                "namespace": HERE,
                "labels": {places.NAME: "airflow", places.COMPONENT: "server"},
            },
            "spec": {"containers": [{"name": "server"}], "initContainers": [{"name": "checkout"}]},
            "status": {
                "phase": "Pending",
                "initContainerStatuses": [status("checkout", 4, **CRASHED)],
                "containerStatuses": [status("server", 0, **WAITS)],
            },
        }
    )
    error = rollout.why(cluster, "airflow", HERE)  # type: ignore[arg-type]
    assert error is not None
    assert f"container checkout ended with 1 (4 restarts); its last lines:\n    {told}" in error.problem
