"""Audits on a real platform's lakehouse, on the branches to try things on, and a look at what its readers see."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import trino.exceptions

from data_platform.checks.base import Deadline
from data_platform.checks.scratch import BUCKET, FOLDER, drop_table, object_store, scratch_name
from data_platform.claims.branch import Branch
from data_platform.clients.nessie import Nessie
from data_platform.clients.trino import Trino
from data_platform.datasets.audit import DATASET_PROPERTY, branch_of, discard, open_audit, publish
from data_platform.stack.lake import MAIN
from tests.running import ROOT, Running

#: Seconds until a step must be done.
SECONDS = 300.0


def lab(platform: Running, number: int = 0) -> str:
    """Name of a branch to try things on, as a dataset's. Whoever takes one begins it anew and leaves it empty."""
    claims = platform.target.stack.components["trino"].component.claims
    return [claim.name for claim in claims if isinstance(claim, Branch)][number]


class Lake:
    """Datasets on one platform, each a branch to try things on, and a look at what readers see."""

    def __init__(self, platform: Running) -> None:
        self.platform = platform
        self.target = platform.target
        self.trino_url = self.target.address("trino", "http").url
        self.trino = Trino(self.trino_url, SECONDS)
        self.nessie = Nessie(self.target.address("nessie", "http").url, SECONDS)
        self.store = object_store(self.target, Deadline(SECONDS))
        #: With the publications of those who had the branch before.
        self.datasets: dict[str, list[str]] = {}
        self.tables: list[str] = []
        self.trino.rows("create schema if not exists lakehouse.scratch")

    def dataset(self) -> str:
        """A dataset without anything of its own."""
        name = lab(self.platform, len(self.datasets))
        discard(self.target, name, Deadline(SECONDS))
        self.datasets[name] = self._commits(name)
        return name

    def table(self) -> str:
        """Name for a table in the schema `scratch`."""
        self.tables.append(scratch_name())
        return self.tables[-1]

    def open(self, dataset: str) -> str:
        return open_audit(self.target, dataset, Deadline(SECONDS))

    def publish(self, dataset: str, audited: str | None = None) -> str:
        return publish(self.target, dataset, Deadline(SECONDS), audited)

    def write(self, dataset: str, *tables: str, value: int) -> None:
        """Add a row to tables on the dataset's branch; they are made where they are not there."""
        for table in tables:
            name = f"{branch_of(dataset)}.scratch.{table}"
            self.trino.rows(f"create table if not exists {name} (value integer)")
            self.trino.rows(f"insert into {name} values {value}")

    def spark(self, dataset: str, table: str, rows: int) -> None:
        """Let Spark make a table on the dataset's branch."""
        conf = f"spark.sql.catalog.lakehouse.ref={branch_of(dataset)}"
        job = str(ROOT / "spark_jobs" / "platform_check" / "write_table.py")
        words = ["--conf", conf, job, "--table", f"lakehouse.scratch.{table}", "--rows", str(rows)]
        done = self.target.run_tool("spark", "submit", words, 300)
        assert done.returncode == 0, done.output

    def files(self, table: str) -> list[Any]:
        """Files of a table in the object store."""
        return list(self.store.list_objects(BUCKET, prefix=f"{FOLDER}{table}", recursive=True))

    def published(self, *tables: str, value: int = 1) -> str:
        """A dataset that has published a row in each of these tables."""
        dataset = self.dataset()
        self.open(dataset)
        self.write(dataset, *tables, value=value)
        self.publish(dataset)
        return dataset

    def values(self, table: str, catalog: str = "lakehouse") -> list[int] | None:
        """Rows of a table; None where there is no such table."""
        try:
            return [row[0] for row in self.trino.rows(f"select value from {catalog}.scratch.{table} order by 1")]
        except trino.exceptions.TrinoUserError as error:
            if error.error_name == "TABLE_NOT_FOUND":
                return None
            raise

    def commits(self, dataset: str) -> list[str]:
        """Commits of main that published the dataset since it was taken, the newest first."""
        return [commit for commit in self._commits(dataset) if commit not in self.datasets[dataset]]

    def is_open(self, dataset: str) -> bool:
        """Whether the branch has commits of its own."""
        return self.nessie.ahead(self.nessie.branches()[branch_of(dataset)], MAIN).commits

    def is_at_main(self, dataset: str) -> bool:
        """Whether the branch is where main is."""
        branches = self.nessie.branches()
        return branches[branch_of(dataset)] == branches[MAIN]

    def _commits(self, dataset: str) -> list[str]:
        return [commit.commit for commit in self.nessie.history(MAIN, {DATASET_PROPERTY: dataset})]

    def close(self) -> None:
        for dataset in self.datasets:
            discard(self.target, dataset, Deadline(SECONDS))
        for table in self.tables:
            drop_table(self.trino, self.store, table)


@pytest.fixture
def lake(platform: Running) -> Iterator[Lake]:
    lake = Lake(platform)
    with lake.trino, lake.nessie:
        yield lake
        lake.close()
