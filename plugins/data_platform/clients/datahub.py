"""A catalog that speaks DataHub's REST calls, by DataHub's own emitter and graph client."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from data_platform.clients import http
from data_platform.clients.cleanup import removed_after

if TYPE_CHECKING:
    from datahub.emitter.mcp import MetadataChangeProposalWrapper
    from datahub.ingestion.api.source import Source

_OPENLINEAGE = "/openapi/openlineage/api/v1/lineage"
_PROPOSAL = "/aspects?action=ingestProposal"
#: Edges that are asked for at a time.
_PAGE = 1000
#: Environment of all URNs of the platform.
_ENV = "PROD"


class Lineage(NamedTuple):
    """What a dataset is made of."""

    #: URNs of datasets.
    upstreams: frozenset[str]
    #: Pairs of URNs of schema fields: (upstream, downstream).
    columns: frozenset[tuple[str, str]]


def dataset_urn(platform: str, name: str) -> str:
    """URN of a dataset, such as platform `iceberg`, name `lakehouse.raw.fx_rates`."""
    from datahub.metadata.urns import DatasetUrn

    return str(DatasetUrn(platform, name, _ENV))


def field_urn(dataset: str, field: str) -> str:
    """URN of a column of a dataset."""
    from datahub.metadata.urns import SchemaFieldUrn

    return str(SchemaFieldUrn(dataset, field))


class CatalogError(Exception):
    """A source could not read what it should report; nothing of it was written."""


def load_library() -> None:
    """Import DataHub's library so that it sends no statistics and leaves the home folder alone.

    It reads both at import: whether statistics are wanted, and where home is, to keep a file about them there.
    """
    os.environ["DATAHUB_TELEMETRY_ENABLED"] = "false"
    if "datahub.telemetry.telemetry" in sys.modules:
        return
    home = os.environ.get("HOME")
    os.environ["HOME"] = os.devnull  # no folder can be made below it
    try:
        import datahub.telemetry.telemetry  # noqa: F401
    finally:
        del os.environ["HOME"]
        if home is not None:
            os.environ["HOME"] = home


class DataHub:
    """A session with one catalog. Use it as a context manager.

    Methods raise datahub.configuration.common.OperationalError when a write is refused, requests.HTTPError when a read
    is, httpx.HTTPError for OpenLineage, and requests.ConnectionError when it cannot be reached.
    """

    def __init__(self, url: str, token: str, seconds: float, ca: str | None = None) -> None:
        """Prepare a session; nothing is sent yet.

        Args:
            url: the catalog's address without path.
            token: its access token.
            seconds: deadline of one request.
            ca: see `http.client`.
        """
        load_library()
        from datahub.emitter.rest_emitter import DatahubRestEmitter
        from datahub.ingestion.graph.client import DataHubGraph
        from datahub.ingestion.graph.config import DatahubClientConfig

        self._url, self._seconds, self._ca = url, seconds, ca
        self._emitter = DatahubRestEmitter(url, token, timeout_sec=seconds, retry_max_times=0)
        self._graph = DataHubGraph(DatahubClientConfig(server=url, token=token, timeout_sec=seconds, retry_max_times=0))
        for session in (self._emitter.session, self._graph.session):
            session.trust_env = False  # as http.client
            session.verify = ca or True
        self._http = http.client(url, seconds, {"Authorization": f"Bearer {token}"}, ca)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._emitter.close()
        self._graph.close()
        self._http.close()

    def emit_dataset(self, urn: str, description: str, upstreams: Sequence[str] = ()) -> None:
        """Write a dataset with its description and, when some are given, its upstream datasets.

        Args:
            urn: the dataset.
            description: shown to people.
            upstreams: URNs of datasets that it is made of.
        """
        from datahub.emitter.mcp import MetadataChangeProposalWrapper
        from datahub.metadata import schema_classes as s

        edges = [s.UpstreamClass(dataset=u, type=s.DatasetLineageTypeClass.TRANSFORMED) for u in upstreams]
        aspects = [s.StatusClass(removed=False), s.DatasetPropertiesClass(description=description)]
        if edges:
            aspects.append(s.UpstreamLineageClass(upstreams=edges))
        proposals: list[MetadataChangeProposalWrapper] = [
            MetadataChangeProposalWrapper(entityUrn=urn, aspect=aspect) for aspect in aspects
        ]
        self._emitter.emit_mcps(proposals)

    def post_openlineage(self, event: Mapping[str, Any]) -> None:
        """Send an OpenLineage event, as OpenLineage's HTTP transport does."""
        self._http.post(_OPENLINEAGE, json=event).raise_for_status()

    def lineage(self, urn: str) -> Lineage:
        """What a dataset is made of; empty when nothing is known."""
        from datahub.metadata.schema_classes import UpstreamLineageClass

        found = self._graph.get_aspect(urn, UpstreamLineageClass)
        if found is None:
            return Lineage(frozenset(), frozenset())
        pairs = (
            (up, down)
            for f in found.fineGrainedLineages or []
            for up in f.upstreams or []
            for down in f.downstreams or []
        )
        return Lineage(frozenset(edge.dataset for edge in found.upstreams), frozenset(pairs))

    def edges(self, urns: Iterable[str], downstream: bool) -> set[tuple[str, str]]:
        """Edges (upstream, downstream) one step from any of some entities: datasets, jobs and what is between them.

        Args:
            urns: where to look.
            downstream: which way.
        """
        from datahub.ingestion.graph.openapi import LineageDirection

        direction = LineageDirection.DOWNSTREAM if downstream else LineageDirection.UPSTREAM
        wanted, page, found = sorted(urns), None, set()
        while wanted:
            answer = self._graph.scroll_lineage(urns=wanted, direction=direction, count=_PAGE, scroll_id=page)
            found |= {(edge.upstream_urn, edge.downstream_urn) for edge in answer.relationships}
            if not (page := answer.scroll_id):
                break
        return found

    def ingest(self, source: type[Source], name: str, config: Mapping[str, Any]) -> list[str]:
        """Write what one of DataHub's ingestion sources finds, all or nothing.

        Args:
            source: its class.
            name: its name in a recipe, such as dbt.
            config: its recipe.

        Returns:
            URNs of the entities that were written.

        Raises:
            CatalogError: the source reports failures.
        """
        from datahub.emitter.mcp_builder import mcps_from_mce
        from datahub.ingestion.api.common import PipelineContext
        from datahub.ingestion.run.pipeline_config import PipelineConfig
        from datahub.metadata.schema_classes import MetadataChangeEventClass

        # Some settings count only when the recipe has them.
        recipe = PipelineConfig.model_validate(
            {"source": {"type": name, "config": dict(config)}, "sink": {"type": "datahub-rest", "config": {}}}
        )
        made = source.create(dict(config), PipelineContext(name, self._graph, pipeline_config=recipe))
        with removed_after(made.close, f"what the source {name} holds"):
            # Some sources still speak in the older form, an entity with its aspects.
            proposals = [
                proposal
                for unit in made.get_workunits()
                for proposal in (
                    mcps_from_mce(unit.metadata)
                    if isinstance(unit.metadata, MetadataChangeEventClass)
                    else [unit.metadata]
                )
            ]
            if failures := list(made.get_report().failures):
                raise CatalogError("; ".join(f"{f.title}: {f.message} {list(f.context)}" for f in failures))
        self._emitter.emit_mcps(proposals)
        return sorted({str(proposal.entityUrn) for proposal in proposals})

    def exists(self, urn: str) -> bool:
        """Whether there is anything of an entity, removed or not."""
        return self._graph.exists(urn)

    def is_removed(self, urn: str) -> bool:
        """Whether an entity is soft-deleted."""
        from datahub.metadata.schema_classes import StatusClass

        status = self._graph.get_aspect(urn, StatusClass)
        return status is not None and status.removed

    def remove(self, urn: str) -> None:
        """Soft-delete an entity: it is hidden, its metadata stays."""
        self._graph.soft_delete_entity(urn)

    def delete(self, urn: str) -> None:
        """Delete an entity for good; it may be missing."""
        self._graph.hard_delete_entity(urn)

    def status_of_write(self, urn: str, token: str | None) -> int:
        """HTTP status that a write of somebody else is answered with.

        Args:
            urn: the dataset that is written.
            token: what to send as its token; None for no header at all.

        Raises:
            httpx.HTTPError: it cannot be reached.
        """
        proposal = {
            "entityType": "dataset",
            "entityUrn": urn,
            "aspectName": "status",
            "changeType": "UPSERT",
            "aspect": {"value": '{"removed": false}', "contentType": "application/json"},
        }
        header = {"Authorization": f"Bearer {token}"} if token is not None else None
        with http.client(self._url, self._seconds, header, self._ca) as client:
            return client.post(_PROPOSAL, json={"proposal": proposal}).status_code
