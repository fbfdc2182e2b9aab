"""A dataset's pipeline as a DAG. What one dataset does differently is in `datasets/<dataset>/`, not in code."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, BaseOperator, TriggerRule, chain

from data_platform.dagkit.datasets import DEFAULTS, IN_TURN, PARAMS, raw_zone, table, when_files_come_or
from data_platform.dagkit.dbt import dbt_group, manifest
from data_platform.datasets.describe import pipeline_doc
from data_platform.datasets.way import way
from data_platform.operators.ingest import (
    AwaitLandingOperator,
    DeliverReferenceOperator,
    DeployFlowOperator,
    DiscoverFilesOperator,
)
from data_platform.operators.publish import LoadFilesOperator, OpenAuditOperator, PublishOperator
from data_platform.operators.report import (
    BuildDocsOperator,
    CheckDatasetOperator,
    DrawPageOperator,
    EmitLineageOperator,
)
from data_platform.operators.turn import RELEASE, TAKE, ReleaseTurnOperator, TakeTurnOperator
from data_platform.operators.validate import TellSetAsideOperator, ValidateTablesOperator
from data_platform.stack.datasets import dataset
from data_platform.targets.current import ROOT


def draw_pipeline(name: str) -> DAG:
    """Draw the DAG of a dataset: `pipelines_<dataset>`, from the landing folder to what readers and the catalog see.

    It begins with a reference where the dataset has one, and draws a page where `reports/<dataset>/` has one.

    Args:
        name: of the dataset.

    Raises:
        PlatformError: a file about the dataset is missing or wrong; the message names it.
    """
    one = dataset(ROOT, name)
    runs, marts = one.pipeline.runs, [table(mart.name) for mart in one.contract.on("marts")]
    with DAG(
        f"pipelines_{name}",
        schedule=when_files_come_or(runs.cron, runs.zone, name),
        catchup=False,
        max_active_runs=1,
        default_args={**DEFAULTS, "owner": one.contract.owner},
        params=PARAMS if one.pipeline.days else None,
        tags=["pipelines"],
        doc_md=pipeline_doc(one),
    ) as dag:
        turn = TakeTurnOperator(task_id=TAKE, dataset=name)
        flow = DeployFlowOperator(task_id="flow", dataset=name)
        before: list[BaseOperator] = [turn, flow]
        if reference := one.pipeline.reference:
            deliver = DeliverReferenceOperator(
                task_id="deliver", dataset=name, file=reference.file, package=reference.package
            )
            before.append(deliver)
        land = AwaitLandingOperator(task_id="land", dataset=name, trigger_rule="none_failed")
        chain(*before, land)
        discover = DiscoverFilesOperator(task_id="discover", dataset=name, **IN_TURN)
        audit = OpenAuditOperator(task_id="audit", dataset=name, **IN_TURN)
        loads: dict[str, Any] = {"inlets": [raw_zone(name)], "outlets": [table(f"raw.{name}")], **IN_TURN}
        load = LoadFilesOperator(task_id="load", dataset=name, **loads)
        # Once more without files that break the audit; skipped where none does.
        load_rest = LoadFilesOperator(task_id="load_rest", dataset=name, **loads)
        rest_valid = ValidateTablesOperator(task_id="validate_rest", dataset=name, suite="raw", **IN_TURN)
        raw_valid = ValidateTablesOperator(
            task_id="validate_raw", dataset=name, suite="raw", rest=[load_rest.task_id, rest_valid.task_id], **IN_TURN
        )
        models = dbt_group(name, **IN_TURN)
        for first in models.get_roots():
            first.trigger_rule = TriggerRule.NONE_FAILED
        marts_valid = ValidateTablesOperator(
            task_id="validate_marts", dataset=name, suite="marts", bounds=True, **IN_TURN
        )
        publish = PublishOperator(task_id="publish", dataset=name, audit=marts_valid.task_id, outlets=marts, **IN_TURN)
        # All of them: where one fails, others may still be working.
        [task for task in dag.tasks if task is not turn] >> ReleaseTurnOperator(
            task_id=RELEASE, dataset=name
        ).as_teardown(setups=turn)
        docs = BuildDocsOperator(task_id="docs", dataset=name)
        emit = EmitLineageOperator(task_id="emit_lineage", dataset=name)
        check = CheckDatasetOperator(
            task_id="check_lineage",
            dataset=name,
            seconds=60,
            name="the-catalog-knows-the-way-of-the-data",
            kind="lineage_path",
            params_of_kind=way(one.contract, manifest()),
        )
        land >> discover >> audit >> load >> raw_valid >> load_rest >> rest_valid >> models >> marts_valid >> publish
        publish >> docs >> emit >> check
        publish >> TellSetAsideOperator(task_id="set_aside", dataset=name)
        if (ROOT / "reports" / name / "page.py").is_file():
            publish >> DrawPageOperator(task_id="page", dataset=name)
    return dag
