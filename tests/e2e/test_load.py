"""The Spark job of `fx_rates` on the real platform: the object store, the table catalog, and Trino to read with.

It loads into a branch to try things on, from a folder of its own in the raw zone; nothing of it is left.
"""

from __future__ import annotations

import hashlib
import io
import json
import uuid
from collections.abc import Iterator
from datetime import date, timedelta
from importlib.resources import files
from typing import Any
from zipfile import ZipFile

import pytest

from data_platform.checks.base import Deadline
from data_platform.clients import s3
from data_platform.clients.nessie import Nessie, Table
from data_platform.clients.trino import Trino
from data_platform.datasets.audit import branch_of, discard, open_audit
from tests.integration.spark_jobs.fx_rates import reference
from tests.lake import lab
from tests.running import Running

pytestmark = [pytest.mark.timeout(1800), pytest.mark.deep]
_SECONDS = 600.0
_BUCKET = "raw"
_TAKEN = "2026-11-02T12:00:00.000Z"


class Load:
    """A raw zone and a branch for one test."""

    def __init__(self, platform: Running) -> None:
        self.target = platform.target
        self.folder = f"load_test_{uuid.uuid4().hex[:8]}"
        self.dataset = lab(platform)
        self.branch = branch_of(self.dataset)
        keys = self.target.credentials("s3")
        self.store = s3.client(self.target.address("s3", "http").url, keys["access_key"], keys["secret_key"], 60.0)

    def put(self, key: str, content: bytes) -> str:
        """Store an object in the test's folder and return its key there."""
        self.store.put_object(_BUCKET, f"{self.folder}/{key}", io.BytesIO(content), len(content))
        return key

    def run(self, *contents: bytes) -> dict[str, Any]:
        """Load files and return what the job says."""
        digests = [hashlib.sha256(content).hexdigest() for content in contents]
        named = [
            {
                "object": self.put(f"fx_rates/{sha256}.csv", content),
                "sha256": sha256,
                "source_file": "history.csv",
                "ingested_at": _TAKEN,
                "bytes": len(content),
            }
            for sha256, content in zip(digests, contents, strict=True)
        ]
        manifest = {"dataset": "fx_rates", "run": "r", "days": {}, "files": named, "refused": []}
        key = self.put("_manifests/fx_rates/r.json", json.dumps(manifest).encode())
        settings = {
            "spark.sql.catalog.lakehouse.ref": self.branch,
            "spark.sql.catalog.published.ref": self.branch,
            # Nobody listens on port 9 of this machine: a lineage catalog that is gone must not matter.
            "spark.openlineage.transport.url": "http://127.0.0.1:9",
        }
        options = [word for setting in settings.items() for word in ("--conf", "=".join(setting))]
        arguments = [*options, "spark_jobs/fx_rates/load.py", "--manifest", f"s3a://{_BUCKET}/{self.folder}/{key}"]
        done = self.target.run_tool("spark", "submit", arguments, _SECONDS)
        print(done.output)
        assert done.returncode == 0, done.output
        last = done.output.strip().splitlines()[-1]
        assert last.startswith("RESULT ")
        found: dict[str, Any] = json.loads(last.removeprefix("RESULT "))
        return found

    def rows(self, sql: str) -> list[list[Any]]:
        """What Trino reads on the branch."""
        with Trino(self.target.address("trino", "http").url, _SECONDS, catalog=self.branch) as trino:
            return trino.rows(sql)

    def tables(self) -> dict[str, Table]:
        """State of all tables on the branch."""
        with Nessie(self.target.address("nessie", "http").url, 60.0) as nessie:
            return nessie.tables(self.branch)


@pytest.fixture
def load(platform: Running) -> Iterator[Load]:
    """A branch of main for one test."""
    there = Load(platform)
    open_audit(there.target, there.dataset, Deadline(120))
    try:
        yield there
    finally:
        discard(there.target, there.dataset, Deadline(120))
        for item in there.store.list_objects(_BUCKET, f"{there.folder}/", recursive=True):
            there.store.remove_object(_BUCKET, item.object_name)


def test_the_history_is_what_trino_reads_and_a_second_load_commits_nothing(load: Load) -> None:
    with ZipFile(str(files("currency_converter") / "eurofxref-hist.zip")) as bundle:
        content = _long_ago(bundle.read("eurofxref-hist.csv"))
    days = reference.read(content, date(2026, 11, 2)).days
    expected = sorted([day, code, rate] for day, rates in days.items() for code, rate in rates.items())
    assert len(expected) > 200_000

    result = load.run(content)

    assert (result["rows"], result["changed_days"], result["quarantined"]) == (len(expected), len(days), 0)
    between = f"between date '{min(days)}' and date '{max(days)}'"
    assert (
        sorted(load.rows(f"select rate_date, currency, rate from raw.fx_rates where rate_date {between}")) == expected
    )
    digest = hashlib.sha256(content).hexdigest()
    ledger = f"select rows, days, quarantined from raw.fx_rates_files where sha256 = '{digest}'"
    assert load.rows(ledger) == [[len(expected), len(days), 0]]
    tables = load.tables()
    assert "raw.fx_rates" in tables
    assert load.run(content) == {**result, "changed_days": 0}
    assert load.tables() == tables


def _long_ago(content: bytes) -> bytes:
    """The same rates a hundred years earlier, on days that main does not have."""
    header, *rows = content.decode().splitlines(keepends=True)
    earlier = (f"{date.fromisoformat(row[:10]) - timedelta(days=36525)}{row[10:]}" for row in rows)
    return "".join([header, *earlier]).encode()
