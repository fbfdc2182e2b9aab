"""The read-only pages: search, an entity with its lineage and aspects, and the login."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

from datahub.metadata.urns import Urn
from datahub.utilities.urns.error import InvalidUrnError
from fastapi import APIRouter, Form, Request
from fastapi.templating import Jinja2Templates
from starlette.responses import RedirectResponse, Response

from datahub_lite import auth, lineage
from datahub_lite.errors import RefusedError
from datahub_lite.store import Store, Stored

#: Scripts and anything of other sites are refused by the browser; the style is in the page.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_HITS = 100

router = APIRouter()
_templates = Jinja2Templates(Path(__file__).parent / "templates")


def short(urn: str, title: str = "") -> dict[str, str]:
    """What a page shows of a URN: kind, platform or orchestrator, and name.

    Args:
        urn: the entity.
        title: name of a job, where it has one beside its id.
    """
    try:
        parsed = Urn.from_string(urn)
    except (InvalidUrnError, IndexError):  # a stored edge may name anything
        return {"urn": urn, "kind": "", "platform": "", "name": urn, "link": ""}
    ids = parsed.entity_ids
    if parsed.entity_type == "dataJob":
        flow = Urn.from_string(ids[0]).entity_ids
        platform, name = flow[0], title if title and title != ids[1] else f"{flow[1]}.{ids[1]}"
    elif len(ids) > 1:
        platform, name = ids[0].rpartition(":")[2], ids[1]
    else:
        platform, name = "", ids[0]
    link = "/entity?" + urlencode({"urn": urn})
    return {"urn": urn, "kind": parsed.entity_type, "platform": platform, "name": name, "link": link}


def _page(request: Request, name: str, status: HTTPStatus = HTTPStatus.OK, **context: Any) -> Response:
    return _templates.TemplateResponse(request, name, context, status_code=status, headers=HEADERS)


def _store(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


@router.get("/")
def search(request: Request, q: str = "") -> Response:
    """Entities, all or those whose name has the words."""
    found = _store(request).search(q, _HITS)
    return _page(request, "search.html", q=q, hits=[short(f.urn) | {"aspects": f.aspects} for f in found], limit=_HITS)


@router.get("/entity")
def entity(request: Request, urn: str) -> Response:
    """One entity: where it comes from, where it goes, and what is known of it."""
    store = _store(request)
    try:
        found = store.entity(urn)
    except RefusedError:
        found = {}
    left, right = lineage.columns(urn, store.neighbours)
    titles = store.titles([urn, *(u for c in (*left, *right) for u in c.urns)])
    # What only others speak of has a place in the lineage and nothing else.
    if not (found or left or right):
        return _page(request, "missing.html", HTTPStatus.NOT_FOUND, q="", urn=urn)
    return _page(
        request,
        "entity.html",
        q="",
        entity=short(urn, titles.get(urn, "")),
        removed=_removed(found),
        left=[[short(u, titles.get(u, "")) for u in c.urns] + _more(c) for c in left],
        right=[[short(u, titles.get(u, "")) for u in c.urns] + _more(c) for c in right],
        fields=_fields(found, store),
        aspects=[(name, json.dumps(s.value, indent=2, ensure_ascii=False)) for name, s in found.items()],
    )


def _more(column: lineage.Column) -> list[dict[str, str]]:
    if not column.more:
        return []
    return [{"urn": "", "kind": "", "platform": "", "name": f"and {column.more} more", "link": ""}]


def _removed(found: dict[str, Stored]) -> bool:
    return "status" in found and bool(found["status"].value.get("removed"))


def _fields(found: dict[str, Stored], store: Store) -> list[dict[str, Any]]:
    """Columns of a dataset, each with the columns of tables that it is made of."""
    sources = _sources(found)
    # dbt describes its model, which has the table's name, and not the table.
    models = [u for c in sources for s in sources[c] if _is_model(u := _parent(s))]
    described = found if "schemaMetadata" in found else store.entity(models[0], ["schemaMetadata"]) if models else {}
    declared = described["schemaMetadata"].value["fields"] if "schemaMetadata" in described else []
    types = {f["fieldPath"]: f["nativeDataType"] for f in declared}
    return [
        {
            "name": n,
            "type": types.get(n, ""),
            "sources": [
                ".".join(_column(u)) for u in sorted({s for u in sources.get(n, []) for s in _tables(u, store)})
            ],
        }
        for n in dict.fromkeys([*types, *sources])
    ]


def _sources(found: Mapping[str, Stored]) -> dict[str, list[str]]:
    """URNs of the columns that each column of a dataset is made of."""
    fine = found["upstreamLineage"].value.get("fineGrainedLineages") or [] if "upstreamLineage" in found else []
    sources: dict[str, list[str]] = {}
    for entry in fine:
        for downstream in entry.get("downstreams") or []:
            sources.setdefault(_column(downstream)[1], []).extend(entry.get("upstreams") or [])
    return sources


def _tables(column: str, store: Store) -> list[str]:
    """A column, or what it is made of where it is one of a dbt model: a model has its table's name and no data."""
    table = _parent(column)
    if not _is_model(table):
        return [column]
    return _sources(store.entity(table, ["upstreamLineage"])).get(_column(column)[1], [])


def _is_model(urn: str) -> bool:
    return urn.startswith("urn:li:dataset:(urn:li:dataPlatform:dbt,")


def _parent(column: str) -> str:
    try:
        return str(Urn.from_string(column).entity_ids[0])
    except (InvalidUrnError, IndexError):  # as in short
        return ""


def _column(urn: str) -> tuple[str, str]:
    """Table and column of a schema field's URN."""
    try:
        table, column = Urn.from_string(urn).entity_ids
        return short(table)["name"], column
    except (InvalidUrnError, ValueError):  # as in short
        return "", urn


@router.get(auth.LOGIN)
def login_form(request: Request, to: str = "/") -> Response:
    """The form for the token."""
    return _page(request, "login.html", to=to, wrong=False)


@router.post(auth.LOGIN)
def login(request: Request, token: Annotated[str, Form()], to: Annotated[str, Form()] = "/") -> Response:
    """Start a session when the token is right."""
    expected: str = request.app.state.settings.token
    if not auth.same(token.strip(), expected):
        return _page(request, "login.html", HTTPStatus.UNAUTHORIZED, to=to, wrong=True)
    # Only paths of our own: `//host` and `/\host` would lead elsewhere.
    place = to if to.startswith("/") and not to.startswith(("//", "/\\")) else "/"
    answer = RedirectResponse(place, HTTPStatus.SEE_OTHER, headers=HEADERS)
    answer.set_cookie(
        auth.COOKIE, auth.new_session(expected), max_age=auth.SESSION_SECONDS, httponly=True, samesite="strict"
    )
    return answer


@router.post("/logout")
def logout() -> Response:
    """Forget the session in this browser."""
    answer = RedirectResponse(auth.LOGIN, HTTPStatus.SEE_OTHER, headers=HEADERS)
    answer.delete_cookie(auth.COOKIE, httponly=True, samesite="strict")
    return answer
