"""The Spark Operator as a cluster service: Airflow has deployed it, and jobs run by it when the environment says so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from data_platform.clients.kubernetes import Cluster
from data_platform.clients.trino import Trino
from data_platform.targets.kubernetes import releases
from data_platform.targets.kubernetes.spark_application import API_VERSION, CRD, KIND
from tests.cluster.given import PLATFORM_SECONDS, PROCESSING
from tests.e2e.test_pipeline import feed, rates_of, run, trino
from tests.running import Running

pytestmark = pytest.mark.timeout(3600)

__all__ = ["trino"]
NAME, SPACE = "spark-operator", "data-platform-spark-operator"
#: A Saturday that no other test has.
DAY = date(2001, 5, 5)
DRIVER = "spark-role=driver"


def reasons(cluster: Cluster) -> dict[str, set[str]]:
    """What the operator said of each application."""
    found: dict[str, set[str]] = defaultdict(set)
    for event in cluster.list_objects("v1", "Event", PROCESSING):
        if event["involvedObject"]["kind"] == KIND:
            found[event["involvedObject"]["name"]].add(event["reason"])
    return found


def up(platform: Running, folder: Path, *words: str, **said: object) -> None:
    """Bring the platform to an environment."""
    file = folder / "an-environment.yaml"
    file.write_text(yaml.safe_dump({"target": "kubernetes", **said}), encoding="utf-8")
    platform.bootstrap("up", "--environment", str(file), "--only", "spark", *words, seconds=PLATFORM_SECONDS)


@pytest.fixture
def operated(platform: Running, tmp_path: Path) -> Iterator[Running]:
    """The platform, whose jobs run by the operator until the test is over."""
    up(platform, tmp_path, values={"spark": {"execution": {"runner": "operator"}}})
    yield platform
    up(platform, tmp_path)


def test_it_was_deployed_by_airflow_in_its_own_namespace_and_is_checked(platform: Running, cluster: Cluster) -> None:
    record = releases.newest(cluster, NAME, SPACE)
    assert record is not None
    assert (record.status, record.is_ours) == ("deployed", True)
    # Nothing of it belongs to the whole cluster but what the bootstrap has made.
    kinds = {thing["kind"] for thing in releases.objects_of(record.manifest, SPACE)}
    assert "Deployment" in kinds
    assert not {kind for kind in kinds if kind.startswith("Cluster") or kind == "CustomResourceDefinition"}
    definition = cluster.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", CRD)
    assert definition is not None
    assert definition["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "data-platform"
    platform.bootstrap("check", NAME)


def test_the_check_and_the_pipeline_run_as_applications_of_the_operator(
    operated: Running, cluster: Cluster, trino: Trino, tmp_path: Path
) -> None:
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


def test_somebody_elses_is_refused_while_ours_is_there(platform: Running, tmp_path: Path) -> None:
    file = tmp_path / "theirs.yaml"
    said = {"target": "kubernetes", "cluster_services": {NAME: "administrator"}}
    file.write_text(yaml.safe_dump(said), encoding="utf-8")
    done = platform.bootstrap("up", "--environment", str(file), check=False, seconds=PLATFORM_SECONDS)
    assert done.returncode != 0
    assert f"the namespace {SPACE} has a cluster service that this platform deployed" in done.stdout + done.stderr
