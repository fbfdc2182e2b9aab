"""The pages as a FastAPI application inside Airflow's API server."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.core_api.security import requires_access_view
from fastapi import Depends, FastAPI
from fastapi.responses import HTMLResponse

from data_platform.pages.day import day_of

PREFIX = "/data-platform"
_TEMPLATES = Path(__file__).parent / "templates"
#: No scripts, nothing from elsewhere; Airflow shows the pages in a frame of its own.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'",
    "Cache-Control": "no-store",
}


def make_app() -> FastAPI:
    """The application; each page needs the login of somebody who may see Airflow's cluster activity."""
    app = FastAPI(
        title="Data Platform",
        dependencies=[Depends(requires_access_view(AccessView.CLUSTER_ACTIVITY))],
        openapi_url=None,
    )
    app.get("/", response_class=HTMLResponse)(overview)
    app.get("/health", response_class=HTMLResponse)(health)
    return app


def overview() -> HTMLResponse:
    """Every component: version, state, newest checks, address."""
    from data_platform import summary
    from data_platform.targets.current import current

    target = current()
    found = summary.describe(target)
    return _page("overview.html", platform=found, name=target.stack.file.name, healthy=summary.is_healthy(found))


def health() -> HTMLResponse:
    """The last day of checks, hour by hour."""
    from data_platform.checks import history
    from data_platform.targets.current import current

    target = current()
    now = datetime.now(UTC)
    declared = [(name, check.name) for name, item in target.stack.components.items() for check in item.component.checks]
    return _page("health.html", name=target.stack.file.name, day=day_of(declared, history.since(target, 24), now))


def _page(template: str, **values: Any) -> HTMLResponse:
    import jinja2

    engine = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return HTMLResponse(engine.get_template(template).render(**values, now=now), headers=_HEADERS)
