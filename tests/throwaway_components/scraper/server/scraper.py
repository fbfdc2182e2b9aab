"""Scrapes what a file lists, each time that it is asked for its own metrics."""

from __future__ import annotations

import base64
import json
import os
import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_SECONDS = 10.0
#: The servers are on this machine, or in this cluster.
_OPEN = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


def samples(scraped: dict[str, Any]) -> int:
    """How many samples a server has."""
    request = urllib.request.Request(scraped["url"], headers={"Accept": "application/openmetrics-text, text/plain"})
    if scraped["user"]:
        login = base64.b64encode(f"{scraped['user']}:".encode()).decode()
        request.add_header("Authorization", f"Basic {login}")
    with _OPEN(request, timeout=_SECONDS) as answer:
        lines = answer.read().decode().splitlines()
    return sum(1 for line in lines if line and not line.startswith("#"))


def told(everything: list[dict[str, Any]]) -> str:
    """What was found, as metrics."""
    lines = ["# TYPE scraper_up gauge", "# TYPE scraper_samples gauge"]
    for scraped in everything:
        try:
            found, up = samples(scraped), 1
        except OSError:
            found, up = 0, 0
        labels = f'{{component="{scraped["component"]}"}}'
        lines += [f"scraper_up{labels} {up}", f"scraper_samples{labels} {found}"]
    return "\n".join([*lines, ""])


class Handler(BaseHTTPRequestHandler):
    """Two pages."""

    everything: list[dict[str, Any]]

    def do_GET(self) -> None:
        """Answer."""
        pages = {"/health": lambda: "scraping\n", "/metrics": lambda: told(self.everything)}
        page = pages.get(self.path)
        content = page().encode() if page else b"there is no such page\n"
        self.send_response(200 if page else 404)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing."""


if __name__ == "__main__":
    Handler.everything = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    place = os.environ["BIND"], int(os.environ["SCRAPER_HTTP_PORT"])
    ThreadingHTTPServer(place, Handler).serve_forever()
