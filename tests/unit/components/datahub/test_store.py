"""The store keeps all of a request or nothing, and finds lineage from both ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from datahub.lite.sqlite_lite import SqliteLite
from datahub_lite.errors import InvalidError
from datahub_lite.store import Change, Store, Verb

# The library's own, in its browse index.
pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated method:DeprecationWarning")


def urn(name: str) -> str:
    return f"urn:li:dataset:(urn:li:dataPlatform:iceberg,lakehouse.{name},PROD)"


def status(name: str, removed: bool = False) -> Change:
    return Change(urn(name), "status", {"removed": removed})


def lineage(name: str, *upstreams: str, verb: Verb = Verb.UPSERT) -> Change:
    edges = [{"dataset": urn(u), "type": "TRANSFORMED"} for u in upstreams]
    return Change(urn(name), "upstreamLineage", {"upstreams": edges}, verb)


def edges(store: Store, name: str) -> list[str]:
    found = store.aspect(urn(name), "upstreamLineage")
    assert found
    return [e["dataset"] for e in found.value["upstreams"]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "new folder" / "datahub.db"


@pytest.fixture
def store(file: Path) -> Iterator[Store]:
    opened = Store(file)
    yield opened
    opened.close()


def test_what_was_written_is_there_for_another_reader_at_once(store: Store, file: Path) -> None:
    store.apply([status("a"), lineage("a", "b")], {("s3://x", "y"): urn("a")})
    other = Store(file)
    assert edges(other, "a") == [urn("b")]
    assert other.neighbours(urn("b"), downstream=True) == [urn("a")]
    assert other.known_name("s3://x", "y") == urn("a")
    other.close()


def test_datahubs_own_lite_reads_the_file(store: Store, file: Path) -> None:
    store.apply([lineage("a", "b")])
    lite = SqliteLite.create({"file": str(file), "read_only": True})
    found: Any = lite.get(urn("a"), ["upstreamLineage"], typed=True)
    assert found["upstreamLineage"].upstreams[0].dataset == urn("b")
    lite.close()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (Change("nonsense", "status", {"removed": False}), "urn"),
        (Change("urn:li:nothing:x", "status", {"removed": False}), "no entity type 'nothing'"),
        (Change("urn:li:dataset:x", "status", {"removed": False}), "3 parts"),
        (Change(urn("b"), "madeUp", {}), "Unknown aspect madeUp for entity dataset"),
        (Change(urn("b"), "dataJobInfo", {"name": "x", "type": "y"}), "Unknown aspect dataJobInfo"),
        (Change(urn("b"), "status", [1]), "must be an object"),
        (Change(urn("b"), "upstreamLineage", {"upstreams": "x"}), "upstreamLineage"),
        (Change(urn("b"), "upstreamLineage", {}), "missing required field"),
        (Change(urn("b"), "upstreamLineage", {"upstreams": [{"dataset": 1, "type": "COPY"}]}), "wrong type"),
        (Change(urn("b"), "upstreamLineage", {"upstreams": [{"dataset": "x", "type": "NO"}]}), "not allowed"),
        (Change(urn("a"), "status", {"removed": True}, Verb.CREATE), "CREATE"),
        (Change(urn("a"), "datasetProperties", {}, Verb.CREATE_ENTITY), "CREATE_ENTITY"),
    ],
)
def test_one_wrong_change_undoes_the_whole_request(store: Store, wrong: Change, message: str) -> None:
    store.apply([status("a")])
    before = store.alive()
    good = Change(urn("new"), "datasetProperties", {"name": "Browsed by name"})
    with pytest.raises(InvalidError, match=message):
        store.apply([good, lineage("new", "a"), wrong], {("n", "m"): urn("new")})
    assert store.alive() == before
    assert store.entity(urn("new")) == {}
    assert store.neighbours(urn("a"), downstream=True) == []
    assert store.known_name("n", "m") is None


def test_an_upsert_replaces_and_a_merge_adds(store: Store) -> None:
    store.apply([lineage("t", "a")])
    store.apply([lineage("t", "b", verb=Verb.MERGE)])
    assert edges(store, "t") == [urn("a"), urn("b")]
    assert store.neighbours(urn("t"), downstream=False) == [urn("a"), urn("b")]
    store.apply([lineage("t", "c")])
    assert edges(store, "t") == [urn("c")]
    assert store.neighbours(urn("a"), downstream=True) == []


def test_a_patch_of_nothing_makes_a_complete_aspect(store: Store) -> None:
    terms = [{"op": "add", "path": "/terms/urn:li:glossaryTerm:x", "value": {"urn": "urn:li:glossaryTerm:x"}}]
    store.apply([Change(urn("t"), "glossaryTerms", terms, Verb.PATCH)])
    found = store.aspect(urn("t"), "glossaryTerms")
    assert found
    assert found.value["auditStamp"]["actor"] == "urn:li:corpuser:unknown"


def test_versions_are_kept_and_equal_writes_add_none(store: Store) -> None:
    for removed in (False, False, True):
        store.apply([status("t", removed)])
    versions = [store.aspect(urn("t"), "status", n) for n in range(4)]
    assert [v.value["removed"] if v else None for v in versions] == [True, False, True, None]


def test_the_key_aspect_is_there_as_soon_as_anything_is(store: Store) -> None:
    assert store.aspect(urn("t"), "datasetKey") is None
    store.apply([status("t")])
    found = store.aspect(urn("t"), "datasetKey")
    assert found
    assert found.value == {"platform": "urn:li:dataPlatform:iceberg", "name": "lakehouse.t", "origin": "PROD"}
    assert list(store.entity(urn("t"), ["upstreamLineage"])) == ["datasetKey"]


def test_jobs_stand_between_their_tables(store: Store) -> None:
    job = "urn:li:dataJob:(urn:li:dataFlow:(spark,f,PROD),j)"
    earlier = "urn:li:dataJob:(urn:li:dataFlow:(spark,f,PROD),i)"
    value = {
        "inputDatasets": [urn("a")],
        "outputDatasets": [],
        "inputDatajobEdges": [{"destinationUrn": earlier}],
        "outputDatasetEdges": [{"destinationUrn": urn("b")}],
    }
    store.apply([Change(job, "dataJobInputOutput", value)])
    assert store.neighbours(job, downstream=False) == sorted([urn("a"), earlier])
    assert store.neighbours(job, downstream=True) == [urn("b")]
    assert store.neighbours(urn("a"), downstream=True) == [job]


def test_soft_deleted_things_are_hidden_but_readable(store: Store) -> None:
    store.apply([status("a"), status("b"), lineage("b", "a")])
    store.apply([status("a", removed=True)])
    assert [f.urn for f in store.search("lakehouse")] == [urn("b")]
    assert store.neighbours(urn("b"), downstream=False) == []
    assert "status" in store.entity(urn("a"))
    store.apply([status("a"), status("b", removed=True)])
    assert store.neighbours(urn("a"), downstream=True) == []


def test_deletion_takes_history_edges_and_learnt_names_of_that_entity_only(store: Store) -> None:
    store.apply([status("a"), status("b"), lineage("b", "a")], {("n", "b"): urn("b"), ("n", "a"): urn("a")})
    assert store.delete(urn("b")) == 4  # two aspects, each with its newest and its first version
    assert store.entity(urn("b")) == {}
    assert store.neighbours(urn("a"), downstream=True) == []
    assert (store.known_name("n", "b"), store.known_name("n", "a")) == (None, urn("a"))
    assert store.delete(urn("b")) == 0
    store.apply([Change(urn("a"), "status", None, Verb.DELETE)])
    assert store.entity(urn("a")) == {}


def test_search_takes_words_as_they_are(store: Store) -> None:
    store.apply([status(n) for n in ("fx_rates", "fxarates", "100%")])
    assert [f.urn for f in store.search("fx_rates")] == [urn("fx_rates")]
    assert [f.urn for f in store.search("% lakehouse")] == [urn("100%")]
    assert [f.urn for f in store.search("RATES fx", limit=1)] == [urn("fx_rates")]
    assert store.search("nothing") == []
