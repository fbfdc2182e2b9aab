"""PostgreSQL's primary is taken away while a pipeline runs: no server of Airflow ends, no task fails."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from data_platform.checks.base import Deadline
from data_platform.clients.airflow import Airflow
from data_platform.clients.kubernetes import Cluster
from tests.cluster.members import Members, NotYetError
from tests.holding import running, soon
from tests.running import Running, tried_again

pytestmark = pytest.mark.timeout(1800)

DAG = "pipelines_fx_rates"
CORE, STORAGE = "data-platform-core", "data-platform-storage"
#: Seconds until another member takes writes.
BACK_SECONDS = 120.0


def servers(cluster: Cluster) -> dict[str, list[int]]:
    """Airflow's pods and how often their containers were started again."""
    return {
        pod["metadata"]["name"]: [one["restartCount"] for one in pod["status"]["containerStatuses"]]
        for pod in cluster.list_objects("v1", "Pod", CORE, labels="app.kubernetes.io/name=airflow")
        if pod["metadata"]["labels"].get("app.kubernetes.io/component")
    }


def remove_by_force(cluster: Cluster, members: Members) -> float:
    """Take the primary's pod away at once; seconds until another member takes a row."""
    primary, begun = members.primary(), time.monotonic()
    cluster.delete("v1", "Pod", primary, STORAGE, at_once=True)

    def writes() -> None:
        if members.primary() == primary:
            raise NotYetError
        members.ask("create table if not exists of_a_failover (x int); insert into of_a_failover values (1)", "drill")

    Deadline(BACK_SECONDS).retry(writes, on=(NotYetError, AssertionError, ValueError))
    return round(time.monotonic() - begun, 1)


def newest(airflow: Airflow) -> str | None:
    runs = airflow.active_runs(DAG)
    return str(runs[0]["dag_run_id"]) if runs else None


def test_a_run_goes_on_through_failovers(
    platform: Running, cluster: Cluster, members: Members, record_property: Callable[[str, object], None]
) -> None:
    before, gaps = servers(cluster), []
    assert len(before) >= 4
    with platform.airflow() as airflow:
        with running(platform, "run", DAG) as (run, ended):
            ours = soon(lambda: newest(airflow))
            while not ended():
                gaps.append(remove_by_force(cluster, members))
                members.heal()
        again = tried_again(airflow, DAG, ours)
    record_property("gaps_seconds", gaps)
    print("nobody wrote for", gaps)
    # The first one at least was in the middle of it.
    assert gaps
    assert again == {}
    assert run.process.returncode == 0
    assert servers(cluster) == before
