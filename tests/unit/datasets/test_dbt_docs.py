"""What dbt leaves of a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from data_platform.checks.base import ToolResult
from data_platform.datasets import dbt_docs
from data_platform.stack.errors import PlatformError
from tests.unit.checks.fake_lake import FakePlatform


class Store:
    """Keeps what is put into it."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put_object(self, bucket: str, key: str, content: BinaryIO, length: int, kind: str) -> None:
        assert kind
        self.objects[f"{bucket}/{key}"] = content.read(length)


class Place(FakePlatform):
    """A dbt that writes its files, or fails."""

    holder = "pipelines"

    def __init__(self, returncode: int = 0) -> None:
        super().__init__()
        self.returncode = returncode
        self.asked: list[str] = []

    def run_tool(
        self, component: str, tool: str, arguments: Sequence[str], seconds: float, writes: Sequence[Path] = ()
    ) -> ToolResult:
        assert (component, tool, seconds) == ("models", "dbt", 5)
        self.asked = [*arguments]
        folder = Path(arguments[arguments.index("--target-path") + 1])
        assert [*writes] == [folder]
        for name in ("static_index.html", "manifest.json", "catalog.json", "run_results.json"):
            (folder / name).write_text(f"content of {name}")
        return ToolResult(self.returncode, "first line\nlast line\n")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    found = Store()
    monkeypatch.setattr("data_platform.clients.s3.client", lambda *_: found)
    return found


def use(place: Place) -> Any:
    return place


def test_the_documentation_is_published_as_one_page_with_what_lineage_reads(store: Store) -> None:
    place = Place()
    assert dbt_docs.build_docs(use(place), "fx_rates", 5) == "fx_rates/dbt/index.html"
    assert store.objects == {
        "reports/fx_rates/dbt/index.html": b"content of static_index.html",
        "reports/fx_rates/dbt/manifest.json": b"content of manifest.json",
        "reports/fx_rates/dbt/catalog.json": b"content of catalog.json",
    }
    assert place.asked[:3] == ["docs", "generate", "--static"]
    assert place.asked[-3:] == ["--select", "path:models/staging/fx_rates", "path:models/marts/fx_rates"]


def test_nothing_is_published_when_dbt_fails(store: Store) -> None:
    with pytest.raises(PlatformError, match="docs generate ended with 2:\nfirst line\nlast line"):
        dbt_docs.build_docs(use(Place(returncode=2)), "fx_rates", 5)
    assert store.objects == {}


def test_results_of_a_run_are_kept_and_a_run_that_left_none_is_let_be(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("data_platform.targets.current.current", Place)
    dbt_docs.keep_results(str(tmp_path), "fx_rates", {})
    assert store.objects == {}
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "run_results.json").write_text("{}")
    dbt_docs.keep_results(str(tmp_path), "fx_rates", {})
    assert store.objects == {"reports/fx_rates/dbt/run_results.json": b"{}"}
