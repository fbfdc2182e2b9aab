"""A dataset that was added by docs/how-to/add-a-dataset.md goes the same way as the first one, and leaves it alone."""

from __future__ import annotations

import csv
from pathlib import Path
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


@pytest.mark.deep
def test_a_list_that_lost_its_leading_zeros_takes_no_currency_away_unless_somebody_says_so(
    platform: Running, tmp_path: Path
) -> None:
    resaved, restored = tmp_path / "resaved.csv", tmp_path / "restored.csv"
    text = REFERENCE.read_text(encoding="utf-8")
    assert "AUD,036," in text
    resaved.write_text(text.replace("AUD,036,", "AUD,36,"), encoding="utf-8")
    # Another content, or it would be the file that is there.
    restored.write_text(text + "\n", encoding="utf-8")

    def dollars(trino: Trino) -> list[list[Any]]:
        return trino.rows("select numeric_code from marts.currencies where currency = 'AUD'")

    with Trino(platform.target.address("trino", "http").url, 120, "lakehouse") as trino:
        assert dollars(trino) == [["036"]]
        platform.bootstrap("ingest", "currencies", str(resaved))
        output = platform.bootstrap("run", "pipelines_currencies", check=False).stdout
        assert "changes more than its contract allows" in output
        assert "1 of 43 values of currency are gone (2.3 %): AUD" in output
        assert dollars(trino) == [["036"]]
        # The next run is green, and knows why the file was left out.
        platform.bootstrap("run", "pipelines_currencies")
        reasons = trino.rows("select reason from raw.quarantine where source_file = 'resaved.csv' and row_number = 0")
        assert [reason.startswith("set aside: keysGone of marts.currencies") for (reason,) in reasons] == [True]
        platform.bootstrap("files", "accept", "currencies", "resaved.csv", "--why", "a test of the platform")
        platform.bootstrap("run", "pipelines_currencies")
        assert dollars(trino) == []
        listed = platform.bootstrap("files", "list", "currencies").stdout
        assert "a test of the platform" in listed
        platform.bootstrap("ingest", "currencies", str(restored))
        platform.bootstrap("run", "pipelines_currencies")
        assert dollars(trino) == [["036"]]
