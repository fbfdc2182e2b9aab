"""The catalog knows the way of the data: each declared edge is there, from the emitter that should have sent it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from data_platform.checks.base import CheckFailed, Deadline, KindParams, Platform
from data_platform.clients import connect
from data_platform.stack.capabilities import LINEAGE_CATALOG
from data_platform.stack.holders import PIPELINES
from data_platform.stack.lake import RAW

if TYPE_CHECKING:
    from data_platform.clients.datahub import DataHub

_PLACE = r"^[a-z0-9]+:[^#\s]+$"
_COLUMN = r"^[a-z0-9]+:[^#\s]+#\S+$"
_NEXT = {
    "nifi": "see that NiFi's flow ran, then clear the task that emits lineage",
    "dbt": "see that the documentation was published, then clear the task that emits lineage",
    "spark": "see the log of the load for the OpenLineage listener, and load again",
    "airflow": "see inlets and outlets of the task and the log of its `datahub` listener, and run the task again",
}
Emitter = Literal["nifi", "airflow", "spark", "dbt"]


class Edge(KindParams):
    """Data goes from one dataset to another, through jobs or models of one emitter and nothing else."""

    source: str = Field(pattern=_PLACE, description=f"As platform:name, such as s3:{RAW}/fx_rates.")
    target: str = Field(pattern=_PLACE, description="As platform:name.")
    by: Emitter = Field(description="Platform of the jobs or models between them.")


class Columns(KindParams):
    """A column is made of another one."""

    source: str = Field(pattern=_COLUMN, description="As platform:name#column.")
    target: str = Field(pattern=_COLUMN, description="As platform:name#column.")
    by: Emitter = Field(description="Who should have said so.")


class Params(KindParams):
    """Arguments of the kind."""

    catalog: str = Field(
        default=LINEAGE_CATALOG, description="Component with the endpoint, from which pipelines have a token."
    )
    endpoint: str = Field(default="http", description="One of its endpoints.")
    edges: tuple[Edge, ...] = Field(min_length=1, description="Every edge between datasets that there should be.")
    columns: tuple[Columns, ...] = Field(default=(), description="Some of the columns' edges.")
    closed: bool = Field(default=True, description="Whether any other edge into a target is a failure.")
    grace: float = Field(default=10, ge=0, description="Seconds in which the last edge may still come.")


def check(params: Params, platform: Platform, deadline: Deadline) -> str:
    """Walk the catalog's graph from each source, and from each target back."""
    with connect.datahub(platform, PIPELINES, deadline.remaining, params.catalog, params.endpoint) as catalog:
        # Airflow tells of a task after it has let the next one go.
        Deadline(min(params.grace, deadline.remaining)).retry(lambda: _look(params, catalog), on=CheckFailed)
    ways = ", ".join(f"{edge.source} -> {edge.target} ({edge.by})" for edge in params.edges)
    return f"{len(params.edges)} edges and {len(params.columns)} columns: {ways}"


def _look(params: Params, catalog: DataHub) -> None:
    from data_platform.clients import lineage_graph as graph

    problems = [
        f"{edge.source} -> {edge.target}: no way through {edge.by}; {_NEXT[edge.by]}"
        for edge in params.edges
        if not graph.leads(catalog, graph.urn(edge.source), graph.urn(edge.target), edge.by)
    ]
    problems += [
        f"{pair.source} -> {pair.target}: not known of that column; {_NEXT[pair.by]}"
        for pair in params.columns
        if graph.field(pair.source) not in graph.origins(catalog, graph.field(pair.target))
    ]
    for target in dict.fromkeys(edge.target for edge in params.edges if params.closed):
        declared = {graph.urn(edge.source) for edge in params.edges if edge.target == target}
        problems += [
            f"{target} also comes from {urn}, which is not declared: delete that edge, or declare it"
            for urn in sorted(graph.sources(catalog, graph.urn(target)) - declared)
        ]
    if problems:
        raise CheckFailed("\n".join(problems))
