"""The pages as a FastAPI application inside Airflow's API server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.core_api.security import requires_access_view
from fastapi import Depends, FastAPI
from fastapi.responses import HTMLResponse, Response

from data_platform.pages.day import day_of
from data_platform.pages.render import render
from data_platform.pages.reports import report
from data_platform.stack.errors import PlatformError
from data_platform.stack.lake import CATALOG

T = TypeVar("T")


def make_app() -> FastAPI:
    """The application; each page needs the login of somebody who may see Airflow's cluster activity."""
    app = FastAPI(
        title="Data Platform",
        dependencies=[Depends(requires_access_view(AccessView.CLUSTER_ACTIVITY))],
        openapi_url=None,
    )
    app.get("/", response_class=HTMLResponse)(overview)
    app.get("/health", response_class=HTMLResponse)(health)
    app.get("/data", response_class=HTMLResponse)(data)
    app.get("/reports/{key:path}", response_class=Response)(report)
    return app


def overview() -> HTMLResponse:
    """Every component by namespace: version, state, newest checks, address."""
    from data_platform import summary
    from data_platform.targets.current import current

    target = current()
    found = summary.describe(target)
    return render(
        "overview.html",
        platform=found,
        groups=by_namespace(target.stack.parts, found["components"], lambda one: one["namespace"]),
        namespaces=target.stack.parts,
        name=target.stack.file.name,
        healthy=summary.is_healthy(found),
    )


def by_namespace(
    namespaces: Mapping[str, str], things: Iterable[T], namespace_of: Callable[[T], str]
) -> dict[str, list[T]]:
    """Things in groups, in the order of the namespaces; without those that have none.

    Args:
        namespaces: by name, as `Stack.parts` has them; one that is not among them comes last.
        things: in the order that they have in their group.
        namespace_of: the namespace of one.
    """
    groups: dict[str, list[T]] = {name: [] for name in namespaces}
    for thing in things:
        groups.setdefault(namespace_of(thing), []).append(thing)
    return {name: group for name, group in groups.items() if group}


def health() -> HTMLResponse:
    """The pipelines, and the last day of checks hour by hour."""
    from data_platform.datasets import pipelines
    from data_platform.records import results
    from data_platform.targets.current import current

    target = current()
    now = datetime.now(UTC)
    declared = [
        (name, check.name) for name, item in target.stack.components.items() for check in item.component.all_checks
    ]
    try:
        kept = results.since(target, 24)
    except PlatformError as error:
        return render("health_unknown.html", 503, name=target.stack.file.name, problem=str(error))
    day, namespaces = day_of(declared, kept, now), target.stack.parts
    return render(
        "health.html",
        name=target.stack.file.name,
        now=now,
        pipelines=pipelines.look(target, now),
        day=day,
        groups=by_namespace(namespaces, day.rows, lambda row: target.stack.components[row.component].part),
        namespaces=namespaces,
    )


def data() -> HTMLResponse:
    """Every dataset: its pipeline, newest load, rows, what was refused, and where to read more."""
    from data_platform.pages.datasets import describe
    from data_platform.targets.current import current

    target = current()
    found = describe(target)
    return render("data.html", name=target.stack.file.name, catalog=CATALOG, **found._asdict())
