"""Nobody who reaches the table catalog is given its key of the object store, or has it sign a request for him."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from tests.running import Running

#: What clients of Iceberg's REST catalog ask for: keys for them, or signatures (Iceberg's open-api, loadTable).
DELEGATION = {"X-Iceberg-Access-Delegation": "vended-credentials,remote-signing"}
TABLE = "/iceberg/v1/main/namespaces/raw/tables/fx_rates"


@pytest.fixture
def nessie(platform: Running) -> Iterator[httpx.Client]:
    url = platform.target.address("nessie", "http").url
    with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
        yield client


def test_a_table_comes_without_keys(platform: Running, nessie: httpx.Client) -> None:
    known = json.loads((platform.folder / "credentials.json").read_text(encoding="utf-8"))
    keys = {value for entry in known.values() for key, value in entry.items() if key.endswith("secret_key")}
    assert len(keys) >= 8
    for path in ("/iceberg/v1/config", "/iceberg/v1/config?warehouse=lakehouse", TABLE, "/api/v2/config"):
        answer = nessie.get(path, headers=DELEGATION)
        assert answer.status_code == 200, f"{path}: {answer.text}"
        assert [key for key in keys if key in answer.text] == []
        for name in ("access-key", "secret-access-key", "session-token", "storage-credentials"):
            assert name not in answer.text, path


@pytest.mark.parametrize("uri", ["{store}/raw/fx_rates/x", "{store}/lakehouse/warehouse/raw/x", "{store}/reports/x"])
def test_it_signs_nothing(platform: Running, nessie: httpx.Client, uri: str) -> None:
    told = nessie.get(TABLE, headers=DELEGATION).json()["config"]
    assert told["s3.remote-signing-enabled"] == "false"
    assert [key for key in told if "sign" in key and key != "s3.remote-signing-enabled"] == []
    asked = {
        "region": "us-east-1",
        "uri": uri.format(store=platform.target.address("s3", "http").url),
        "method": "GET",
        "headers": {},
        "properties": {},
    }
    for query in ("", "?b=s3%3A%2F%2Flakehouse%2Fwarehouse&w=s3%3A%2F%2Flakehouse%2Fwarehouse"):
        answer = nessie.post(f"/iceberg/v1/main/s3-sign/raw.fx_rates{query}", json=asked)
        assert answer.status_code >= 400, answer.text
        assert "AWS4-HMAC" not in answer.text


@pytest.mark.parametrize("place", ["s3://raw/fx_rates/v1.metadata.json", "s3://reports/v1.metadata.json"])
def test_it_reads_no_object_outside_of_the_lakehouse(nessie: httpx.Client, place: str) -> None:
    asked = {"name": "scratch_stranger", "metadata-location": place}
    answer = nessie.post("/iceberg/v1/main/namespaces/raw/register", json=asked)
    # The store's answer to its user: with the root key it would look for the object.
    assert (answer.status_code, "Access Denied" in answer.text) == (403, True), answer.text
    assert nessie.get("/iceberg/v1/main/namespaces/raw/tables/scratch_stranger").status_code == 404
