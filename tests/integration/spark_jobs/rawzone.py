"""A raw zone in a folder: objects under their digests, and manifests of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from spark_jobs.loading.job import Dataset, load
from spark_jobs.loading.manifest import Manifest, parse

#: When a file was taken, unless a test says otherwise.
NOON = "2026-11-02T12:00:00.000Z"


@dataclass(frozen=True)
class Taken:
    """A file as it came."""

    content: bytes
    source_file: str = "rates.csv"
    ingested_at: str = NOON

    @property
    def sha256(self) -> str:
        """Digest of the content."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True)
class RawZone:
    """A folder that stands for the bucket, and where to load from it."""

    folder: Path
    spark: SparkSession
    dataset: Dataset

    @property
    def uri(self) -> str:
        """Root of the objects."""
        return self.folder.as_uri()

    def manifest(
        self,
        *files: Taken,
        days: Mapping[str, str] | None = None,
        refused: Sequence[Mapping[str, str]] = (),
        taken_back: Sequence[str] = (),
    ) -> Manifest:
        """Store files and name them."""
        named = []
        for file in files:
            path = self.folder / self.dataset.name / f"{file.sha256}.csv"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(file.content)
            named.append(
                {
                    "object": f"{self.dataset.name}/{path.name}",
                    "sha256": file.sha256,
                    "source_file": file.source_file,
                    "ingested_at": file.ingested_at,
                    "bytes": len(file.content),
                }
            )
        document = {"dataset": self.dataset.name, "run": "r", "days": days or {}, "files": named, "refused": refused}
        document["taken_back"] = list(taken_back)
        return parse(json.dumps(document), self.dataset.name)

    def load(
        self, *files: Taken, days: Mapping[str, str] | None = None, refused: Sequence[Mapping[str, str]] = ()
    ) -> dict[str, Any]:
        """Store files and load them in one run."""
        return load(self.spark, self.dataset, self.manifest(*files, days=days, refused=refused), self.uri)

    def take_back(self, *back: Taken, files: Sequence[Taken]) -> dict[str, Any]:
        """Forget files, and load the others again."""
        manifest = self.manifest(*files, taken_back=[file.sha256 for file in back])
        return load(self.spark, self.dataset, manifest, self.uri)

    def rows(self, columns: str = "rate_date, currency, rate") -> list[tuple[Any, ...]]:
        """Rows of the table, sorted."""
        return sorted(map(tuple, self.spark.sql(f"select {columns} from {self.dataset.table}").collect()))

    def quarantined(self) -> list[tuple[Any, ...]]:
        """What was refused of this dataset: file, row, reason and content."""
        found = self.spark.sql(
            "select source_file, row_number, reason, content from published.raw.quarantine "
            f"where dataset = '{self.dataset.name}'"
        )
        return sorted(map(tuple, found.collect()))

    def ledger(self) -> dict[str, tuple[int, int, int]]:
        """Rows, days and quarantined rows of each file that counts as loaded, by digest."""
        found = self.spark.sql(f"select sha256, rows, days, quarantined from {self.dataset.ledger}").collect()
        assert len({row["sha256"] for row in found}) == len(found), "a file is in the ledger twice"
        return {row["sha256"]: (row["rows"], row["days"], row["quarantined"]) for row in found}

    def commits(self) -> dict[str, int]:
        """How many snapshots each table has."""
        tables = (self.dataset.table, self.dataset.ledger, self.dataset.deciders, "published.raw.quarantine")
        return {table: self.spark.table(f"{table}.snapshots").count() for table in tables}
