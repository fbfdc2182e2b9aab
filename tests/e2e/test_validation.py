"""The tools of `analysis` on the running platform: published tables are judged, and broken ones name file and rule."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from data_platform.clients import s3
from data_platform.clients.trino import Trino
from tests.lake import lab
from tests.running import Running

pytestmark = pytest.mark.timeout(1800)
SECONDS = 600.0
#: What each mistake breaks: statement, rule of a suite, whether it names a file.
MISTAKES = [
    (
        "update raw.fx_rates set rate = rate * 10 where rate_date = date '2020-05-05' and currency = 'USD'",
        "the factor e",
    ),
    ("delete from raw.fx_rates where rate_date = date '2020-05-06'", "days of the ledger are the same"),
    ("insert into raw.fx_rates select * from raw.fx_rates where rate_date = date '2020-05-07'", "each currency once"),
    ("update raw.fx_rates set currency = 'gbp' where rate_date = date '2020-05-08' and currency = 'GBP'", "capital"),
    ("update raw.fx_rates set rate = 0 where rate_date = date '2020-05-11' and currency = 'NOK'", "above 0"),
    ("update raw.fx_rates set rate_date = date '2030-01-01' where rate_date = date '2020-05-12'", "future of its file"),
]


def validate(platform: Running, suite: str, catalog: str, *options: str, dataset: str = "fx_rates") -> tuple[int, Any]:
    """Exit code and RESULT of the tool."""
    words = ["--dataset", dataset, "--suite", suite, "--catalog", catalog, *options]
    done = platform.target.run_tool("analysis", "validate", words, SECONDS)
    last = done.output.strip().splitlines()[-1]
    assert last.startswith("RESULT ") or done.returncode == 2, done.output
    return done.returncode, json.loads(last.removeprefix("RESULT ")) if done.returncode != 2 else done.output


@pytest.fixture(scope="module")
def trino(platform: Running) -> Iterator[Trino]:
    with Trino(platform.target.address("trino", "http").url, SECONDS) as client:
        yield client


@pytest.mark.parametrize("suite", ["raw", "marts"])
def test_what_readers_see_passes(platform: Running, suite: str) -> None:
    code, result = validate(platform, suite, "lakehouse")
    assert result["failed"] == []
    assert (code, result["success"]) == (0, True)
    assert result["evaluated"] >= 10


def test_a_table_that_is_not_there_is_named(platform: Running) -> None:
    code, output = validate(platform, "raw", "tpch")
    assert code == 2
    assert "the catalog tpch has no table raw.fx_rates" in output


@pytest.fixture(scope="module")
def broken(platform: Running, trino: Trino) -> Iterator[str]:
    """A catalog that shows a branch of main with every mistake in it."""
    from data_platform.checks.base import Deadline
    from data_platform.datasets import audit

    dataset = lab(platform)
    audit.open_audit(platform.target, dataset, Deadline(SECONDS))
    catalog = audit.branch_of(dataset)
    for statement, _ in MISTAKES:
        trino.rows(statement.replace("raw.fx_rates", f"{catalog}.raw.fx_rates"))
    yield catalog
    audit.discard(platform.target, dataset, Deadline(SECONDS))


def test_every_mistake_is_found_with_file_rule_and_next_step(platform: Running, broken: str) -> None:
    code, result = validate(platform, "raw", broken)
    assert (code, result["success"]) == (1, False)
    for _, rule in MISTAKES:
        entry = next((e for e in result["failed"] if rule in e["expectation"]), None)
        assert entry, f"{rule}: not among {[e['expectation'] for e in result['failed']]}"
        assert entry["files"], entry
        assert entry["sample"], entry
        assert entry["next_step"], entry


def test_data_docs_are_published_and_need_nothing_from_elsewhere(platform: Running) -> None:
    _, result = validate(platform, "marts", "lakehouse", "--publish")
    keys = platform.target.credentials("s3")
    store = s3.client(platform.target.address("s3", "http").url, keys["access_key"], keys["secret_key"])
    index = s3.read(store, "reports", result["docs"])
    assert index is not None
    pages = [str(o.object_name) for o in store.list_objects("reports", prefix="fx_rates/expectations/", recursive=True)]
    html = [page for page in pages if page.endswith(".html")]
    assert len(html) >= 3
    for page in html:
        content = (s3.read(store, "reports", page) or b"").decode()
        assert "Great Expectations" in content, page
        assert [word for word in ('src="http', "<script", "<link") if word in content] == [], page


def test_nothing_is_written_into_the_home_folder_or_the_checkout(platform: Running) -> None:
    tools = platform.target.stack.root / "stack/components/processing/analysis/tools"
    for compiled in list(tools.rglob("__pycache__")):  # by unit tests, which import the tool from the checkout
        shutil.rmtree(compiled)
    before = {path for path in Path.home().glob(".*") if "great" in path.name or "matplotlib" in path.name}
    validate(platform, "sample", "tpch", dataset="platform_check")
    after = {path for path in Path.home().glob(".*") if "great" in path.name or "matplotlib" in path.name}
    assert after == before
    assert list(tools.rglob("__pycache__")) == []
