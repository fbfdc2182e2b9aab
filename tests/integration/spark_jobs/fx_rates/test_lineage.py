"""What the lineage catalog is told of a load, and that it cannot hold one up."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from spark_jobs.loading import tables
from tests.integration.spark_jobs.rawzone import RawZone, Taken

pytestmark = pytest.mark.enable_socket
_PREFIX = "spark.openlineage."


class _Catalog(BaseHTTPRequestHandler):
    events: ClassVar[list[dict[str, Any]]]
    headers_seen: ClassVar[list[str | None]]
    wait: ClassVar[Callable[[], object]]

    def do_POST(self) -> None:
        """Take an event."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.wait()
        self.events.append(json.loads(body))
        self.headers_seen.append(self.headers["Authorization"])
        self.send_response(201)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def catalog(raw: RawZone, wait: Callable[[], object] = lambda: None) -> Iterator[type[_Catalog]]:
    """A lineage catalog that waits before it answers, and Spark told of it."""
    handler = type("Handler", (_Catalog,), {"events": [], "headers_seen": [], "wait": staticmethod(wait)})
    settings = raw.spark.sparkContext._jsc.sc().conf()
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        values = {
            "namespace": "data-platform",
            "transport.type": "http",
            "transport.url": f"http://127.0.0.1:{server.server_port}",
            "transport.auth.type": "api_key",
            "transport.auth.apiKey": "Secret-Token",
            "transport.timeoutInMillis": "2000",
            "jobName.appendDatasetName": "false",
            "dataset.removePath.pattern": "(.*)(?<remove>/[0-9a-f]{64}[.][a-z]+)",
        }
        for key, value in values.items():
            settings.set(_PREFIX + key, value)
        try:
            yield handler
        finally:
            for key in values:
                settings.remove(_PREFIX + key)
            server.shutdown()


def test_the_catalog_is_told_where_each_column_comes_from_and_nothing_of_bookkeeping(raw: RawZone) -> None:
    with catalog(raw) as told:
        raw.load(Taken(b"Date,USD\n2026-10-30,1.1\n2026-10-29,x\n"), Taken(b"Date,JPY\n2026-10-28,170\n"))
    done = [event for event in told.events if event["eventType"] == "COMPLETE"]
    assert done
    assert {event["job"]["name"].partition(".")[2] for event in done} == {"append_data"}
    outputs = [output for event in done for output in event["outputs"]]
    assert {link["name"] for o in outputs for link in o["facets"]["symlinks"]["identifiers"]} == {
        f"raw.{raw.dataset.name}"
    }
    inputs = {i["name"] for event in done for i in event["inputs"] if "symlinks" not in i["facets"]}
    assert inputs == {f"{raw.folder}/{raw.dataset.name}"}, "the raw objects are not one data set"
    columns = outputs[-1]["facets"]["columnLineage"]["fields"]
    for column in ("rate_date", "currency", "rate"):
        direct = {
            (source["name"], source["field"])
            for source in columns[column]["inputFields"]
            if any(how["type"] == "DIRECT" for how in source["transformations"])
        }
        assert direct == {(f"{raw.folder}/{raw.dataset.name}", "value")}
    assert set(told.headers_seen) == {"Bearer Secret-Token"}


def test_a_load_that_changes_nothing_tells_nothing(raw: RawZone) -> None:
    file = Taken(b"Date,USD\n2026-10-30,1.1\n")
    raw.load(file)
    with catalog(raw) as told:
        raw.load(file)
    assert told.events == []


def test_a_catalog_that_does_not_answer_holds_up_a_load_for_seconds_only(
    raw: RawZone, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raw.load(Taken(b"Date,USD\n2026-10-30,1.1\n"))
    # Less than the listener waits for one answer: that the load goes on is seen by what it says.
    monkeypatch.setattr(tables, "_LISTENERS_MS", 1000)
    over = threading.Event()
    with catalog(raw, wait=lambda: over.wait(60)):
        try:
            assert raw.load(Taken(b"Date,USD\n2026-10-29,1.1\n"))["changed_days"] == 1
        finally:
            over.set()
    assert "lineage is incomplete: the catalog takes too long to answer" in capsys.readouterr().out
    assert len(raw.rows()) == 2
