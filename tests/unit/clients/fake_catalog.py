"""A catalog that holds a graph and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Self

from data_platform.clients.datahub import Lineage
from data_platform.clients.lineage_graph import field, urn

FLOW = "urn:li:dataFlow:"


def job(platform: str, name: str) -> str:
    """URN of a job."""
    return f"urn:li:dataJob:({FLOW}({platform},flow,PROD),{name})"


TAKE, PUT = job("nifi", "take"), job("nifi", "put")
SPARK, LOAD, PUBLISH = job("spark", "append"), job("airflow", "load"), job("airflow", "publish")
LANDING, RAW, TABLE = urn("file:landing/x"), urn("s3:raw/x"), urn("iceberg:lakehouse.raw.x")
SOURCE, MODEL, MART = urn("dbt:lakehouse.raw.x"), urn("dbt:lakehouse.marts.m"), urn("iceberg:lakehouse.marts.m")


class FakeCatalog:
    """The way of one dataset, complete until a test takes something away."""

    def __init__(self) -> None:
        self.graph = {
            (LANDING, TAKE), (TAKE, PUT), (PUT, RAW), (RAW, SPARK), (SPARK, TABLE), (RAW, TABLE), (RAW, LOAD),
            (LOAD, TABLE), (TABLE, SOURCE), (SOURCE, MODEL), (MODEL, MART), (LOAD, PUBLISH), (PUBLISH, MART),
        }  # fmt: skip
        self.columns = {
            TABLE: {("s3:raw/x#value", "iceberg:lakehouse.raw.x#rate")},
            SOURCE: {("iceberg:lakehouse.raw.x#rate", "dbt:lakehouse.raw.x#rate")},
            MODEL: {("dbt:lakehouse.raw.x#rate", "dbt:lakehouse.marts.m#high")},
            MART: {("dbt:lakehouse.marts.m#high", "iceberg:lakehouse.marts.m#high")},
        }

    def __call__(self, url: str, token: str, seconds: float) -> Self:
        assert (url, token) == ("http://127.0.0.1:1", "secret")
        assert seconds > 0
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def edges(self, urns: Iterable[str], downstream: bool) -> set[tuple[str, str]]:
        wanted = set(urns)
        return {edge for edge in self.graph if edge[0 if downstream else 1] in wanted}

    def lineage(self, dataset: str) -> Lineage:
        pairs = {(field(up), field(down)) for up, down in self.columns.get(dataset, ())}
        return Lineage(frozenset(), frozenset(pairs))
