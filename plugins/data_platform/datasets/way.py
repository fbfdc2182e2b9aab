"""The way of a dataset's data, as the catalog must know it: from table to table, and by whom. Pure.

Every dataset goes the same way: its name, its dbt models and its contract say the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from data_platform.clients.producers import AIRFLOW, DBT, NIFI, SPARK
from data_platform.stack import lake
from data_platform.stack.contract import Contract


def table_place(name: str) -> str:
    """A table of the lakehouse in the catalog's words.

    Args:
        name: floor and table, such as raw.fx_rates.
    """
    return f"iceberg:{lake.table(name)}"


def raw_place(dataset: str) -> str:
    """A dataset's raw zone in the catalog's words."""
    return f"s3:{lake.RAW}/{dataset}"


def way(contract: Contract, manifest: Mapping[str, Any]) -> dict[str, list[dict[str, str]]]:
    """Edges and columns that the catalog must know; arguments of the check kind `lineage_path`.

    Args:
        contract: of the dataset; its columns name what they are made of where the catalog must know it.
        manifest: dbt's (dbt_project/slim_manifest.json).
    """
    name = contract.id
    landing, raw, loaded = f"file:landing/{name}", raw_place(name), table_place(f"raw.{name}")
    edges = [
        _edge(landing, raw, NIFI),
        _edge(raw, loaded, SPARK),
        _edge(raw, loaded, AIRFLOW),
    ]
    edges += [_edge(source, target, DBT) for source, target in _modelled(name, manifest)]
    columns = [
        _edge(
            source,
            f"{table_place(table.name)}#{column.name}",
            SPARK if table.name == f"raw.{name}" else DBT,
        )
        for table in contract.tables
        for column in table.columns
        for source in column.sources
    ]
    return {"edges": edges, "columns": columns}


def _edge(source: str, target: str, by: str) -> dict[str, str]:
    return {"source": source, "target": target, "by": by}


def _modelled(dataset: str, manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each table that a model of the dataset reads, and the model's own."""
    for key, node in manifest["nodes"].items():
        # models/FLOOR/DATASET/MODEL.sql
        if node["resource_type"] == "model" and PurePosixPath(node["original_file_path"]).parts[2] == dataset:
            for needed in node["depends_on"]["nodes"]:
                yield table_place(_table(needed, manifest)), table_place(_table(key, manifest))


def _table(unique_id: str, manifest: Mapping[str, Any]) -> str:
    """Floor and table of a model or source, by dbt's id of it."""
    kind, *_, name = unique_id.split(".")
    if kind == "source":
        # source.PROJECT.SOURCE.TABLE, and the source is called like its floor.
        return f"{unique_id.split('.')[2]}.{name}"
    return f"{PurePosixPath(manifest['nodes'][unique_id]['original_file_path']).parts[1]}.{name}"
