"""Which pod a task gets: what deploys says so, and all others have the one that may nothing."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import pytest
from airflow.sdk import BaseOperator

from data_platform.operators import drift, history, ingest, lifecycle, maintain, publish, report, upgrade, validate
from data_platform.operators.pods import deployer_pod, pod_of

COMPONENT: dict[str, Any] = {"task_id": "any", "component": "trino"}
DATASET: dict[str, Any] = {"task_id": "any", "dataset": "fx_rates"}


@pytest.mark.parametrize(
    "operator",
    [
        lifecycle.FetchArtifactsOperator(**COMPONENT),
        lifecycle.ApplyComponentOperator(**COMPONENT),
        upgrade.CheckBeforeOperator(task_id="any"),
        upgrade.RollOutOperator(task_id="any"),
        upgrade.CheckAfterOperator(task_id="any"),
        upgrade.RollBackOperator(task_id="any", before="check"),
    ],
    ids=lambda operator: type(operator).__name__,
)
def test_what_deploys_asks_for_the_deployers_pod(operator: BaseOperator) -> None:
    assert operator.executor_config == deployer_pod()


@pytest.mark.parametrize(
    ("operator", "image"),
    [
        # Reads what other tasks left, and asks no server.
        (drift.ReportDriftOperator(task_id="any", plans=[]), ""),
        (ingest.DiscoverFilesOperator(**DATASET), ""),
        (publish.OpenAuditOperator(**DATASET), ""),
        (publish.LoadFilesOperator(**DATASET), "spark"),
        (validate.ValidateTablesOperator(**DATASET, suite="raw"), "analysis"),
        (publish.PublishOperator(**DATASET, audit="any"), ""),
        (report.DrawPageOperator(**DATASET), "analysis"),
        (report.BuildDocsOperator(**DATASET), "dbt"),
        (report.EmitLineageOperator(**DATASET), ""),
        (maintain.MaintainTablesOperator(**DATASET), "spark"),
        # Reads and removes files of a volume that every task's pod has.
        (history.CleanLogsOperator(task_id="any"), ""),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_no_other_task_does(operator: BaseOperator, image: str) -> None:
    assert operator.executor_config == (pod_of(image) if image else {})


def test_an_operator_may_be_given_another_pod() -> None:
    operator = lifecycle.ApplyComponentOperator(**COMPONENT, executor_config={"mine": True})
    assert operator.executor_config == {"mine": True}


def test_templates_are_files_of_airflows_configuration() -> None:
    path = PurePosixPath(deployer_pod()["pod_template_file"])
    assert path == PurePosixPath("/etc/data-platform/airflow/pods/deployer.yaml")
    assert PurePosixPath(pod_of("dbt")["pod_template_file"]) == path.with_name("dbt.yaml")
