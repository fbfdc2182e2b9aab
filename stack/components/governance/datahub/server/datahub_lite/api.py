"""The calls of DataHub's metadata service that its emitters, its graph client and OpenLineage's clients make."""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from importlib import metadata
from typing import Annotated, Any, Literal

from datahub.metadata.schema_classes import ASPECT_CLASSES
from fastapi import APIRouter, Depends, Query, Request

from datahub_lite import openlineage
from datahub_lite.errors import InvalidError, MissingError, RefusedError
from datahub_lite.settings import Settings
from datahub_lite.store import VERBS, Change, Edge, Store, Stored, Verb, parse_urn

#: DataHub's clients send at most 15 MiB.
MAX_BYTES = 16 * 1024 * 1024
#: Of Lite itself, since clients ask in order to know which calls they may make.
_VERSION = metadata.version("acryl-datahub")
_ACTOR = "urn:li:corpuser:datahub_lite"
_RECORD_NAMES = {c.get_aspect_name(): c.RECORD_SCHEMA.fullname.replace(".pegasus2avro", "") for c in ASPECT_CLASSES}
_log = logging.getLogger("datahub_lite")

router = APIRouter()


def _store(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


async def _body(request: Request) -> Any:
    """The JSON that a request brings, unpacked if need be."""
    raw = bytearray()
    async for part in request.stream():
        raw += part
        if len(raw) > MAX_BYTES:
            raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {MAX_BYTES} bytes")
    try:
        return _parsed(_unpacked(bytes(raw)) if request.headers.get("content-encoding") == "gzip" else bytes(raw))
    except (ValueError, RecursionError, zlib.error) as error:
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {error}") from None


def _parsed(raw: str | bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is none, or holds half of a surrogate pair, which is no text and could not be given back.
        RecursionError: it is nested too deeply.
    """
    text = raw.decode() if isinstance(raw, bytes) else raw
    value = json.loads(text)
    if "\\ud" in text.lower():
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _unpacked(raw: bytes) -> bytes:
    stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    content = stream.decompress(raw, MAX_BYTES)
    if stream.unconsumed_tail:
        raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {MAX_BYTES} bytes when unpacked")
    return content


Body = Annotated[Any, Depends(_body)]
StoreOf = Annotated[Store, Depends(_store)]
SettingsOf = Annotated[Settings, Depends(_settings)]


@router.get("/config")
def config() -> dict[str, Any]:
    """What the server can do; DataHub's clients ask before anything else."""
    return {
        "noCode": "true",
        "patchCapable": True,
        "statefulIngestionCapable": False,
        "versions": {"acryldata/datahub": {"version": f"v{_VERSION}", "commit": "datahub-lite"}},
        "datahub": {"serverType": "lite"},
        "telemetry": {"enabledCli": False, "enabledIngestion": False},
    }


@router.get("/health")
def health(store: StoreOf) -> dict[str, str]:
    """200 when the store can be read."""
    store.alive()
    return {"status": "healthy"}


@router.post("/aspects")
def ingest(action: str, body: Body, store: StoreOf, settings: SettingsOf) -> dict[str, Any]:
    """Write one or many proposals, all or none."""
    if action == "ingestProposal":
        proposals = [_field(body, "proposal")]
    elif action == "ingestProposalBatch":
        proposals = _field(body, "proposals")
        if not isinstance(proposals, list):
            raise InvalidError("proposals must be a list")
    else:
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"there is no action {action!r}")
    changes = [_change(proposal) for proposal in proposals]
    store.apply(_renamed(changes, settings))
    return {"value": changes[-1].urn if changes else None}


@router.get("/aspects/{urn:path}")
def get_aspect(
    urn: str, aspect: str, store: StoreOf, version: Annotated[int, Query(ge=0, lt=2**31)] = 0
) -> dict[str, Any]:
    """One aspect; version 0 is the newest."""
    found = store.aspect(urn, aspect, version)
    if found is None:
        raise MissingError(f"{urn} has no aspect {aspect} of version {version}")
    return {"version": version, "aspect": {_RECORD_NAMES[aspect]: found.value}, "systemMetadata": found.system}


@router.get("/entitiesV2/{urn:path}")
def get_entity(urn: str, store: StoreOf, aspects: str = "") -> dict[str, Any]:
    """Aspects of an entity, all or those of `List(a,b)`; none when it is not there, as DataHub answers."""
    names = [name for name in aspects.removeprefix("List(").removesuffix(")").split(",") if name]
    found = {
        name: {
            "name": name,
            "type": "VERSIONED",
            "version": 0,
            "value": stored.value,
            "created": {"time": stored.created, "actor": _ACTOR},
            **({"systemMetadata": stored.system} if stored.system else {}),
        }
        for name, stored in store.entity(urn, names).items()
    }
    return {"urn": urn, "entityName": parse_urn(urn).entity_type, "aspects": found}


@router.post("/entities")
def delete(action: str, body: Body, store: StoreOf) -> dict[str, Any]:
    """Delete an entity for good."""
    if action != "delete":
        raise RefusedError(
            HTTPStatus.NOT_IMPLEMENTED, f"action {action!r} is not supported: no search here but the page"
        )
    urn = str(_field(body, "urn"))
    return {"value": {"urn": urn, "rows": store.delete(urn), "timeseriesRows": 0}}


@router.post("/openapi/v3/entity/{kind}/batchGet")
def batch_get(kind: str, body: Body, store: StoreOf) -> list[dict[str, Any]]:
    """Several entities, each with the aspects that are named beside its URN."""
    items = [(urn, parts) for urn, parts in _entities(kind, body)]
    return [_openapi(urn, found) for urn, parts in items if (found := store.entity(urn, list(parts)))]


@router.get("/openapi/v3/entity/{kind}/{urn:path}")
def openapi_get(
    kind: str, urn: str, store: StoreOf, aspects: Annotated[list[str] | None, Query()] = None
) -> dict[str, Any]:
    """One entity."""
    _is_kind(kind, urn)
    found = store.entity(urn, aspects or [])
    if not found:
        raise MissingError(f"{urn} is not there")
    return _openapi(urn, found)


@router.delete("/openapi/v3/entity/{kind}/{urn:path}")
def openapi_delete(kind: str, urn: str, store: StoreOf) -> dict[str, Any]:
    """Delete an entity for good."""
    _is_kind(kind, urn)
    store.delete(urn)
    return {}


@router.post("/openapi/v3/entity/{kind}")
def openapi_post(kind: str, body: Body, store: StoreOf, settings: SettingsOf) -> list[dict[str, Any]]:
    """Write aspects of several entities, all or none."""
    return _write(kind, body, store, settings, Verb.UPSERT)


@router.patch("/openapi/v3/entity/{kind}")
def openapi_patch(kind: str, body: Body, store: StoreOf, settings: SettingsOf) -> list[dict[str, Any]]:
    """Patch aspects of several entities, all or none."""
    return _write(kind, body, store, settings, Verb.PATCH)


@router.post("/openapi/v3/lineage/scroll")
def scroll_lineage(
    body: Body, store: StoreOf, direction: Literal["UPSTREAM", "DOWNSTREAM"] | None = None
) -> dict[str, Any]:
    """Edges of the lineage at some entities, all in one page."""
    urns = body.get("urns", []) if isinstance(body, Mapping) else None
    if not isinstance(urns, list) or not all(isinstance(urn, str) for urn in urns):
        raise InvalidError("urns must be a list of strings")
    near = {"UPSTREAM": "downstream", "DOWNSTREAM": "upstream"}.get(direction or "")
    found = [edge for edge in store.edges(urns) if not urns or near is None or getattr(edge, near) in urns]
    return {"results": [_relationship(edge) for edge in found], "scrollId": None}


@router.post("/openapi/openlineage/api/v1/lineage")
def lineage(body: Body, store: StoreOf, settings: SettingsOf) -> dict[str, Any]:
    """Take an OpenLineage run event."""
    changes, names = openlineage.convert(body, store.known_name, settings.rules)
    store.apply(changes, names)
    return {}


@router.post("/api/graphql")
def graphql() -> None:
    """DataHub's search graph is not here."""
    raise RefusedError(HTTPStatus.NOT_IMPLEMENTED, "GraphQL is not supported by this endpoint in front of DataHub Lite")


@router.api_route("/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"], include_in_schema=False)
def unknown(request: Request, path: str) -> None:
    """Whatever DataHub has and this endpoint has not."""
    _log.warning("not supported: %s /%s", request.method, path)
    raise MissingError(f"{request.method} /{path} is not supported by this endpoint in front of DataHub Lite")


def _field(body: Any, name: str) -> Any:
    if not isinstance(body, Mapping) or name not in body:
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"the body has no {name!r}")
    return body[name]


def _change(proposal: Any) -> Change:
    """A change from a metadata change proposal, whose value is JSON in a string."""
    urn, name = _field(proposal, "entityUrn"), _field(proposal, "aspectName")
    if not isinstance(urn, str) or not isinstance(name, str):
        raise InvalidError("entityUrn and aspectName must be strings")
    change_type = proposal.get("changeType", Verb.UPSERT.value)
    verb = VERBS.get(str(change_type))
    if verb is None:
        raise InvalidError(f"changeType {change_type!r} is not one of {', '.join(VERBS)}")
    aspect = proposal.get("aspect")
    if verb is Verb.DELETE:
        return Change(urn, name, None, verb)
    try:
        value = _parsed(_field(aspect, "value"))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidError(f"{name} of {urn}: the value is not JSON: {error}") from None
    return Change(urn, name, value, verb, proposal.get("systemMetadata"))


def _renamed(changes: Iterable[Change], settings: Settings) -> list[Change]:
    return [found for change in changes if (found := settings.rules.change(change)) is not None]


def _is_kind(kind: str, urn: str) -> None:
    if parse_urn(urn).entity_type.lower() != kind.lower():
        raise InvalidError(f"{urn} is not of the entity type {kind}")


def _entities(kind: str, body: Any) -> Iterable[tuple[str, dict[str, Any]]]:
    if not isinstance(body, list):
        raise RefusedError(HTTPStatus.BAD_REQUEST, "the body must be a list of entities")
    for item in body:
        urn = str(_field(item, "urn"))
        _is_kind(kind, urn)
        yield urn, {name: part for name, part in item.items() if name != "urn"}


def _write(kind: str, body: Any, store: Store, settings: Settings, verb: Verb) -> list[dict[str, Any]]:
    changes = [
        Change(urn, name, _field(part, "value"), verb, part.get("systemMetadata"))
        for urn, parts in _entities(kind, body)
        for name, part in parts.items()
    ]
    store.apply(_renamed(changes, settings))
    return [{"urn": c.urn, c.aspect: {"value": c.value}} for c in changes]


def _relationship(edge: Edge) -> dict[str, Any]:
    """An edge as DataHub's graph has it: from the entity that tells of it to the other."""
    other = edge.upstream if edge.owner == edge.downstream else edge.downstream
    kinds = [parse_urn(urn).entity_type for urn in (edge.owner, other)]
    name = "DownstreamOf" if kinds[0] == kinds[1] else "Consumes" if other == edge.upstream else "Produces"
    source, destination = ({"urn": u, "entityType": k} for u, k in zip((edge.owner, other), kinds, strict=True))
    return {
        "relationshipType": name,
        "source": source,
        "destination": destination,
        "upstream": edge.upstream,
        "downstream": edge.downstream,
    }


def _openapi(urn: str, found: Mapping[str, Stored]) -> dict[str, Any]:
    return {
        "urn": urn,
        **{name: {"value": s.value, **({"systemMetadata": s.system} if s.system else {})} for name, s in found.items()},
    }
