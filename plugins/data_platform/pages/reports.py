"""What runs publish for people (bucket `reports`), served under Airflow's login.

The pages are made from data, so they are kept apart from the session of whoever reads them: each is alone in an origin
of its own (`sandbox`), may run the scripts that it brings (dbt's documentation is one), and can reach nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from fastapi import Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse

from data_platform.pages.render import render
from data_platform.stack.holders import PAGES
from data_platform.stack.lake import REPORTS

if TYPE_CHECKING:
    from minio import Minio

_SECONDS = 10.0
#: Types by the end of the name, whatever the object says of itself; others are downloads.
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
_HEADERS = {
    # dbt's documentation compiles its templates in the browser: unsafe-eval. Nothing can be fetched or sent.
    "Content-Security-Policy": (
        "sandbox allow-scripts allow-popups; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; "
        "style-src 'unsafe-inline'; img-src data: blob:; font-src data:; form-action 'none'; base-uri 'none'; "
        "frame-ancestors 'self'"
    ),
    # Kept by the browser and asked for again each time, with the tag.
    "Cache-Control": "private, no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
#: One part of a key: no part begins with a dot, so none goes up.
_PART = re.compile(r"[\w()=+-][\w.()=+ -]*")


def report(key: str, request: Request) -> Response:
    """One object of the bucket, or a page that says that there is none."""
    from data_platform.clients import connect
    from data_platform.targets.current import current

    key = f"{key}index.html" if key.endswith("/") else key
    if not is_key(key):
        return _missing(key)
    try:
        store = connect.s3(current(), PAGES, _SECONDS)
        return _answer(store, key, request.headers)
    except Exception as error:  # noqa: BLE001 - whatever keeps the store from answering is said to the reader
        return _away(error)


def is_key(key: str) -> bool:
    """Whether a path can be the key of a report: parts of plain characters, none of which leads elsewhere."""
    return all(_PART.fullmatch(part) for part in key.split("/"))


def _answer(store: Minio, key: str, asked: Mapping[str, str]) -> Response:
    from data_platform.clients import s3

    found = s3.stream(store, REPORTS, key)
    if found is None:
        return _missing(key)
    headers = {**_HEADERS, "ETag": f'"{found.etag}"'}
    if found.etag in re.findall(r'"([^"]*)"', asked.get("if-none-match", "")):
        found.close()
        return Response(status_code=304, headers=headers)
    kind = next((kind for end, kind in _TYPES.items() if key.endswith(end)), "")
    headers["Content-Length"] = str(found.size)
    if not kind:
        headers["Content-Disposition"] = "attachment"
    return StreamingResponse(found.chunks(), headers=headers, media_type=kind or "application/octet-stream")


def _missing(key: str) -> HTMLResponse:
    dataset = key.partition("/")[0] if is_key(key) else ""
    return render("report_missing.html", 404, key=key, dataset=dataset)


def _away(error: Exception) -> HTMLResponse:
    return render("report_away.html", 503, problem=f"{type(error).__name__}: {error}"[:300])
