"""Walks the catalog's graph: datasets, and the jobs and models that lie between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from data_platform.clients import producers
from data_platform.clients.datahub import dataset_urn, field_urn

if TYPE_CHECKING:
    from data_platform.clients.datahub import DataHub

#: More than any way from one dataset to the next has.
_STEPS = 8
_FIELD = "urn:li:schemaField:("
_TASK = f"urn:li:dataJob:(urn:li:dataFlow:({producers.AIRFLOW},"


def urn(place: str) -> str:
    """URN of a dataset that is written `platform:name`."""
    platform, _, name = place.partition(":")
    return dataset_urn(platform, name)


def field(place: str) -> str:
    """URN of a column that is written `platform:name#column`."""
    table, _, column = place.partition("#")
    return field_urn(urn(table), column)


def platform_of(entity: str) -> str:
    """Platform of a dataset, or orchestrator of a job."""
    return entity.partition("(")[2].removeprefix("urn:li:dataFlow:(").partition(",")[0].rpartition(":")[2]


def is_between(entity: str) -> bool:
    """Whether an entity is a job or a dbt model: a way between datasets, none of them itself."""
    return not entity.startswith("urn:li:dataset:") or platform_of(entity) == producers.DBT


def leads(catalog: DataHub, source: str, target: str, emitter: str) -> bool:
    """Whether one dataset leads to another through jobs or models of one emitter, at least one, and nothing else."""

    def own(entity: str) -> bool:
        return is_between(entity) and platform_of(entity) == emitter

    first = {down for _, down in catalog.edges({source}, downstream=True) if own(down)}
    return target in _reached(catalog, first, True, own)


def sources(catalog: DataHub, target: str) -> set[str]:
    """Datasets that one comes from, directly or through jobs and models of anybody."""
    return {u for u in _reached(catalog, {target}, False, is_between) if not is_between(u)}


def origins(catalog: DataHub, column: str) -> set[str]:
    """All columns that a column is made of, near and far."""
    found: set[str] = set()
    border = {column}
    for _ in range(_STEPS):
        if not border:
            break
        known = {pair for table in sorted({_table(c) for c in border}) for pair in catalog.lineage(table).columns}
        border = {up for up, down in known if down in border} - found
        found |= border
    return found


def _is_order(upstream: str, downstream: str) -> bool:
    """Whether an edge says only that one Airflow task runs after another."""
    return upstream.startswith(_TASK) and downstream.startswith(_TASK)


def _table(column: str) -> str:
    return column.removeprefix(_FIELD).rpartition(",")[0]


def _reached(catalog: DataHub, start: set[str], downstream: bool, enter: Callable[[str], bool]) -> set[str]:
    reached: set[str] = set()
    border = start
    for _ in range(_STEPS):
        if not border:
            break
        edges = (edge for edge in catalog.edges(border, downstream) if not _is_order(*edge))
        new = {edge[1 if downstream else 0] for edge in edges} - reached - start
        reached |= new
        border = {entity for entity in new if enter(entity)}
    return reached
