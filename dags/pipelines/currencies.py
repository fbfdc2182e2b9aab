"""### Names of currencies, from a list to a mart

A list of ISO 4217 codes with French and English names is loaded into `lakehouse.raw.currencies` and turned into
`marts.currencies`, audited on a branch of the catalog. The newest good file is the whole list. Runs when files come,
and on Mondays at 06:00 in Paris.

**Owner:** data engineers. **When it fails:** the failed task's log names the file, the rule and the next step. Mend it
and clear the failed task, or trigger the DAG again: nothing is loaded twice. Refused files and rows:
`select * from lakehouse.raw.quarantine where dataset = 'currencies'`.
"""

from __future__ import annotations

from airflow.sdk import DAG

from data_platform.dagkit.datasets import DEFAULTS, raw_zone, table, when_files_come_or
from data_platform.dagkit.dbt import dbt_group
from data_platform.operators.ingest import (
    AwaitLandingOperator,
    DeliverReferenceOperator,
    DeployFlowOperator,
    DiscoverFilesOperator,
)
from data_platform.operators.publish import (
    LoadFilesOperator,
    OpenAuditOperator,
    PublishOperator,
    ValidateTablesOperator,
)
from data_platform.operators.report import BuildDocsOperator, CheckDatasetOperator, EmitLineageOperator

DATASET, LAKE = "currencies", "iceberg:lakehouse"
#: Tables from the landing folder to the mart, and who tells the catalog of each step.
WAY = {
    "edges": [
        {"source": "file:landing/currencies", "target": "s3:raw/currencies", "by": "nifi"},
        {"source": "s3:raw/currencies", "target": f"{LAKE}.raw.currencies", "by": "spark"},
        {"source": f"{LAKE}.raw.currencies", "target": f"{LAKE}.staging.stg_currencies", "by": "dbt"},
        {"source": f"{LAKE}.staging.stg_currencies", "target": f"{LAKE}.marts.currencies", "by": "dbt"},
    ]
}

with DAG(
    "pipelines_currencies",
    schedule=when_files_come_or("0 6 * * 1", "Europe/Paris", DATASET),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["pipelines"],
    doc_md=__doc__,
):
    flow = DeployFlowOperator(task_id="flow", dataset=DATASET)
    deliver = DeliverReferenceOperator(task_id="deliver", dataset=DATASET, file="nifi_flows/currencies/reference.csv")
    land = AwaitLandingOperator(task_id="land", dataset=DATASET, trigger_rule="none_failed")
    discover = DiscoverFilesOperator(task_id="discover", dataset=DATASET)
    audit = OpenAuditOperator(task_id="audit", dataset=DATASET)
    load = LoadFilesOperator(
        task_id="load", dataset=DATASET, inlets=[raw_zone(DATASET)], outlets=[table("raw.currencies")]
    )
    raw = ValidateTablesOperator(task_id="validate_raw", dataset=DATASET, suite="raw")
    models = dbt_group(DATASET)
    marts = ValidateTablesOperator(task_id="validate_marts", dataset=DATASET, suite="marts")
    publish = PublishOperator(
        task_id="publish", dataset=DATASET, audit=marts.task_id, outlets=[table("marts.currencies")]
    )
    docs = BuildDocsOperator(task_id="docs", dataset=DATASET)
    emit = EmitLineageOperator(task_id="emit_lineage", dataset=DATASET)
    check = CheckDatasetOperator(
        task_id="check_lineage",
        dataset=DATASET,
        seconds=60,
        name="the-catalog-knows-the-way-of-the-data",
        kind="lineage_path",
        params_of_kind=WAY,
    )
    flow >> deliver >> land >> discover >> audit >> load >> raw >> models >> marts >> publish
    publish >> docs >> emit >> check
