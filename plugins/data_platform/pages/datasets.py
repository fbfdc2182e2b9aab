"""The datasets at a glance: pipeline, newest load, size, what was refused, and where to read more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

from data_platform.clients import connect, dbt, s3
from data_platform.clients.trino import Trino
from data_platform.datasets import pipelines
from data_platform.datasets.pipeline_state import Pipeline, dag_of
from data_platform.stack import holders
from data_platform.stack.capabilities import LINEAGE_CATALOG, OBJECT_STORE, QUERY_ENGINE, TABLE_CATALOG
from data_platform.stack.lake import CATALOG, REPORTS, table

if TYPE_CHECKING:
    from data_platform.targets.base import Target

#: A page must not wait for a server that is away.
_SECONDS = 5.0
#: Published pages by their keys below the dataset's name.
PAGES = {
    "index.html": "Analysts' page",
    "expectations/index.html": "Data Docs",
    dbt.PAGE: "dbt documentation",
}


class Link(NamedTuple):
    """Where to read more; without an address it is not there yet."""

    name: str
    href: str


class Load(NamedTuple):
    """The newest file of a dataset that readers see."""

    source_file: str
    ingested_at: datetime
    loaded_at: datetime
    rows: int


class Tables(NamedTuple):
    """What the tables of a dataset say; the defaults are what is said of tables that are not there yet."""

    load: Load | None = None
    rows: int | None = None
    last_day: date | None = None
    quarantined_rows: int = 0
    quarantined_files: int = 0


class Dataset(NamedTuple):
    """One dataset."""

    name: str
    pipeline: Pipeline
    tables: Tables
    links: tuple[Link, ...]


class Datasets(NamedTuple):
    """All datasets; what could not be asked is said in `problems`."""

    datasets: tuple[Dataset, ...]
    problems: tuple[str, ...]


def describe(target: Target) -> Datasets:
    """Every dataset, as far as Airflow, Trino and the object store answer."""
    found = target.stack.datasets
    looked = {one.dataset: one for one in pipelines.look(target)}
    problems: list[str] = []
    known = _ask_trino(target, found, problems)
    there = _ask_store(target, found, problems)
    listed = (Dataset(name, looked[name], known.get(name, Tables()), _links(target, name, there)) for name in found)
    return Datasets(tuple(listed), tuple(problems))


def _ask_trino(target: Target, datasets: Sequence[str], problems: list[str]) -> dict[str, Tables]:
    try:
        with connect.trino(target, _SECONDS, CATALOG) as trino:
            return {name: _tables(trino, name) for name in datasets}
    except Exception as error:  # noqa: BLE001 - whatever it is, the page says it and shows the rest
        problems.append(
            f"The tables could not be read, so sizes and loads are unknown ({type(error).__name__}). "
            f"See the page Platform; {_check(target, QUERY_ENGINE, TABLE_CATALOG)} says more."
        )
        return {}


def _tables(trino: Trino, name: str) -> Tables:
    newest = trino.rows_if_there(
        f"select source_file, ingested_at, loaded_at, rows from raw.{name}_files "  # noqa: S608 - a folder's name
        "order by loaded_at desc, ingested_at desc limit 1"
    )
    days = trino.rows(
        "select column_name from information_schema.columns where table_schema = 'raw' "  # noqa: S608 - as above
        f"and table_name = '{name}' and data_type = 'date' order by ordinal_position limit 1"
    )
    newest_day = f"max({days[0][0]})" if days else "cast(null as date)"
    size = trino.rows_if_there(f"select count(*), {newest_day} from raw.{name}")  # noqa: S608 - as above
    refused = trino.rows_if_there(
        "select count(*), count(distinct source_file) from raw.quarantine "  # noqa: S608 - as above
        f"where dataset = '{name}' and quarantined_at > current_timestamp - interval '30' day"
    )
    rows, last_day = size[0] if size else (None, None)
    quarantined = refused[0] if refused else (0, 0)
    return Tables(Load(*newest[0]) if newest else None, rows, last_day, *quarantined)


def _ask_store(target: Target, datasets: Sequence[str], problems: list[str]) -> set[str]:
    """Keys of the published pages that are there."""
    store = connect.s3(target, holders.PAGES, _SECONDS)
    wanted = [f"{name}/{page}" for name in datasets for page in PAGES]
    try:
        return {key for key in wanted if s3.there(store, REPORTS, key)}
    except Exception as error:  # noqa: BLE001 - as above
        problems.append(
            f"The object store did not answer, so published pages are unknown ({type(error).__name__}). "
            f"See the page Platform; {_check(target, OBJECT_STORE)} says more."
        )
        return set()


def _check(target: Target, *capabilities: str) -> str:
    return f"python3 -m bootstrap check {' '.join(target.stack.resolve(each) for each in capabilities)}"


def _links(target: Target, name: str, there: set[str]) -> tuple[Link, ...]:
    published = [
        Link(title, f"reports/{name}/{page}" if f"{name}/{page}" in there else "") for page, title in PAGES.items()
    ]
    urn = f"urn:li:dataset:(urn:li:dataPlatform:iceberg,{table(f'raw.{name}')},PROD)"
    catalog = Link("Lineage", f"{target.public_url(LINEAGE_CATALOG, connect.HTTP)}/entity?{urlencode({'urn': urn})}")
    return (*published, catalog, Link("Runs in Airflow", f"/dags/{dag_of(name)}"))
