"""The catalog after the pipeline has run: its declared way is there, and a part that is taken away is missed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from data_platform.checks.base import CheckFailed, Deadline
from data_platform.checks.lineage_path import Params, check
from data_platform.clients import lineage_graph as graph
from data_platform.clients.datahub import DataHub
from tests.running import Running

pytestmark = pytest.mark.timeout(3600)

#: Seconds of one look at the catalog, or of telling it.
_SECONDS = 300.0

LANDING, RAW = "file:landing/fx_rates", "s3:raw/fx_rates"
LOADED, STAGED = "iceberg:lakehouse.raw.fx_rates", "iceberg:lakehouse.staging.stg_fx_rates"
DAILY, MONTHLY = "iceberg:lakehouse.marts.fx_rates_daily", "iceberg:lakehouse.marts.fx_currency_monthly"
#: The path that users are promised; what the DAG's own check declares may be more.
WAY = Params.model_validate(
    {
        "closed": False,
        "grace": 1,
        "edges": [
            {"source": LANDING, "target": RAW, "by": "nifi"},
            {"source": RAW, "target": LOADED, "by": "spark"},
            {"source": RAW, "target": LOADED, "by": "airflow"},
            {"source": LOADED, "target": STAGED, "by": "dbt"},
            {"source": STAGED, "target": DAILY, "by": "dbt"},
            {"source": DAILY, "target": MONTHLY, "by": "dbt"},
        ],
        "columns": [
            # Spark reads whole lines.
            {"source": f"{RAW}#value", "target": f"{LOADED}#rate", "by": "spark"},
            {"source": f"{LOADED}#rate", "target": f"{DAILY}#rate", "by": "dbt"},
            {"source": f"{LOADED}#currency", "target": f"{MONTHLY}#currency", "by": "dbt"},
        ],
    }
)


@pytest.fixture
def catalog(platform: Running) -> Iterator[DataHub]:
    """A session with the platform's catalog."""
    target = platform.target
    url, token = target.address("datahub", "http").url, target.credentials("datahub")["token"]
    with DataHub(url, token, 30) as opened:
        yield opened


def test_the_way_from_the_landed_file_to_the_marts_is_known(platform: Running) -> None:
    assert check(WAY, platform.target, Deadline(_SECONDS)).startswith("6 edges and 3 columns")


def test_a_part_that_is_taken_away_is_missed_and_sent_again(platform: Running, catalog: DataHub) -> None:
    from data_platform.datasets.lineage import emit_dbt_lineage

    model = graph.urn("dbt:lakehouse.marts.fx_rates_daily")
    catalog.remove(model)
    try:
        with pytest.raises(CheckFailed, match=r"stg_fx_rates -> \S+fx_rates_daily: no way through dbt"):
            check(WAY, platform.target, Deadline(_SECONDS))
    finally:
        emit_dbt_lineage(platform.target, "fx_rates", Deadline(_SECONDS))
    assert check(WAY, platform.target, Deadline(_SECONDS))


def test_each_thing_has_one_name(catalog: DataHub) -> None:
    found = {end for edge in catalog.edges({graph.urn(p) for p in (RAW, LOADED, STAGED, DAILY)}, True) for end in edge}
    found |= {
        end for edge in catalog.edges({graph.urn(p) for p in (RAW, LOADED, STAGED, DAILY)}, False) for end in edge
    }
    assert found
    assert [urn for urn in found if ",audit_" in urn or "dataPlatform:trino," in urn or "/warehouse/" in urn] == []
    assert [urn for urn in found if "dataPlatform:s3,raw/fx_rates/" in urn] == []


def test_nifis_part_is_sent_as_often_as_it_is_asked_for(platform: Running) -> None:
    from data_platform.datasets.lineage import emit_nifi_lineage

    for _ in range(2):
        assert emit_nifi_lineage(platform.target, "fx_rates", Deadline(_SECONDS)).startswith("nifi: ")
