"""Jobs by the Spark Operator, as production runs them: one field of the values, and the same check and pipeline."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from data_platform.clients.kubernetes import Cluster
from data_platform.clients.trino import Trino
from data_platform.targets.kubernetes.spark_application import API_VERSION, KIND
from tests.cluster.given import PLATFORM_SECONDS, PROCESSING, Given, another_checkout
from tests.e2e.test_pipeline import feed, rates_of, run, trino
from tests.running import Running

pytestmark = pytest.mark.timeout(3600)

__all__ = ["trino"]
#: A Saturday that no other test has.
DAY = date(2001, 5, 5)
VALUES = "stack/components/processing/spark/values.small.yaml"
DRIVER = "spark-role=driver"


def reasons(cluster: Cluster) -> dict[str, set[str]]:
    """What the operator said of each application."""
    found: dict[str, set[str]] = defaultdict(set)
    for event in cluster.list_objects("v1", "Event", PROCESSING):
        if event["involvedObject"]["kind"] == KIND:
            found[event["involvedObject"]["name"]].add(event["reason"])
    return found


def test_the_check_and_the_pipeline_run_as_applications_of_the_operator(
    given: Given, platform: Running, cluster: Cluster, trino: Trino, tmp_path: Path
) -> None:
    if given.layout is not None:
        platform.bootstrap("cluster", "up", "--with", "spark-operator", seconds=PLATFORM_SECONDS)
    elif not cluster.knows(API_VERSION, KIND):
        pytest.fail("the cluster has no Spark Operator: docs/how-to/kubernetes.md")
    changed = another_checkout(tmp_path, VALUES, "{}", "execution: {runner: operator}")
    operated = replace(platform, root=changed)
    operated.bootstrap("up", "--target", "kubernetes", "--only", "spark", seconds=PLATFORM_SECONDS)
    checks = reasons(cluster)
    feed(operated, tmp_path, "par l'opérateur.csv", f"Date,USD\n{DAY},0.97\n")
    run(operated)
    assert rates_of(trino, DAY) == {"USD": Decimal("0.97")}
    loads = {name: said for name, said in reasons(cluster).items() if name not in checks}
    for prefix, applications in {"platform-check-": checks, "fx-rates-load-": loads}.items():
        ended = {name: said for name, said in applications.items() if name.startswith(prefix)}
        assert ended, applications
        for said in ended.values():
            assert {"SparkExecutorRunning", "SparkDriverCompleted"} <= said
    # What has ended goes, and its pods with it.
    assert cluster.list_objects(API_VERSION, KIND, PROCESSING) == []
    for pod in cluster.list_objects("v1", "Pod", PROCESSING, labels=DRIVER):
        name = pod["metadata"]["name"]
        cluster.wait_until("v1", "Pod", name, PROCESSING, done=lambda found: found is None, seconds=300)
