"""What becomes of files that break an audit, and of what people decide about files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from data_platform.datasets import arrivals, files, review, store
from data_platform.datasets.decisions import Decision, Verdict, accepted_names, decide, read_decisions
from data_platform.datasets.files import Days, Manifest, discover, read_manifest, without_set_aside
from data_platform.datasets.review import Word, accept, known_files, set_aside, set_aside_by, take_back, wake
from data_platform.stack.errors import PlatformError
from tests.unit.datasets.fake_store import Store

RUN, NEXT = "manual__1", "manual__2"
ALL = Days.model_validate({})
RULE = "raw.fx_rates: No day lies before the first fixing of the euro (1 of 9 rows)"


class Place:
    """A platform whose Trino knows what was published."""

    def __init__(self, root: Path) -> None:
        self.store = Store()
        self.stack = SimpleNamespace(root=root)
        self.published: list[str] = []
        self.recorded: list[str] = []

    def receive(self, content: str, name: str, day: int) -> str:
        return self.store.receive(content, name, f"2026-11-{day:02d}T10:00:00Z")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    made = Place(tmp_path)
    for module in (files, review, arrivals):
        monkeypatch.setattr(module, "store_of", lambda target, _: target.store)
    for module in (files, review):
        monkeypatch.setattr(module, "published_files", lambda target, *_: frozenset(target.published))
    monkeypatch.setattr(files, "_recorded", lambda target, *_: frozenset(target.recorded))
    monkeypatch.setattr(store.s3, "read", lambda store, bucket, key: store.get(bucket, key))
    return made


def found(place: Any, run: str = RUN, days: Days = ALL) -> Manifest:
    return discover(place, "fx_rates", run, days, 5)


def loaded(manifest: Manifest) -> list[str]:
    return [file.source_file for file in manifest.files]


def woken(place: Any) -> list[str]:
    """Ends of the arrivals that were left."""
    return [key.rpartition("-")[2] for _, key in place.store.objects if key.startswith("_arrivals/")]


def test_a_file_that_breaks_a_rule_is_left_out_by_its_run_and_by_later_ones(place: Any) -> None:
    bad, good = place.receive("1926", "typo.csv", 1), place.receive("2026", "good.csv", 2)
    manifest = found(place)
    (decision,) = set_aside(place, manifest, {"typo.csv": [RULE]}, 5)
    assert (decision.subject, decision.by, decision.run, decision.why) == (bad, "the audit", RUN, "")
    assert decision.reason == f"set aside: {RULE}"
    rest = without_set_aside(place, manifest, 5)
    assert (loaded(rest), rest.new) == (["good.csv"], (good,))
    # The job writes it into the table of refusals, with the rule.
    ((refusal),) = rest.refused
    assert (refusal["source_file"], refusal["reason"]) == ("typo.csv", f"set aside: {RULE}")
    assert refusal["object"] == f"raw/fx_rates/{bad}.csv"
    assert read_manifest(place, "fx_rates", RUN, 5) == rest
    # A load that is repeated does the same again.
    assert without_set_aside(place, rest, 5) == rest
    place.published, place.recorded = [good], [refusal["object"]]
    assert found(place, NEXT).idle
    place.receive("2027", "corrected.csv", 3)
    assert loaded(found(place, NEXT)) == ["corrected.csv"]
    assert [d.name for d in set_aside_by(place, "fx_rates", RUN, 5)] == ["typo.csv"]
    assert set_aside_by(place, "fx_rates", NEXT, 5) == []


def test_what_nobody_has_written_down_yet_is_told_by_the_next_run(place: Any) -> None:
    place.receive("1926", "typo.csv", 1)
    set_aside(place, found(place), {"typo.csv": [RULE]}, 5)
    later = found(place, NEXT)
    assert not later.idle
    assert [(r["source_file"], r["reason"]) for r in later.refused] == [("typo.csv", f"set aside: {RULE}")]
    assert later.files == ()


def test_what_was_published_before_is_not_set_aside(place: Any) -> None:
    place.published = [place.receive("old", "history.csv", 1)]
    place.receive("new", "new.csv", 2)
    assert set_aside(place, found(place), {"history.csv": [RULE], "unknown.csv": [RULE]}, 5) == []
    # Neither where all files are loaded again.
    again = found(place, days=Days.model_validate({"from": "2024-01-01"}))
    assert loaded(again) == ["history.csv", "new.csv"]
    assert set_aside(place, again, {"history.csv": [RULE]}, 5) == []


def test_of_several_files_of_one_name_all_are_set_aside(place: Any) -> None:
    both = {place.receive("a", "same.csv", 1), place.receive("b", "same.csv", 2)}
    assert {d.subject for d in set_aside(place, found(place), {"same.csv": [RULE]}, 5)} == both


def test_who_accepts_a_file_has_it_loaded_alone_and_the_others_after_it(place: Any) -> None:
    odd = place.receive("1926", "odd.csv", 1)
    set_aside(place, found(place), {"odd.csv": [RULE]}, 5)
    place.receive("2026", "other.csv", 2)
    made = accept(place, "fx_rates", odd[:8], Word("ann on host", "it was so"), 5)
    assert made.reason == "accepted by ann on host: it was so"
    assert woken(place) == [odd[:16]]
    manifest = found(place, NEXT)
    assert (loaded(manifest), manifest.later) == (["odd.csv"], 1)
    # It is set aside no more, whatever it breaks.
    assert set_aside(place, manifest, {"odd.csv": [RULE]}, 5) == []
    assert accepted_names(read_decisions(place.store, "fx_rates")) == ("odd.csv",)
    place.published = [odd]
    assert loaded(found(place, NEXT)) == ["other.csv"]
    with pytest.raises(PlatformError, match=r"odd\.csv of fx_rates is published already"):
        accept(place, "fx_rates", "odd.csv", Word("ann", "again"), 5)


def test_what_is_taken_back_is_forgotten_and_all_other_files_are_loaded_again(place: Any) -> None:
    old, wrong = place.receive("a", "old.csv", 1), place.receive("b", "wrong.csv", 2)
    place.published = [old, wrong]
    assert found(place).idle
    made = take_back(place, "fx_rates", "wrong.csv", Word("ann", "another unit"), 5)
    assert made.reason == "taken back by ann: another unit"
    manifest = found(place)
    assert (manifest.taken_back, loaded(manifest), manifest.new) == ((wrong,), ["old.csv"], ())
    assert not manifest.idle
    assert "1 taken back, all others again" in str(manifest)
    # A run of some days alone cannot forget the others.
    assert found(place, days=Days.model_validate({"from": "2024-01-01"})).taken_back == ()
    with pytest.raises(PlatformError, match="is out already: taken back by ann"):
        take_back(place, "fx_rates", "wrong.csv", Word("ann", "again"), 5)
    # Done once: the ledger does not have it any more.
    place.published, place.recorded = [old], [f"raw/fx_rates/{wrong}.csv"]
    assert found(place).idle
    # And the way back of the way back.
    accept(place, "fx_rates", "wrong.csv", Word("bea", "it was right"), 5)
    assert loaded(found(place)) == ["wrong.csv"]


def test_what_waits_may_be_taken_back_before_it_is_loaded(place: Any) -> None:
    place.receive("b", "wrong.csv", 2)
    take_back(place, "fx_rates", "wrong.csv", Word("ann", "not ours"), 5)
    manifest = found(place)
    assert (manifest.files, manifest.taken_back) == ((), ())
    assert [r["reason"] for r in manifest.refused] == ["taken back by ann: not ours"]


def test_code_is_accepted_by_its_digest(place: Any) -> None:
    code = files.code_digest(place.stack.root, "fx_rates")
    accept(place, "fx_rates", code, Word("ann", "the new rule is right"), 5)
    assert read_decisions(place.store, "fx_rates")[code].verdict is Verdict.ACCEPTED
    # It is no file, and no file's name.
    assert accepted_names(read_decisions(place.store, "fx_rates")) == ()
    assert known_files(place, "fx_rates", 5) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [("none.csv", "has no file 'none.csv'"), ("same.csv", "several files of fx_rates are meant"), ("0", "no file '0'")],
)
def test_a_text_must_mean_one_file(place: Any, text: str, said: str) -> None:
    place.receive("a", "same.csv", 1)
    place.receive("b", "same.csv", 2)
    with pytest.raises(PlatformError, match=said) as caught:
        take_back(place, "fx_rates", text, Word("ann", "why"), 5)
    assert "files list fx_rates" in caught.value.remedy


def test_every_file_is_listed_with_what_became_of_it(place: Any) -> None:
    first, bad = place.receive("a", "first.csv", 1), place.receive("b", "bad.csv", 2)
    place.receive("c", "new.csv", 3)
    place.published = [first]
    set_aside(place, found(place), {"bad.csv": [RULE]}, 5)
    assert [(k.file.source_file, k.state) for k in known_files(place, "fx_rates", 5)] == [
        ("first.csv", "published"),
        ("bad.csv", f"set aside: {RULE}"),
        ("new.csv", "not published yet"),
    ]
    accept(place, "fx_rates", bad, Word("ann", "right"), 5)
    assert known_files(place, "fx_rates", 5)[1].state == "not published yet; accepted by ann: right"


def test_the_newest_decision_counts_and_earlier_ones_stay(place: Any) -> None:
    def decided(second: int, verdict: Verdict) -> Decision:
        at = datetime(2026, 11, 2, 10, 0, second, tzinfo=UTC)
        return Decision(subject="0f" * 32, name="a.csv", verdict=verdict, by="ann", at=at, why=str(second))

    decide(place.store, "fx_rates", [decided(2, Verdict.ACCEPTED)])
    decide(place.store, "fx_rates", [decided(1, Verdict.SET_ASIDE)])
    assert read_decisions(place.store, "fx_rates")["0f" * 32].why == "2"
    assert sum(key.startswith("_decisions/fx_rates/") for _, key in place.store.objects) == 2
    assert read_decisions(place.store, "currencies") == {}


def test_what_is_no_decision_is_named(place: Any) -> None:
    place.store.put("raw", f"_decisions/fx_rates/{'0f' * 32}/x.json", '{"verdict": "fine"}')
    with pytest.raises(PlatformError, match=r"raw/_decisions/fx_rates/0f.*/x\.json is no decision"):
        found(place)


def test_a_pipeline_is_woken_only_for_something(place: Any) -> None:
    wake(place, "fx_rates", [], 5)
    assert woken(place) == []
