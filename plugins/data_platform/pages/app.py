"""The pages as a FastAPI application inside Airflow's API server."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.core_api.security import requires_access_view
from fastapi import Depends, FastAPI
from fastapi.responses import HTMLResponse, Response

from data_platform.pages.day import day_of
from data_platform.pages.render import render
from data_platform.pages.reports import report
from data_platform.stack.errors import PlatformError
from data_platform.stack.lake import CATALOG


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
    """Every component: version, state, newest checks, address."""
    from data_platform import summary
    from data_platform.targets.current import current

    target = current()
    found = summary.describe(target)
    return render("overview.html", platform=found, name=target.stack.file.name, healthy=summary.is_healthy(found))


def health() -> HTMLResponse:
    """The last day of checks, hour by hour."""
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
    return render("health.html", name=target.stack.file.name, day=day_of(declared, kept, now))


def data() -> HTMLResponse:
    """Every dataset: newest load, rows, what was refused, and where to read more."""
    from data_platform.pages.datasets import describe
    from data_platform.targets.current import current

    target = current()
    found = describe(target)
    return render("data.html", name=target.stack.file.name, catalog=CATALOG, **found._asdict())
