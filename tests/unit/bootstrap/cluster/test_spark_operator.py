"""The Spark Operator of the test cluster: when it can be brought in, and that it is the one of the documentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from bootstrap.arguments import ROOT
from bootstrap.cluster import binaries, spark_operator
from bootstrap.cluster.layout import Layout
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import KUBERNETES, load_stack
from data_platform.targets.kubernetes import places
from tests.unit.targets.kubernetes.fake_cluster import FakeCluster


def test_it_is_refused_before_the_namespace_is_there_and_nothing_is_built(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = FakeCluster()
    monkeypatch.setattr(spark_operator, "connect", lambda *_: cluster)
    with pytest.raises(PlatformError, match=r"the namespace data-platform-processing, .* is not there") as caught:
        spark_operator.bring_in(Layout(tmp_path))
    assert "up --target kubernetes --only airflow" in caught.value.remedy
    assert cluster.objects == {}
    assert not cache.exists()


def test_it_watches_where_jobs_run() -> None:
    values = yaml.safe_load(spark_operator.VALUES.read_text(encoding="utf-8"))
    assert values["spark"]["jobNamespaces"] == [places.namespace(load_stack(ROOT, target=KUBERNETES), "spark")]


def test_its_release_has_the_image_that_was_made_for_it(cache: Path) -> None:
    program = binaries.on_demand(cache)["spark_operator"]
    release = spark_operator._release(program, "localhost/data-platform/spark-operator:0a1b")
    image = {"registry": "localhost", "repository": "data-platform/spark-operator", "tag": "0a1b"}
    assert (release.values, release.sizes) == ({"image": image}, (spark_operator.VALUES,))
    assert release.chart == program.folder / "chart"


@pytest.mark.parametrize(
    ("place", "pattern"),
    [
        ("docs/how-to/kubernetes.md", r"spark-operator --version ([\d.]+)"),
        ("stack/components/processing/spark/values.operator.yaml", r"own chart, ([\d.]+),"),
        ("tests/cluster/spark_application_crd.yaml", r"spark-operator v([\d.]+) "),
    ],
)
def test_its_version_is_the_same_everywhere(place: str, pattern: str) -> None:
    built = re.search(r"spark-operator/v2 v([\d.]+)", (ROOT / "stack/cluster/spark-operator/go.mod").read_text("utf-8"))
    named = re.search(pattern, (ROOT / place).read_text(encoding="utf-8"))
    assert built is not None
    assert named is not None
    assert named[1] == built[1]
