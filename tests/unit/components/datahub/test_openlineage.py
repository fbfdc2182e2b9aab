"""OpenLineage events become DataHub's metadata, every table under one name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from datahub_lite.errors import InvalidError
from datahub_lite.openlineage import convert
from datahub_lite.rules import Rules
from datahub_lite.store import Change, Verb

LAKEHOUSE = Rules("trino:(lakehouse[.].+) -> iceberg:\\1")
PATH = {"namespace": "s3://lakehouse", "name": "raw/orders-13843a6a"}
TARGET = {"namespace": "s3://lakehouse", "name": "mart/daily-55"}


def urn(name: str, platform: str = "iceberg") -> str:
    return f"urn:li:dataset:(urn:li:dataPlatform:{platform},{name},PROD)"


def unknown(namespace: str, name: str) -> None:
    """Nothing was learnt before."""


def table(path: dict[str, str], name: str, **facets: Any) -> dict[str, Any]:
    symlinks = {"identifiers": [{"namespace": "http://catalog", "name": name, "type": "TABLE"}]}
    return {
        **path,
        "facets": {"symlinks": symlinks, "catalog": {"framework": "iceberg", "name": "lakehouse"}, **facets},
    }


def event(**changed: Any) -> dict[str, Any]:
    columns = {
        "amount": {"inputFields": [{**PATH, "field": "price", "transformations": [{"type": "DIRECT"}]}]},
        "day": {
            "inputFields": [
                {**PATH, "field": "at"},
                {**PATH, "field": "deleted", "transformations": [{"type": "INDIRECT", "subtype": "FILTER"}]},
            ]
        },
    }
    found: dict[str, Any] = {
        "eventType": "COMPLETE",
        "run": {"runId": "1", "facets": {"processing_engine": {"name": "spark", "version": "3"}}},
        "job": {"namespace": "jobs", "name": "rates.merge_into"},
        "inputs": [table(PATH, "raw.orders")],
        "outputs": [table(TARGET, "mart.daily", columnLineage={"fields": columns})],
    }
    return found | changed


def aspects(body: object, known: Any = unknown) -> dict[tuple[str, str], Change]:
    changes, _ = convert(body, known, LAKEHOUSE)
    found = {(c.urn, c.aspect): c for c in changes}
    assert len(found) == len(changes), "an aspect is written twice"
    return found


def test_a_table_is_named_by_its_catalog_and_not_by_its_path() -> None:
    found = aspects(event())
    assert {u for u, aspect in found if aspect == "datasetProperties"} == {
        urn("lakehouse.raw.orders"),
        urn("lakehouse.mart.daily"),
    }
    assert "orders-13843a6a" not in json.dumps([u for u, _ in found])


def test_lineage_is_added_to_what_others_said() -> None:
    change = aspects(event())[urn("lakehouse.mart.daily"), "upstreamLineage"]
    assert change.verb is Verb.MERGE
    assert [u["dataset"] for u in change.value["upstreams"]] == [urn("lakehouse.raw.orders")]


def test_columns_are_followed_through_paths_and_filters_are_left_out() -> None:
    fine = aspects(event())[urn("lakehouse.mart.daily"), "upstreamLineage"].value["fineGrainedLineages"]
    found = {f["downstreams"][0].rpartition(",")[2]: f["upstreams"] for f in fine}
    source = f"urn:li:schemaField:({urn('lakehouse.raw.orders')},"
    assert found == {"amount)": [f"{source}price)"], "day)": [f"{source}at)"]}


def test_names_learnt_from_an_earlier_event_explain_bare_paths() -> None:
    _, learnt = convert(event(eventType="START"), unknown, LAKEHOUSE)
    assert learnt["s3://lakehouse", "raw/orders-13843a6a"] == urn("lakehouse.raw.orders")
    later = event(inputs=[PATH], outputs=[TARGET])
    with_memory = aspects(later, lambda namespace, name: learnt.get((namespace, name)))
    assert (urn("lakehouse.mart.daily"), "upstreamLineage") in with_memory
    without = aspects(later)
    assert (urn("lakehouse/mart/daily-55", "s3"), "upstreamLineage") in without


def test_a_table_without_its_catalog_is_known_by_its_other_name() -> None:
    _, learnt = convert(event(), unknown, LAKEHOUSE)
    wrong = table({"namespace": "file", "name": "lakehouse/mart/daily"}, "mart.daily")
    wrong["facets"] |= {"catalog": None, "storage": {"storageLayer": "iceberg"}}
    found = aspects(event(outputs=[wrong]), lambda namespace, name: learnt.get((namespace, name)))
    assert (urn("lakehouse.mart.daily"), "upstreamLineage") in found


@pytest.mark.parametrize(
    ("namespace", "name", "expected"),
    [
        ("trino://127.0.0.1:8080", "lakehouse.mart.daily", urn("lakehouse.mart.daily")),
        ("trino://127.0.0.1:8080", "tpch.tiny.orders", urn("tpch.tiny.orders", "trino")),
        ("postgres://db:5432", "airflow.public.dag", urn("airflow.public.dag", "postgres")),
        ("sqlserver://db", "a.b.c", urn("a.b.c", "mssql")),
        ("s3a://raw", "/fx/1.json", urn("raw/fx/1.json", "s3")),
        ("file", "/data/x", urn("/data/x", "file")),
    ],
)
def test_other_data_sets_are_named_as_datahub_names_them(namespace: str, name: str, expected: str) -> None:
    found = aspects(event(inputs=[{"namespace": namespace, "name": name}]))
    assert (expected, "datasetProperties") in found


def test_a_statement_that_reads_its_target_makes_no_edge_from_the_table_to_itself() -> None:
    same = table(TARGET, "mart.daily")
    found = aspects(event(inputs=[same, table(PATH, "raw.orders")]))
    upstreams = found[urn("lakehouse.mart.daily"), "upstreamLineage"].value["upstreams"]
    assert [u["dataset"] for u in upstreams] == [urn("lakehouse.raw.orders")]


@pytest.mark.parametrize("kind", ["START", "RUNNING", "FAIL", "ABORT"])
def test_only_a_completed_run_says_what_was_written(kind: str) -> None:
    changes, learnt = convert(event(eventType=kind), unknown, LAKEHOUSE)
    assert changes == []
    assert learnt


def test_jobs_have_the_names_that_datahub_gives_them() -> None:
    flow = "urn:li:dataFlow:(spark,jobs.rates,PROD)"
    found = aspects(event())
    assert (flow, "dataFlowInfo") in found
    job = found[f"urn:li:dataJob:({flow},merge_into)", "dataJobInputOutput"]
    assert job.value["inputDatasets"] == [urn("lakehouse.raw.orders")]
    assert job.value["outputDatasets"] == [urn("lakehouse.mart.daily")]
    airflow = event(job={"namespace": "n", "name": "dag.task", "facets": {"jobType": {"integration": "AIRFLOW"}}})
    assert ("urn:li:dataFlow:(airflow,dag,PROD)", "dataFlowInfo") in aspects(airflow)


def test_columns_and_their_types_are_taken_over() -> None:
    fields = [{"name": "amount", "type": "decimal(10,2)"}, {"name": "day", "type": "date", "description": None}]
    found = aspects(event(outputs=[table(TARGET, "mart.daily", schema={"fields": fields})]))
    value = found[urn("lakehouse.mart.daily"), "schemaMetadata"].value
    assert [(f["fieldPath"], f["nativeDataType"], *f["type"]["type"]) for f in value["fields"]] == [
        ("amount", "decimal(10,2)", "com.linkedin.schema.NumberType"),
        ("day", "date", "com.linkedin.schema.DateType"),
    ]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], "run event"),
        ({}, "eventType"),
        (event(job={"namespace": "n"}), "job.name"),
        (event(inputs=[{"namespace": "n", "name": ""}]), r"inputs\.0\.name"),
        (event(outputs="x"), "outputs"),
    ],
)
def test_what_is_no_event_is_refused_with_its_reason(body: object, message: str) -> None:
    with pytest.raises(InvalidError, match=message):
        convert(body, unknown, LAKEHOUSE)


def test_what_a_rule_leaves_out_is_neither_described_nor_remembered() -> None:
    rules = Rules("iceberg:lakehouse[.]raw[.]orders ->")
    changes, names = convert(event(), unknown, rules)
    assert urn("lakehouse.raw.orders") not in json.dumps([c._asdict() for c in changes])
    assert {c.urn for c in changes if c.aspect == "datasetProperties"} == {urn("lakehouse.mart.daily")}
    assert set(names.values()) == {urn("lakehouse.mart.daily")}


def test_a_job_that_writes_only_what_is_left_out_is_no_job() -> None:
    changes, _ = convert(event(), unknown, Rules("iceberg:lakehouse[.]mart[.]daily ->"))
    assert changes == []


def test_single_objects_are_one_data_set_of_their_zone() -> None:
    source = {"namespace": "s3a://raw", "name": f"fx_rates/{'0' * 64}.csv"}
    changes, _ = convert(event(inputs=[source]), unknown, Rules("s3:(raw)/([^/]+)/.+ -> s3:\\1/\\2"))
    (lineage,) = [c for c in changes if c.aspect == "dataJobInputOutput"]
    assert lineage.value["inputDatasets"] == [urn("raw/fx_rates", "s3")]
