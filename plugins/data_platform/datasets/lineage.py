"""Sends the catalog what NiFi and dbt know of a dataset's way, by DataHub's own sources. Airflow and Spark send theirs
while they work."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

from data_platform.checks.base import Deadline, Platform
from data_platform.clients import connect, producers
from data_platform.clients.dbt import FOLDER
from data_platform.stack.capabilities import FLOWS
from data_platform.stack.errors import PlatformError
from data_platform.stack.holders import PIPELINES
from data_platform.stack.lake import BRANCH_PREFIX, CATALOG, REPORTS

#: What the source reads of the documentation of a run.
_MANIFEST, _CATALOG, _RESULTS = "manifest.json", "catalog.json", "run_results.json"


def emit_nifi_lineage(target: Platform, dataset: str, deadline: Deadline) -> str:
    """Send the edges that NiFi's provenance shows: folder → processors → zones of the object store.

    Args:
        target: the platform.
        dataset: its flow is the process group of this name.
        deadline: for all of it.

    Returns:
        One line about what was sent.

    Raises:
        PlatformError: NiFi has no such flow, or could not be read.
    """
    from data_platform.clients.datahub_nifi import PAGE, Source

    config = {
        "site_url": target.address(FLOWS, connect.HTTP).url + PAGE,
        "env": "PROD",
        "incremental_lineage": True,
        # The group that holds everything, by NiFi's own name for it, and the dataset's.
        "process_group_pattern": {"allow": ["NiFi Flow$", f"{re.escape(dataset)}$"]},
    }
    urns = _ingest(target, Source, producers.NIFI, config, deadline)
    jobs = [urn for urn in urns if urn.startswith("urn:li:dataJob:")]
    if not jobs:
        raise PlatformError(
            f"NiFi has no processor that takes in or stores files of {dataset}",
            f"let the task `flow` of pipelines_{dataset} deploy the flow",
        )
    return f"nifi: {len(jobs)} processors, {len(urns)} entities"


def emit_dbt_lineage(target: Platform, dataset: str, deadline: Deadline) -> str:
    """Send models, their columns and the lineage of both, from the documentation that the run published.

    Args:
        target: the platform.
        dataset: whose documentation.
        deadline: for all of it.

    Returns:
        One line about what was sent.

    Raises:
        PlatformError: there is no documentation, or it could not be read.
    """
    from data_platform.clients import s3
    from data_platform.clients.datahub import load_library

    load_library()
    from datahub.ingestion.source.dbt.dbt_core import DBTCoreSource

    store = connect.s3(target, PIPELINES, deadline.remaining)
    with tempfile.TemporaryDirectory(prefix="lineage-") as scratch:
        files: dict[str, str] = {}
        for name in (_MANIFEST, _CATALOG, _RESULTS):
            content = s3.read(store, REPORTS, f"{dataset}/{FOLDER}/{name}")
            if content is not None:
                files[name] = str(Path(scratch) / name)
                Path(files[name]).write_bytes(content)
        if missing := [name for name in (_MANIFEST, _CATALOG) if name not in files]:
            raise PlatformError(
                f"{REPORTS}/{dataset}/{FOLDER}/ has no {' and no '.join(missing)}",
                f"let the task `docs` of pipelines_{dataset} publish the documentation",
            )
        urns = _ingest(target, DBTCoreSource, producers.DBT, dbt_recipe(files), deadline)
    return (
        f"dbt: {sum(f',{CATALOG}.' in urn or f',{BRANCH_PREFIX}' in urn for urn in urns)} tables, {len(urns)} entities"
    )


def dbt_recipe(files: dict[str, str]) -> dict[str, Any]:
    """Settings of DataHub's dbt source: every table under the name that all producers use.

    Args:
        files: paths of dbt's documents by their names.
    """
    return {
        "manifest_path": files[_MANIFEST],
        "catalog_path": files[_CATALOG],
        "run_results_paths": [files[_RESULTS]] if _RESULTS in files else [],
        "target_platform": "iceberg",
        "env": "PROD",
        "convert_urns_to_lowercase": True,
        "convert_column_urns_to_lowercase": True,
        # Spark speaks of the same tables: dbt adds to what is there.
        "incremental_lineage": True,
        "include_column_lineage": True,
        # The catalog keeps each of these for ever; the outcome of tests is in Airflow and in the reports.
        "entities_enabled": {"test_definitions": "NO", "test_results": "NO", "model_performance": "NO"},
        "emit_semantic_model_entities": False,
        "enable_meta_mapping": False,
    }


def _ingest(target: Platform, source: Any, name: str, config: dict[str, Any], deadline: Deadline) -> list[str]:
    from data_platform.clients.datahub import CatalogError

    with connect.datahub(target, PIPELINES, deadline.remaining) as catalog:
        try:
            return catalog.ingest(source, name, config)
        except CatalogError as error:
            remedy = "mend what it could not read, then clear the task"
            raise PlatformError(f"DataHub's source {name}: {error}", remedy) from None
