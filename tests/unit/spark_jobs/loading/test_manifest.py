"""What a manifest must say."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from spark_jobs.loading.manifest import File, ManifestError, Refused, parse

_SHA = "0f" * 32


def document() -> dict[str, Any]:
    """A manifest with a file and a refused one."""
    return {
        "dataset": "fx_rates",
        "run": "manual__1",
        "days": {"from": "2026-01-01", "to": None},
        "files": [
            {
                "object": f"fx_rates/{_SHA}.csv",
                "sha256": _SHA,
                "source_file": "a.zip/b.csv",
                "ingested_at": "2026-11-02T12:00:00.000Z",
                "bytes": 12,
            }
        ],
        "refused": [
            {
                "dataset": "fx_rates",
                "source_file": "c.zip",
                "sha256": "1f" * 32,
                "reason": "two members",
                "quarantined_at": "2026-11-02T12:00:00.000Z",
                "bytes": 3,
                "object": "fx_rates/1f/c.zip",
            }
        ],
    }


def test_all_of_it_is_read() -> None:
    found = parse(json.dumps(document()), "fx_rates")
    assert (found.run, found.first, found.last, found.is_partial) == ("manual__1", date(2026, 1, 1), None, True)
    assert found.files == (File(f"fx_rates/{_SHA}.csv", _SHA, "a.zip/b.csv", "2026-11-02T12:00:00.000Z", 12),)
    assert found.files[0].name == f"{_SHA}.csv"
    assert found.refused == (Refused("c.zip", "two members", "2026-11-02T12:00:00.000Z", "fx_rates/1f/c.zip"),)


def test_a_file_that_is_named_twice_is_read_once() -> None:
    twice = document()
    twice["files"] *= 2
    assert len(parse(json.dumps(twice), "fx_rates").files) == 1


def test_without_days_all_days_are_meant() -> None:
    assert not parse(json.dumps({**document(), "days": {"from": None, "to": None}}), "fx_rates").is_partial


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(dataset="other"), "dataset is 'other', expected 'fx_rates'"),
        (lambda d: d.pop("files"), "manifest: files is missing or no list"),
        (lambda d: d.update(run=1), "manifest: run is missing or no str"),
        (lambda d: d["days"].update({"to": "1/2/26"}), "days.to is '1/2/26', expected YYYY-MM-DD or null"),
        (lambda d: d["files"][0].pop("bytes"), r"files\[0\]: bytes is missing or no int"),
        (lambda d: d["files"][0].update(sha256="abc"), r"files\[0\]: sha256 'abc' is not the name"),
        (lambda d: d["files"][0].update(sha256="1f" * 32), "is not the name of object"),
        (
            lambda d: d["files"][0].update(ingested_at="2026-11-02T12:00:00"),
            "ingested_at is .*, expected ISO 8601 with a",
        ),
        (lambda d: d["files"][0].update(ingested_at="now"), "ingested_at is 'now', expected ISO 8601 with a time zone"),
        (lambda d: d["refused"].append({}), r"refused\[1\]: source_file is missing"),
    ],
)
def test_what_is_wrong_is_named(change: Callable[[dict[str, Any]], object], message: str) -> None:
    broken = document()
    change(broken)
    with pytest.raises(ManifestError, match=message):
        parse(json.dumps(broken), "fx_rates")


@pytest.mark.parametrize("text", ["", "[]", "null"])
def test_what_is_no_manifest_is_refused(text: str) -> None:
    with pytest.raises(ManifestError):
        parse(text, "fx_rates")


def test_files_that_are_taken_back_are_named_by_their_digests() -> None:
    assert parse(json.dumps(document()), "fx_rates").taken_back == ()
    assert parse(json.dumps(document() | {"taken_back": [_SHA]}), "fx_rates").taken_back == (_SHA,)
    with pytest.raises(ManifestError, match=r"taken_back\[0\] is \"x' or 1=1\""):
        parse(json.dumps(document() | {"taken_back": ["x' or 1=1"]}), "fx_rates")
