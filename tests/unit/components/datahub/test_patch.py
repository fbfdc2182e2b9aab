"""Patches as DataHub's own builders make them, and adding up of lineage."""

from __future__ import annotations

import json
from typing import Any

import pytest
from datahub.emitter.mce_builder import make_data_job_urn, make_dataset_urn, make_schema_field_urn
from datahub.metadata import schema_classes as s
from datahub.specific.datajob import DataJobPatchBuilder
from datahub.specific.dataset import DatasetPatchBuilder
from datahub_lite import patch
from datahub_lite.errors import InvalidError
from hypothesis import given
from hypothesis import strategies as st

TABLE = make_dataset_urn("iceberg", "lakehouse.mart.daily", "PROD")
ORDERS = make_dataset_urn("iceberg", "lakehouse.raw.orders", "PROD")
SOURCE = "attribution\u241fsource"
RATES = make_dataset_urn("iceberg", "lakehouse.raw.rates", "PROD")


def apply(builder: DatasetPatchBuilder | DataJobPatchBuilder, stored: dict[str, Any]) -> dict[str, Any]:
    """Apply all patches of a builder to aspects by name."""
    proposals = builder.build()
    assert proposals
    for proposal in proposals:
        assert proposal.aspectName
        assert proposal.aspect
        name = proposal.aspectName
        stored[name] = patch.apply(name, stored.get(name, {}), json.loads(proposal.aspect.value))
    return stored


def upstream(urn: str) -> s.UpstreamClass:
    return s.UpstreamClass(dataset=urn, type=s.DatasetLineageTypeClass.TRANSFORMED)


def fine(*sources: str) -> s.FineGrainedLineageClass:
    return s.FineGrainedLineageClass(
        upstreamType=s.FineGrainedLineageUpstreamTypeClass.FIELD_SET,
        downstreamType=s.FineGrainedLineageDownstreamTypeClass.FIELD,
        upstreams=list(sources),
        downstreams=[make_schema_field_urn(TABLE, "amount")],
    )


def test_upstreams_are_added_once_and_removed_by_their_urn() -> None:
    stored: dict[str, Any] = {}
    for urn in (ORDERS, RATES, ORDERS):
        apply(DatasetPatchBuilder(TABLE).add_upstream_lineage(upstream(urn)), stored)
    assert [u["dataset"] for u in stored["upstreamLineage"]["upstreams"]] == [ORDERS, RATES]
    apply(DatasetPatchBuilder(TABLE).remove_upstream_lineage(ORDERS), stored)
    assert [u["dataset"] for u in stored["upstreamLineage"]["upstreams"]] == [RATES]


def test_column_lineage_is_added_and_removed_source_by_source() -> None:
    price, rate = make_schema_field_urn(ORDERS, "price/net"), make_schema_field_urn(RATES, "rate")
    stored = apply(DatasetPatchBuilder(TABLE).add_fine_grained_lineage(fine(rate, price)), {})
    (entry,) = stored["upstreamLineage"]["fineGrainedLineages"]
    assert entry["upstreams"] == sorted([price, rate])
    assert entry["downstreams"] == [make_schema_field_urn(TABLE, "amount")]
    apply(DatasetPatchBuilder(TABLE).remove_fine_grained_lineage(fine(rate)), stored)
    assert stored["upstreamLineage"]["fineGrainedLineages"][0]["upstreams"] == [price]


def test_set_replaces_a_whole_array() -> None:
    stored = apply(DatasetPatchBuilder(TABLE).add_upstream_lineage(upstream(ORDERS)), {})
    apply(DatasetPatchBuilder(TABLE).set_upstream_lineages([upstream(RATES)]), stored)
    assert [u["dataset"] for u in stored["upstreamLineage"]["upstreams"]] == [RATES]


def test_tags_without_a_source_have_an_empty_part_in_their_path() -> None:
    add = DatasetPatchBuilder(TABLE)
    for tag in ("urn:li:tag:a", "urn:li:tag:b"):
        add.add_tag(s.TagAssociationClass(tag=tag))
    stored = apply(add, {})
    apply(DatasetPatchBuilder(TABLE).remove_tag("urn:li:tag:a"), stored)
    assert [t["tag"] for t in stored["globalTags"]["tags"]] == ["urn:li:tag:b"]


def test_one_owner_may_have_two_roles() -> None:
    add = DatasetPatchBuilder(TABLE)
    for role in (s.OwnershipTypeClass.DATAOWNER, s.OwnershipTypeClass.STAKEHOLDER):
        add.add_owner(s.OwnerClass(owner="urn:li:corpuser:a", type=role))
    stored = apply(add, {})
    assert [o["type"] for o in stored["ownership"]["owners"]] == ["DATAOWNER", "STAKEHOLDER"]


def test_properties_are_a_map_and_keys_may_hold_a_slash() -> None:
    stored: dict[str, Any] = {"datasetProperties": {"customProperties": {"a/b": "1", "keep": "2"}}}
    apply(DatasetPatchBuilder(TABLE).remove_custom_property("a/b").add_custom_property("c~d/e", "3"), stored)
    assert stored["datasetProperties"]["customProperties"] == {"keep": "2", "c~d/e": "3"}


def test_an_array_inside_an_item_of_an_array_has_keys_too() -> None:
    stored: dict[str, Any] = {}
    for tag in ("urn:li:tag:a", "urn:li:tag:b", "urn:li:tag:a"):
        builder = DatasetPatchBuilder(TABLE)
        builder.for_field("amount").add_tag(s.TagAssociationClass(tag=tag))
        apply(builder, stored)
    assert stored["editableSchemaMetadata"]["editableSchemaFieldInfo"] == [
        {"fieldPath": "amount", "globalTags": {"tags": [{"tag": "urn:li:tag:a"}, {"tag": "urn:li:tag:b"}]}}
    ]


def test_arrays_of_strings_are_their_own_keys() -> None:
    job = make_data_job_urn("airflow", "dag", "task", "PROD")
    field = make_schema_field_urn(ORDERS, "price")
    stored = apply(DataJobPatchBuilder(job).add_input_dataset_field(field).add_input_dataset(ORDERS), {})
    assert stored["dataJobInputOutput"]["inputDatasetFields"] == [field]
    assert [e["destinationUrn"] for e in stored["dataJobInputOutput"]["inputDatasetEdges"]] == [ORDERS]
    apply(DataJobPatchBuilder(job).remove_input_dataset_field(field).remove_input_dataset(ORDERS), stored)
    assert stored["dataJobInputOutput"] == {"inputDatasetFields": [], "inputDatasetEdges": []}


def test_removing_what_is_not_there_changes_nothing() -> None:
    old = {"upstreams": [{"dataset": ORDERS, "type": "COPY"}]}
    assert patch.apply("upstreamLineage", old, [{"op": "remove", "path": "/upstreams/x"}]) == old
    assert patch.apply("globalTags", {}, [{"op": "remove", "path": "/tags/x"}]) == {}


def test_what_is_stored_is_not_changed_in_place() -> None:
    old = {"upstreams": [{"dataset": ORDERS, "type": "COPY"}], "other": {"a": "1"}}
    copy = json.loads(json.dumps(old))
    patch.apply("upstreamLineage", old, [{"op": "add", "path": "/other/b", "value": "2"}])
    patch.merge("upstreamLineage", old, {"upstreams": [{"dataset": RATES, "type": "COPY"}], "other": {"c": "3"}})
    assert old == copy


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("text", "list of operations"),
        ({"patch": {}}, "list of operations"),
        ([1], "list of operations"),
        ({"patch": [], "arrayPrimaryKeys": 3}, "arrayPrimaryKeys"),
        ([{"op": "move", "path": "/a", "from": "/b"}], "'move'"),
        ([{"op": "add", "path": "a", "value": 1}], "must begin with /"),
        ([{"op": "add", "value": 1}], "must begin with /"),
        ([{"op": "add", "path": "/fineGrainedLineages/NONE/x", "value": {}}], "2 more part"),
        ([{"op": "add", "path": "/upstreams/x", "value": 1}], "must be objects"),
        ([{"op": "add", "path": "/list/0/x", "value": 1}], "array without a known key"),
    ],
)
def test_a_wrong_patch_is_refused_with_its_reason(wrong: object, message: str) -> None:
    with pytest.raises(InvalidError, match=message):
        patch.apply("upstreamLineage", {"upstreams": [], "list": [{}]}, wrong)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["upstreams", "downstreams", "dataset", "tag", "patch"]), inner, max_size=3)
    ),
    max_leaves=6,
)
_PARTS = st.sampled_from(
    ["upstreams", "fineGrainedLineages", "tags", "globalTags", "editableSchemaFieldInfo", "", "x", "0"]
)
_OPERATION = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace"]), "value": _JSON},
    optional={"path": st.lists(_PARTS, max_size=5).map(lambda parts: "/" + "/".join(parts))},
)


@given(
    aspect=st.sampled_from(["upstreamLineage", "editableSchemaMetadata", "dataJobInputOutput", "other"]),
    operations=st.lists(_OPERATION, max_size=4) | _JSON,
    keys=st.none() | _JSON | st.just({"tags": [SOURCE, "tag"], "x": []}),
)
def test_whatever_is_sent_is_either_applied_or_refused(aspect: str, operations: object, keys: object) -> None:
    body = operations if keys is None else {"patch": operations, "arrayPrimaryKeys": keys}
    try:
        found = patch.apply(aspect, {"upstreams": [{"dataset": ORDERS}], "x": ["1"]}, body)
    except InvalidError:
        return
    assert json.loads(json.dumps(found)) == found


def test_merging_unites_tables_and_columns_of_two_producers() -> None:
    def lineage(table: str, column: str) -> dict[str, Any]:
        entry = fine(make_schema_field_urn(table, column)).to_obj()
        return {"upstreams": [upstream(table).to_obj()], "fineGrainedLineages": [entry]}

    merged = patch.merge("upstreamLineage", lineage(ORDERS, "price"), lineage(RATES, "rate"))
    assert [u["dataset"] for u in merged["upstreams"]] == [ORDERS, RATES]
    (entry,) = merged["fineGrainedLineages"]
    assert entry["upstreams"] == [make_schema_field_urn(ORDERS, "price"), make_schema_field_urn(RATES, "rate")]
    # A later event without columns (Spark's wrapper jobs) takes nothing away.
    assert patch.merge("upstreamLineage", merged, {"upstreams": [upstream(RATES).to_obj()]}) == merged


def test_merging_keeps_what_only_the_old_value_says() -> None:
    old = {"description": "by a person", "name": "old", "customProperties": {"a": "1"}}
    new = {"name": "new", "customProperties": {"b": "2"}}
    expected = {"description": "by a person", "name": "new", "customProperties": {"a": "1", "b": "2"}}
    assert patch.merge("datasetProperties", old, new) == expected
