"""The check `lineage_path`: each edge that is taken away or added is seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from data_platform.checks.base import Address, CheckFailed, Deadline
from data_platform.checks.lineage_path import Params, check
from data_platform.clients import datahub as client
from data_platform.clients.lineage_graph import urn
from data_platform.stack.load import load_stack
from tests.unit.clients import fake_catalog as fake

PARAMS = Params.model_validate(
    {
        "grace": 0,
        "edges": [
            {"source": "file:landing/x", "target": "s3:raw/x", "by": "nifi"},
            {"source": "s3:raw/x", "target": "iceberg:lakehouse.raw.x", "by": "spark"},
            {"source": "s3:raw/x", "target": "iceberg:lakehouse.raw.x", "by": "airflow"},
            {"source": "iceberg:lakehouse.raw.x", "target": "iceberg:lakehouse.marts.m", "by": "dbt"},
        ],
        "columns": [
            {"source": "iceberg:lakehouse.raw.x#rate", "target": "iceberg:lakehouse.marts.m#high", "by": "dbt"}
        ],
    }
)


class Place:
    stack = load_stack(Path(__file__).parents[3])

    """A platform with a catalog."""

    def address(self, component: str, endpoint: str) -> Address:
        assert (component, endpoint) == ("lineage-catalog", "http")
        return Address("127.0.0.1", 1, "http://127.0.0.1:1")

    def credentials(self, holder: str) -> dict[str, str]:
        assert holder == "pipelines"
        return {"datahub_token": "secret"}


@pytest.fixture
def catalog(monkeypatch: pytest.MonkeyPatch) -> fake.FakeCatalog:
    made = fake.FakeCatalog()
    monkeypatch.setattr(client, "DataHub", made)
    return made


def run() -> str:
    place: Any = Place()
    return check(PARAMS, place, Deadline(5))


@pytest.mark.usefixtures("catalog")
def test_a_complete_way_is_told() -> None:
    evidence = run()
    assert evidence.startswith("4 edges and 1 columns: file:landing/x -> s3:raw/x (nifi), ")


@pytest.mark.parametrize(
    ("edge", "message"),
    [
        ((fake.LANDING, fake.TAKE), r"file:landing/x -> s3:raw/x: no way through nifi; see that NiFi's flow ran"),
        ((fake.TAKE, fake.PUT), "no way through nifi"),
        ((fake.SPARK, fake.TABLE), "no way through spark; see the log of the load"),
        ((fake.RAW, fake.LOAD), "no way through airflow; see inlets and outlets"),
        ((fake.MODEL, fake.MART), "no way through dbt; see that the documentation was published"),
    ],
)
def test_each_missing_edge_is_named_with_its_emitter(
    catalog: fake.FakeCatalog, edge: tuple[str, str], message: str
) -> None:
    catalog.graph.remove(edge)
    with pytest.raises(CheckFailed, match=message) as caught:
        run()
    assert len(str(caught.value).splitlines()) == 1


def test_an_edge_that_comes_a_little_later_is_waited_for(
    catalog: fake.FakeCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    late, asked = (fake.RAW, fake.LOAD), []
    catalog.graph.remove(late)
    told = catalog.edges

    def edges(urns: Any, downstream: bool) -> Any:
        asked.append(urns)
        if len(asked) == 10:
            catalog.graph.add(late)
        return told(urns, downstream)

    monkeypatch.setattr(catalog, "edges", edges)
    place: Any = Place()
    assert check(PARAMS.model_copy(update={"grace": 5.0}), place, Deadline(5))


def test_a_missing_column_is_named(catalog: fake.FakeCatalog) -> None:
    catalog.columns[fake.MODEL].clear()
    with pytest.raises(CheckFailed, match=r"raw.x#rate -> iceberg:lakehouse.marts.m#high: not known of that column"):
        run()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda c: c.graph.add((urn("trino:elsewhere.m"), fake.MART)),
        lambda c: c.graph.update({(urn("s3:raw/x/1.csv"), fake.SPARK)}),
        lambda c: c.graph.update({(urn("iceberg:lakehouse.raw.old"), fake.MODEL)}),
    ],
)
def test_a_source_that_nobody_declared_is_a_failure(
    catalog: fake.FakeCatalog, spoil: Callable[[fake.FakeCatalog], None]
) -> None:
    spoil(catalog)
    with pytest.raises(CheckFailed, match="which is not declared"):
        run()
    place: Any = Place()
    assert check(PARAMS.model_copy(update={"closed": False}), place, Deadline(5))


def test_an_empty_catalog_fails_everything(catalog: fake.FakeCatalog) -> None:
    catalog.graph.clear()
    catalog.columns.clear()
    with pytest.raises(CheckFailed) as caught:
        run()
    assert len(str(caught.value).splitlines()) == len(PARAMS.edges) + len(PARAMS.columns)


@pytest.mark.parametrize(
    "wrong",
    [
        {"edges": []},
        {"edges": [{"source": "landing/x", "target": "s3:raw/x", "by": "nifi"}]},
        {"edges": [{"source": "file:landing/x", "target": "s3:raw/x", "by": "nobody"}]},
    ],
)
def test_wrong_arguments_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Params.model_validate(wrong)
