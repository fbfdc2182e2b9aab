"""A dataset that was added by docs/how-to/add-a-dataset.md goes the same way as the first one, and leaves it alone."""

from __future__ import annotations

import csv
from typing import Any

import pytest

from data_platform.clients.trino import Trino
from tests.running import ROOT, Running

pytestmark = pytest.mark.timeout(1800)

REFERENCE = ROOT / "nifi_flows" / "currencies" / "reference.csv"
FIRST = ("raw.fx_rates", "raw.fx_rates_files", "marts.fx_rates_daily", "marts.fx_currency_monthly")


def states(trino: Trino) -> list[Any]:
    """The newest snapshot of each table of the first dataset."""
    tables = [name.split(".") for name in FIRST]
    return [trino.value(f'select max(snapshot_id) from {schema}."{name}$snapshots"') for schema, name in tables]


def test_the_second_dataset_is_published_and_the_first_one_untouched(platform: Running) -> None:
    with REFERENCE.open(encoding="utf-8", newline="") as file:
        _, *delivered = csv.reader(file)
    assert len(delivered) >= 43
    with Trino(platform.target.address("trino", "http").url, 120, "lakehouse") as trino:
        before = states(trino)
        platform.bootstrap("run", "pipelines_currencies")
        mart = trino.rows("select currency, numeric_code, name_fr, name_en from marts.currencies order by currency")
        unnamed = trino.value(
            "select count(*) from marts.fx_rates_daily r left join marts.currencies c on c.currency = r.currency"
            " where c.currency is null and r.origin = 'fixed'"
        )
        files = trino.rows("select source_file, rows, quarantined from raw.currencies_files")
        assert states(trino) == before
    assert mart == delivered
    assert unnamed == 0
    assert files == [["reference.csv", len(delivered), 0]]
