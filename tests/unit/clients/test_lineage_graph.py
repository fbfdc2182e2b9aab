"""Ways through the catalog's graph."""

from __future__ import annotations

from typing import Any

import pytest

from data_platform.clients import lineage_graph as graph
from tests.unit.clients import fake_catalog as fake


@pytest.fixture
def catalog() -> Any:
    return fake.FakeCatalog()


@pytest.mark.parametrize(
    ("source", "target", "emitter", "expected"),
    [
        (fake.LANDING, fake.RAW, "nifi", True),
        (fake.RAW, fake.TABLE, "spark", True),
        (fake.RAW, fake.TABLE, "airflow", True),
        (fake.TABLE, fake.MART, "dbt", True),
        (fake.RAW, fake.LANDING, "nifi", False),  # the other way
        (fake.LANDING, fake.TABLE, "nifi", False),  # through a dataset
        (fake.LANDING, fake.RAW, "airflow", False),  # through others' jobs
        (fake.RAW, fake.MART, "airflow", False),  # only by the order of tasks
    ],
)
def test_a_way_leads_through_one_emitter(catalog: Any, source: str, target: str, emitter: str, expected: bool) -> None:
    assert graph.leads(catalog, source, target, emitter) is expected


def test_an_edge_without_a_job_is_nobodys_way(catalog: Any) -> None:
    catalog.graph = {(fake.RAW, fake.TABLE)}
    assert not graph.leads(catalog, fake.RAW, fake.TABLE, "spark")
    assert graph.sources(catalog, fake.TABLE) == {fake.RAW}


def test_sources_are_the_nearest_datasets(catalog: Any) -> None:
    assert graph.sources(catalog, fake.MART) == {fake.TABLE}
    assert graph.sources(catalog, fake.RAW) == {fake.LANDING}
    assert graph.sources(catalog, fake.LANDING) == set()


def test_columns_are_followed_to_their_origin_through_models_and_cycles(catalog: Any) -> None:
    high, rate = "iceberg:lakehouse.marts.m#high", "iceberg:lakehouse.raw.x#rate"
    catalog.columns[fake.TABLE] |= {(rate, rate)}
    found = graph.origins(catalog, graph.field(high))
    assert {graph.field(rate), graph.field("s3:raw/x#value")} <= found
    assert graph.field("iceberg:lakehouse.raw.x#currency") not in found


@pytest.mark.parametrize(
    ("entity", "platform", "between"),
    [
        (fake.TAKE, "nifi", True),
        (fake.LOAD, "airflow", True),
        (fake.MODEL, "dbt", True),
        (fake.TABLE, "iceberg", False),
        (fake.RAW, "s3", False),
    ],
)
def test_kinds_of_entities(entity: str, platform: str, between: bool) -> None:
    assert (graph.platform_of(entity), graph.is_between(entity)) == (platform, between)
