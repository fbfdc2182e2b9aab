"""The way of a dataset's data follows from its name, its models and its contract."""

from __future__ import annotations

from pathlib import Path

import yaml

from data_platform.checks.lineage_path import Params
from data_platform.datasets.way import raw_place, table_place, way
from data_platform.stack.contract import Contract
from data_platform.stack.datasets import contract
from tests.unit.stack.test_contract import GOOD

ROOT = Path(__file__).resolve().parents[3]


def node(path: str, *needed: str, kind: str = "model") -> dict[str, object]:
    return {"resource_type": kind, "original_file_path": path, "depends_on": {"nodes": list(needed)}}


MANIFEST = {
    "nodes": {
        "model.p.stg_tiny": node("models/staging/tiny/stg_tiny.sql", "source.p.raw.tiny"),
        "model.p.tiny": node("models/marts/tiny/tiny.sql", "model.p.stg_tiny", "model.p.other"),
        "model.p.other": node("models/marts/other/other.sql", "source.p.raw.other"),
        "test.p.a": node("models/marts/tiny/tiny.yml", "model.p.tiny", kind="test"),
    }
}


def test_edges_go_from_the_landing_folder_to_the_marts_each_by_its_emitter() -> None:
    found = way(Contract.model_validate(yaml.safe_load(GOOD)), MANIFEST)
    assert [(edge["source"], edge["target"], edge["by"]) for edge in found["edges"]] == [
        ("file:landing/tiny", "s3:raw/tiny", "nifi"),
        ("s3:raw/tiny", "iceberg:lakehouse.raw.tiny", "spark"),
        ("s3:raw/tiny", "iceberg:lakehouse.raw.tiny", "airflow"),
        ("iceberg:lakehouse.raw.tiny", "iceberg:lakehouse.staging.stg_tiny", "dbt"),
        ("iceberg:lakehouse.staging.stg_tiny", "iceberg:lakehouse.marts.tiny", "dbt"),
        # A model may read another dataset's.
        ("iceberg:lakehouse.marts.other", "iceberg:lakehouse.marts.tiny", "dbt"),
    ]
    assert Params.model_validate(found).edges


def test_columns_are_those_whose_sources_the_contract_names() -> None:
    document = yaml.safe_load(GOOD)
    document["schema"][1]["properties"][0]["transformSourceObjects"] = ["iceberg:lakehouse.raw.tiny#day"]
    assert way(Contract.model_validate(document), MANIFEST)["columns"] == [
        {"source": "s3:raw/tiny#value", "target": "iceberg:lakehouse.raw.tiny#amount", "by": "spark"},
        {"source": "iceberg:lakehouse.raw.tiny#day", "target": "iceberg:lakehouse.marts.tiny#day", "by": "dbt"},
    ]


def test_places_are_the_names_that_all_emitters_use() -> None:
    assert (raw_place("tiny"), table_place("raw.tiny")) == ("s3:raw/tiny", "iceberg:lakehouse.raw.tiny")


def test_sources_of_columns_in_contracts_are_places_of_the_way() -> None:
    from data_platform.dagkit.dbt import manifest

    found = way(contract(ROOT, "fx_rates"), manifest())
    places = {edge[end] for edge in found["edges"] for end in ("source", "target")}
    assert len(found["columns"]) >= 2
    assert {column["source"].partition("#")[0] for column in found["columns"]} <= places
