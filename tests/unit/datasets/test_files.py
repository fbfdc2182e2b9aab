"""What a run works on: files that were not published yet, refusals that are not recorded yet, code that changed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from data_platform.datasets import files, store
from data_platform.datasets.files import (
    Days,
    code_digest,
    discover,
    has_received,
    manifest_key,
    raw_files,
    read_manifest,
)
from data_platform.stack.errors import PlatformError
from tests.unit.datasets.fake_store import Store

RUN = "manual__2026-11-23T10:00:00+00:00"
ALL = Days.model_validate({})


class Place:
    """A platform whose Trino knows what was published."""

    def __init__(self, root: Path) -> None:
        self.store = Store()
        self.stack = SimpleNamespace(root=root)
        self.published: list[str] = []
        self.recorded: list[str] = []


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    made = Place(tmp_path)
    job = tmp_path / "spark_jobs" / "fx_rates" / "load.py"
    job.parent.mkdir(parents=True)
    job.write_text("one = 1\n")
    monkeypatch.setattr(files, "store_of", lambda target, _: target.store)
    monkeypatch.setattr(files, "published_files", lambda target, *_: frozenset(target.published))
    monkeypatch.setattr(files, "_recorded", lambda target, *_: frozenset(target.recorded))
    monkeypatch.setattr(store.s3, "read", lambda store, bucket, key: store.get(bucket, key))
    return made


def found(place: Place, days: Days = ALL) -> files.Manifest:
    return discover(place, "fx_rates", RUN, days, 5)  # type: ignore[arg-type]


def test_new_files_are_found_in_the_order_of_their_arrival(place: Place) -> None:
    late = place.store.receive("b", "second%20%C3%A9t%C3%A9.csv", "2026-11-02T10:00:00.000Z")
    early = place.store.receive("a", "first.csv", "2026-11-01T10:00:00.000Z")
    manifest = found(place)
    assert [(f.sha256, f.source_file) for f in manifest.files] == [(early, "first.csv"), (late, "second été.csv")]
    assert manifest.files[0].ingested_at == datetime(2026, 11, 1, 10, tzinfo=UTC)
    assert manifest.files[0].bytes == 1
    assert not manifest.idle


def test_a_published_file_is_not_loaded_again(place: Place) -> None:
    place.published = [place.store.receive("a", "first.csv", "2026-11-01T10:00:00Z")]
    new = place.store.receive("b", "second.csv", "2026-11-02T10:00:00Z")
    assert [f.sha256 for f in found(place).files] == [new]


def test_with_nothing_new_a_run_is_idle(place: Place) -> None:
    place.published = [place.store.receive("a", "first.csv", "2026-11-01T10:00:00Z")]
    place.recorded = [place.store.refuse("bad.zip", "truncated")]
    manifest = found(place)
    assert manifest.idle
    assert (manifest.files, manifest.refused) == ((), ())


def test_chosen_days_are_loaded_from_all_files(place: Place) -> None:
    known = place.store.receive("a", "first.csv", "2026-11-01T10:00:00Z")
    place.published = [known]
    manifest = found(place, Days.model_validate({"from": "2024-01-01", "to": "2024-01-31"}))
    assert [f.sha256 for f in manifest.files] == [known]


def test_a_refusal_is_passed_on_until_the_table_has_it(place: Place) -> None:
    place.recorded = [place.store.refuse("old.zip", "two members")]
    key = place.store.refuse("bad.zip", "truncated")
    manifest = found(place)
    assert [(r["object"], r["reason"]) for r in manifest.refused] == [(key, "truncated")]
    assert not manifest.idle


def test_changed_code_computes_the_tables_anew_from_all_files(place: Place) -> None:
    known = place.store.receive("a", "first.csv", "2026-11-01T10:00:00Z")
    place.published = [known]
    files.remember_published(place, "fx_rates", RUN, found(place).code, 5)  # type: ignore[arg-type]
    assert not found(place).rebuild
    (place.stack.root / "spark_jobs" / "fx_rates" / "load.py").write_text("one = 2\n")
    manifest = found(place)
    assert manifest.rebuild
    assert [f.sha256 for f in manifest.files] == [known]


def test_the_first_run_computes_nothing_anew(place: Place) -> None:
    assert not found(place).rebuild


def test_a_run_finds_its_manifest_again(place: Place) -> None:
    place.store.receive("a", "first.csv", "2026-11-01T10:00:00Z")
    made = found(place, Days.model_validate({"from": "2024-01-01"}))
    assert read_manifest(place, "fx_rates", RUN, 5) == made  # type: ignore[arg-type]
    document = json.loads(place.store.objects["raw", manifest_key("fx_rates", RUN)][0])
    assert document["days"] == {"from": "2024-01-01", "to": None}


def test_a_run_without_a_manifest_says_what_to_clear(place: Place) -> None:
    with pytest.raises(PlatformError, match="no manifest") as caught:
        read_manifest(place, "fx_rates", "other", 5)  # type: ignore[arg-type]
    assert "discover" in caught.value.remedy


def test_keys_of_manifests_hold_no_special_characters_and_differ() -> None:
    assert manifest_key("fx_rates", RUN).removeprefix("_manifests/fx_rates/").removesuffix(".json").isalnum()
    assert manifest_key("fx_rates", RUN) != manifest_key("fx_rates", f"{RUN}2")


@pytest.mark.parametrize("notes", [{}, {"source_file": "a.csv"}, {"source_file": "a.csv", "ingested_at": "yesterday"}])
def test_an_object_that_was_put_by_hand_is_named(notes: dict[str, str]) -> None:
    store = Store()
    store.put("raw", "fx_rates/abc.csv", "x", **notes)
    with pytest.raises(PlatformError, match=r"raw/fx_rates/abc\.csv does not say"):
        raw_files(store, "fx_rates")  # type: ignore[arg-type]


def test_what_was_received_is_good_or_refused_and_of_the_dataset(place: Place) -> None:
    place.store.put("raw", "fx_rates_2/abc.csv", "x")
    place.store.put("raw", "_manifests/fx_rates/published.json", "x")
    place.store.arrive("20261123T100000000-0123456789abcdef")
    assert not has_received(place, "fx_rates", 5)  # type: ignore[arg-type]
    place.store.refuse("bad.zip", "truncated")
    assert has_received(place, "fx_rates", 5)  # type: ignore[arg-type]
    place.store.objects.clear()
    place.store.receive("a", "first.csv", "2026-11-01T10:00:00Z")
    assert has_received(place, "fx_rates", 5)  # type: ignore[arg-type]


def test_an_arrival_is_no_file_that_a_run_works_on(place: Place) -> None:
    place.store.arrive("20261123T100000000-0123456789abcdef")
    assert found(place).idle


@pytest.mark.parametrize(
    "days", [{"from": "2024-02-01", "to": "2024-01-01"}, {"from": "1 January 2024"}, {"to": "2024-1-1"}]
)
def test_wrong_days_are_refused(days: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Days.model_validate(days)


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("spark_jobs/fx_rates/load.py", True),
        ("spark_jobs/other/load.py", False),
        ("dbt_project/models/staging/fx_rates/stg_fx_rates.sql", True),
        ("dbt_project/macros/deep/names.sql", True),
        ("spark_jobs/loading/job.py", True),
        ("expectations/fx_rates/raw.yaml", True),
        ("expectations/fx_rates/README.md", False),
    ],
)
def test_the_code_of_a_dataset_is_what_computes_its_tables(tmp_path: Path, path: str, counts: bool) -> None:
    before = code_digest(tmp_path, "fx_rates")
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_text("x")
    assert (code_digest(tmp_path, "fx_rates") != before) is counts
