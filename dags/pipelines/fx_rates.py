"""### ECB euro reference rates, from files to marts

Files that the flow has stored are loaded into `lakehouse.raw.fx_rates`, turned into `marts.fx_rates_daily` and
`marts.fx_currency_monthly`, and audited on a branch of the catalog. Readers see a load only when it has passed, all
tables at once. Runs when files come, and on working days at 17:30 in Paris (the ECB publishes around 16:00).

**Owner:** data engineers. **When it fails:** the failed task's log names the file, the rule and the next step. Mend it
and clear the failed task, or trigger the DAG again: nothing is loaded twice. Refused files and rows:
`select * from lakehouse.raw.quarantine where dataset = 'fx_rates'`.

Parameters `from` and `to`: load these days again from all files.
"""

from __future__ import annotations

from airflow.sdk import DAG

from data_platform.dagkit.datasets import DEFAULTS, PARAMS, raw_zone, table, when_files_come_or
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
from data_platform.operators.report import (
    BuildDocsOperator,
    CheckDatasetOperator,
    DrawPageOperator,
    EmitLineageOperator,
)

DATASET, LAKE = "fx_rates", "iceberg:lakehouse"
MARTS = [table("marts.fx_rates_daily"), table("marts.fx_currency_monthly")]
#: Files, tables and columns from the landing folder to the marts, and who tells the catalog of each step.
WAY = {
    "edges": [
        {"source": "file:landing/fx_rates", "target": "s3:raw/fx_rates", "by": "nifi"},
        {"source": "s3:raw/fx_rates", "target": f"{LAKE}.raw.fx_rates", "by": "spark"},
        {"source": "s3:raw/fx_rates", "target": f"{LAKE}.raw.fx_rates", "by": "airflow"},
        {"source": f"{LAKE}.raw.fx_rates", "target": f"{LAKE}.staging.stg_fx_rates", "by": "dbt"},
        {"source": f"{LAKE}.staging.stg_fx_rates", "target": f"{LAKE}.marts.fx_rates_daily", "by": "dbt"},
        {"source": f"{LAKE}.marts.fx_rates_daily", "target": f"{LAKE}.marts.fx_currency_monthly", "by": "dbt"},
    ],
    "columns": [
        {"source": "s3:raw/fx_rates#value", "target": f"{LAKE}.raw.fx_rates#rate", "by": "spark"},
        {"source": f"{LAKE}.raw.fx_rates#rate", "target": f"{LAKE}.marts.fx_rates_daily#rate", "by": "dbt"},
    ],
}

with DAG(
    "pipelines_fx_rates",
    schedule=when_files_come_or("30 17 * * 1-5", "Europe/Paris", DATASET),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    params=PARAMS,
    tags=["pipelines"],
    doc_md=__doc__,
):
    flow = DeployFlowOperator(task_id="flow", dataset=DATASET)
    deliver = DeliverReferenceOperator(
        task_id="deliver", dataset=DATASET, package="currency_converter", file="eurofxref-hist.zip"
    )
    land = AwaitLandingOperator(task_id="land", dataset=DATASET, trigger_rule="none_failed")
    discover = DiscoverFilesOperator(task_id="discover", dataset=DATASET)
    audit = OpenAuditOperator(task_id="audit", dataset=DATASET)
    load = LoadFilesOperator(
        task_id="load", dataset=DATASET, inlets=[raw_zone(DATASET)], outlets=[table("raw.fx_rates")]
    )
    raw = ValidateTablesOperator(task_id="validate_raw", dataset=DATASET, suite="raw")
    models = dbt_group(DATASET)
    marts = ValidateTablesOperator(task_id="validate_marts", dataset=DATASET, suite="marts")
    publish = PublishOperator(task_id="publish", dataset=DATASET, audit=marts.task_id, outlets=MARTS)
    page = DrawPageOperator(task_id="page", dataset=DATASET)
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
    publish >> [page, docs]
    docs >> emit >> check
