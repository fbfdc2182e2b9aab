"""Templates to answers."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi.responses import HTMLResponse

from data_platform import times
from data_platform.pages import PREFIX

if TYPE_CHECKING:
    from markupsafe import Markup

_TEMPLATES = Path(__file__).parent / "templates"
#: Nothing from elsewhere, and no script but the one that is named by its digest: that of the page's times.
_POLICY = (
    "default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'"
)


def render(template: str, status: int = 200, now: datetime | None = None, **values: Any) -> HTMLResponse:
    """A page of ours: never stored, values always as text, moments in the zone of whoever reads it.

    Templates write a moment by the filter `moment`, and a text with moments in it by the filter `told`: in UTC, and the
    page's script (times.js) then writes them in the reader's zone and keeps "3 min ago" true.

    Args:
        template: file in templates/.
        status: HTTP status.
        now: the time that the page is of; the present when it is None.
        values: what the template shows.
    """
    import jinja2

    now = now or datetime.now(UTC)
    engine = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    engine.filters["moment"] = lambda at: _moment(at, now)
    engine.filters["told"] = lambda told: _told(told, now)
    engine.filters["utc"] = lambda at: f"{times.instant(at):%Y-%m-%dT%H:%M:%SZ}"
    script = engine.get_template("times.js").render(units=times.UNITS)
    shown = {"name": "data-platform", "prefix": PREFIX, **values, "now": now, "script": script}
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    headers = {"Content-Security-Policy": _POLICY.format(digest=digest), "Cache-Control": "no-store"}
    return HTMLResponse(engine.get_template(template).render(shown), status_code=status, headers=headers)


def _moment(said: str | datetime, now: datetime) -> Markup:
    from markupsafe import Markup

    at = times.instant(said)
    return Markup('<time datetime="{}" title="{}">{} ({})</time>').format(
        f"{at:%Y-%m-%dT%H:%M:%SZ}", f"{at:%Y-%m-%d %H:%M:%S} UTC", f"{at:%Y-%m-%d %H:%M} UTC", times.ago(at, now)
    )


def _told(told: times.Told, now: datetime) -> Markup:
    from markupsafe import Markup, escape

    return Markup("").join(escape(part) if isinstance(part, str) else _moment(part, now) for part in told)
