"""The Spark Operator: one version everywhere, and an administrator's own watches where ours would."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from data_platform.stack.load import KUBERNETES, load_stack
from data_platform.targets.kubernetes import grants, places, spark_application
from data_platform.targets.kubernetes.permissions import SUBMITTER

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "stack" / "components" / "cluster" / "spark-operator"
STACK = load_stack(ROOT, target=KUBERNETES)
OPERATOR = STACK.components["spark-operator"]


@pytest.mark.parametrize(
    ("place", "pattern"),
    [
        ("docs/kubernetes/services.md", r"spark-operator --version ([\d.]+)"),
        ("stack/components/cluster/spark-operator/values.upstream.yaml", r"own chart, ([\d.]+),"),
        ("stack/components/cluster/spark-operator/component.yaml", r"version: ([\d.]+)"),
        ("tests/cluster/spark_application_crd.yaml", r"spark-operator v([\d.]+) "),
    ],
)
def test_its_version_is_the_same_everywhere(place: str, pattern: str) -> None:
    built = re.search(r"spark-operator/v2 v([\d.]+)", (FOLDER / "module" / "go.mod").read_text(encoding="utf-8"))
    named = re.search(pattern, (ROOT / place).read_text(encoding="utf-8"))
    assert built is not None
    assert named is not None
    assert named[1] == built[1]


def test_ours_and_an_administrators_watch_where_jobs_run() -> None:
    jobs = places.namespace(STACK, "jobs")
    upstream = yaml.safe_load((FOLDER / "values.upstream.yaml").read_text(encoding="utf-8"))
    assert upstream["spark"]["jobNamespaces"] == grants.served(STACK, OPERATOR) == [jobs]


def test_it_serves_what_jobs_are_made_of() -> None:
    assert OPERATOR.service is not None
    kinds = {(kind.api_version, kind.kind): kind.definition for kind in OPERATOR.service.kinds}
    assert kinds[spark_application.API_VERSION, spark_application.KIND] == spark_application.CRD


def test_airflow_is_given_what_it_gives_to_what_starts_jobs() -> None:
    """The role of what starts a job is applied by Airflow, which may grant what it has."""
    (held,) = (each for each in grants.all_granted(STACK) if each.to == "deployer")
    mine = {
        (right.group, resource, verb) for right in held.rights for resource in right.resources for verb in right.verbs
    }
    given = {
        (group, resource, verb)
        for group, resources, verbs in SUBMITTER["operator"]
        if group
        for resource in resources
        for verb in verbs
    }
    assert given
    assert given <= mine


def test_its_image_has_all_that_starts_spark() -> None:
    image = OPERATOR.kubernetes.image if OPERATOR.kubernetes else None
    assert image is not None
    below = STACK.components[STACK.resolve(str(image.over))].kubernetes
    assert below is not None
    assert below.image is not None
    assert {"java21", "spark", "home"} <= set(below.image.artifacts)
    environment = OPERATOR.definition.processes["controller"].environment
    assert environment["SPARK_HOME"] == str(places.ARTIFACTS / "home" / "spark")
