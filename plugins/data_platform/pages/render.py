"""Templates to answers."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse

_TEMPLATES = Path(__file__).parent / "templates"
#: No scripts, nothing from elsewhere; Airflow shows the pages in a frame of its own.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'",
    "Cache-Control": "no-store",
}


def render(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page of ours: never stored, without scripts, values always as text.

    Args:
        template: file in templates/.
        status: HTTP status.
        values: what the template shows.
    """
    import jinja2

    engine = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    values = {"name": "data-platform", **values}
    return HTMLResponse(engine.get_template(template).render(**values, now=now), status_code=status, headers=_HEADERS)
