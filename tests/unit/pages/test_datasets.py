"""The page Data shows what Trino and the store know, and the rest when one of them is away."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest

from data_platform.checks.base import Address
from data_platform.clients import s3
from data_platform.datasets import pipelines
from data_platform.datasets.pipeline_state import Seen, paused, state_of
from data_platform.pages import datasets
from data_platform.pages.render import render
from data_platform.stack import stack
from data_platform.stack.datasets import dataset

ROOT = Path(__file__).resolve().parents[3]
NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
AT = datetime(2026, 11, 2, 6, 0)  # noqa: DTZ001 - as Trino gives a timestamp
LOADED = datetime(2026, 11, 2, 6, 5)  # noqa: DTZ001
#: Another DAG of the platform is paused, too; it is on the page Health.
LOOKED = (paused("pipelines_fx_rates", [], "fx_rates"), paused("stack_health", []))
CHOSEN = {"query-engine": "trino", "table-catalog": "nessie", "s3": "minio"}
Rows = Callable[[str], list[list[Any]]]


def published(sql: str) -> list[list[Any]]:
    """Trino's answers about a dataset that was loaded."""
    if "fx_rates_files" in sql:
        return [["a <b>.csv", AT, LOADED, 221702]]
    if "information_schema" in sql:
        return [["rate_date"]]
    if "quarantine" in sql:
        return [[3, 1]]
    assert "max(rate_date)" in sql
    return [[221702, date(2026, 10, 30)]]


def empty(sql: str) -> list[list[Any]]:
    """Trino's answers before the first load: no tables."""
    del sql
    return []


def away(sql: str) -> list[list[Any]]:
    del sql
    raise ConnectionError("refused")


class FakeTrino:
    answers: Rows

    def __init__(self, url: str, seconds: float, catalog: str, settings: None) -> None:
        assert (url, catalog, settings) == ("http://query-engine", "lakehouse", None)
        assert seconds <= 5, "a page must not wait"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def rows(self, sql: str) -> list[list[Any]]:
        return type(self).answers(sql)

    rows_if_there = rows


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., str]:
    folder = tmp_path / "datasets" / "fx_rates"
    folder.mkdir(parents=True)
    (folder / "contract.odcs.yaml").touch()
    monkeypatch.setattr("data_platform.clients.trino.Trino", FakeTrino)
    monkeypatch.setattr(pipelines, "look", lambda _: LOOKED)
    target: Any = SimpleNamespace(
        stack=SimpleNamespace(datasets=stack.datasets(tmp_path), resolve=CHOSEN.__getitem__),
        credentials={"pages": {"s3_access_key": "pages", "s3_secret_key": "b"}}.__getitem__,
        address=lambda component, _: Address("h", 1, f"http://{component}"),
        # What a reader opens, who is in no pod.
        public_url=lambda component, _: f"https://{component}.data.example",
    )

    def page(answers: Rows, there: Callable[..., bool]) -> str:
        FakeTrino.answers = staticmethod(answers)  # type: ignore[assignment]
        monkeypatch.setattr(s3, "there", there)
        found = datasets.describe(target)
        assert [dataset.name for dataset in found.datasets] == ["fx_rates"]
        return bytes(render("data.html", name="tiny", catalog="lakehouse", **found._asdict()).body).decode()

    return page


def test_a_loaded_dataset_shows_load_size_and_refusals(show: Callable[..., str]) -> None:
    page = show(published, lambda *_: True)
    for text in (
        "fx_rates",
        '<time datetime="2026-11-02T06:05:00Z" title="2026-11-02 06:05:00 UTC">2026-11-02 06:05 UTC (',
        'arrived <time datetime="2026-11-02T06:00:00Z"',
        "221,702",
        "2026-10-30",
        "3 in 1 file<",
        "dataset = 'fx_rates'",
    ):
        assert text in page, text
    assert "a &lt;b&gt;.csv" in page


def test_a_pipeline_says_its_state_and_offers_the_next_step(show: Callable[..., str]) -> None:
    page = show(published, lambda *_: True)
    assert '<strong class="skipped">paused</strong><small>no run of it begins, neither by the clock' in page
    click = '<a href="/dags/pipelines_fx_rates" target="_blank" rel="noreferrer">unpause it and run it</a>'
    assert f"{click}, or <code>python3 -m bootstrap run pipelines_fx_rates</code>" in page
    assert "stack_health" not in page


def test_published_pages_are_linked_and_others_are_not(show: Callable[..., str]) -> None:
    page = show(published, lambda _store, bucket, key: bucket == "reports" and key != "fx_rates/dbt/index.html")
    assert 'href="reports/fx_rates/index.html"' in page
    assert 'href="reports/fx_rates/expectations/index.html"' in page
    assert "reports/fx_rates/dbt/index.html" not in page
    assert "dbt documentation: not published yet" in page
    assert 'href="/dags/pipelines_fx_rates"' in page
    assert "https://lineage-catalog.data.example/entity?urn=urn%3Ali%3Adataset" in page


def test_a_dataset_without_a_load_says_how_to_get_one(
    show: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    never = state_of(dataset(ROOT, "fx_rates"), Seen(), NOW, "airflow")
    monkeypatch.setattr(pipelines, "look", lambda _: (never,))
    page = show(empty, lambda *_: False)
    assert "none yet" in page
    assert "never run" in page
    assert "<code>python3 -m bootstrap run pipelines_fx_rates</code>" in page
    assert "verdict" not in page.partition("<body>")[2]


def test_a_trino_that_is_away_is_said_and_the_rest_is_shown(show: Callable[..., str]) -> None:
    page = show(away, lambda *_: True)
    assert "The tables could not be read" in page
    assert "bootstrap check trino nessie says more" in page
    assert "none yet" not in page, "what is unknown must not look like nothing"
    assert 'href="reports/fx_rates/index.html"' in page


def test_a_store_that_is_away_is_said_and_the_rest_is_shown(show: Callable[..., str]) -> None:
    def refuse(*_: object) -> bool:
        raise ConnectionError("refused")

    page = show(published, refuse)
    assert "The object store did not answer" in page
    assert "bootstrap check minio says more" in page
    assert "221,702" in page


def test_the_projects_own_datasets_are_found() -> None:
    assert {"currencies", "fx_rates"} <= set(stack.datasets(ROOT))
