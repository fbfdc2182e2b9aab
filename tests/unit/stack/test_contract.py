"""A contract says everything that others read, and a mistake in it is told with its key."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import time, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from data_platform.stack.bound import Bound
from data_platform.stack.contract import Contract
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import parse

GOOD = """
apiVersion: v3.1.0
kind: DataContract
id: tiny
name: Tiny numbers
version: 1.2.0
status: active
description: {purpose: to count, usage: by hand, limitations: none}
team: {name: counters}
schema:
  - name: raw.tiny
    physicalType: table
    description: One row for each day and customer.
    quality: [{metric: rowCount, mustBeGreaterOrEqualTo: 7}]
    properties:
      - {name: customer, description: Who., logicalType: string, physicalType: varchar, primaryKey: true,
         primaryKeyPosition: 2, required: true, classification: C2,
         customProperties: [{property: personalData, value: true}]}
      - {name: day, description: When., logicalType: date, physicalType: date, primaryKey: true,
         primaryKeyPosition: 1, required: true, classification: C1,
         customProperties: [{property: personalData, value: false}]}
      - {name: amount, description: How much., logicalType: number, physicalType: "decimal(18,8)", classification: C1,
         customProperties: [{property: personalData, value: false}],
         transformSourceObjects: ["s3:raw/tiny#value"]}
  - name: marts.tiny
    physicalType: table
    description: One row for each day.
    properties:
      - {name: day, description: When., logicalType: date, physicalType: date, primaryKey: true, required: true,
         unique: true, classification: C0, customProperties: [{property: personalData, value: false}]}
slaProperties:
  - {property: timeOfAvailability, value: "18:30", valueExt: Europe/Paris}
  - {property: latency, value: 3, unit: d, element: marts.tiny.day}
  - {property: greatestChange, value: 10, unit: percent, element: raw.tiny}
  - {property: retention, value: 2, unit: y}
"""
Change = Callable[[Any], object]


def read(tmp_path: Path, change: Change | None = None) -> Contract:
    document = yaml.safe_load(GOOD)
    if change:
        change(document)
    path = tmp_path / "contract.odcs.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return parse(Contract, path)


def test_a_contract_tells_owner_retention_and_promise(tmp_path: Path) -> None:
    contract = read(tmp_path)
    assert (contract.owner, contract.retention) == ("counters", timedelta(days=730))
    promise = contract.promise
    assert (promise.fresh_by, promise.zone.key) == (time(18, 30), "Europe/Paris")
    assert (promise.oldest_age, promise.age_of) == (timedelta(days=3), ("marts.tiny", "day"))
    assert promise.least_rows == {"raw.tiny": 7}
    assert (promise.greatest_change, promise.change_of) == (10, "raw.tiny")
    assert promise.bounds == (Bound("greatestChange", "raw.tiny", (), 10),)


def bound(document: Any, name: str, element: str, percent: int) -> None:
    said = {"property": name, "value": percent, "unit": "percent", "element": element}
    document["slaProperties"].append(said)


def test_a_contract_tells_what_one_publication_may_change(tmp_path: Path) -> None:
    def more(document: Any) -> None:
        bound(document, "keysGone", "raw.tiny", 0)
        bound(document, "keysGone", "raw.tiny.customer", 3)
        bound(document, "greatestShift", "raw.tiny.amount", 5)

    first, *found = read(tmp_path, more).promise.bounds
    assert str(first) == "greatestChange of raw.tiny: at most 10 %"
    assert found == [
        Bound("keysGone", "raw.tiny", ("day", "customer"), 0),
        Bound("keysGone", "raw.tiny", ("customer",), 3),
        Bound("greatestShift", "raw.tiny", ("amount",), 5),
    ]
    assert str(found[1]) == "keysGone of raw.tiny.customer: at most 3 %"


@pytest.mark.parametrize(
    ("name", "element", "percent", "said"),
    [
        ("keysGone", "marts.none", 0, "slaProperties.keysGone: element marts.none is no column of the schema"),
        ("keysGone", "raw.tiny.none", 0, "element raw.tiny.none is no column"),
        ("keysGone", "raw.tiny", -1, "greater than or equal to 0"),
        ("greatestShift", "raw.tiny", 5, "element raw.tiny is no column"),
        ("greatestShift", "raw.tiny.customer", 5, "raw.tiny.customer is no number"),
        ("greatestShift", "raw.tiny.amount", 0, "greater than 0"),
    ],
)
def test_a_bound_of_change_is_about_something_that_is_there(
    tmp_path: Path, name: str, element: str, percent: int, said: str
) -> None:
    with pytest.raises(PlatformError, match=re.escape(said)):
        read(tmp_path, lambda document: bound(document, name, element, percent))


def test_a_contract_tells_keys_classes_and_personal_data(tmp_path: Path) -> None:
    contract = read(tmp_path)
    assert [table.name for table in contract.on("marts")] == ["marts.tiny"]
    table = contract.table("raw.tiny")
    assert table.key == ("day", "customer")
    assert {c.name: (c.classification, c.personal) for c in table.columns} == {
        "customer": ("C2", True),
        "day": ("C1", False),
        "amount": ("C1", False),
    }
    assert table.column("amount").sources == ("s3:raw/tiny#value",)
    assert (table.least_rows, contract.table("marts.tiny").least_rows) == (7, None)


def test_what_is_kept_for_ever_says_so(tmp_path: Path) -> None:
    assert read(tmp_path, lambda c: c["slaProperties"][3].update(value=None)).retention is None


def test_what_a_contract_does_not_have_is_told_with_what_it_has(tmp_path: Path) -> None:
    contract = read(tmp_path)
    with pytest.raises(PlatformError, match=r"no table of tiny named 'raw\.other'") as error:
        contract.table("raw.other")
    assert error.value.remedy == "use one of: raw.tiny, marts.tiny"
    with pytest.raises(PlatformError, match=r"no column of raw\.tiny named 'other'"):
        contract.table("raw.tiny").column("other")


def column(place: int) -> Callable[[Any], Any]:
    return lambda c: c["schema"][0]["properties"][place]


CUSTOMER, DAY, AMOUNT = column(0), column(1), column(2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: AMOUNT(c).pop("classification"), "schema.0.properties.2.classification: Field required"),
        (lambda c: AMOUNT(c).update(classification="C4"), "schema.0.properties.2.classification"),
        (lambda c: AMOUNT(c).pop("customProperties"), "schema.0.properties.2.customProperties: Field required"),
        (lambda c: AMOUNT(c).update(customProperties=[]), "schema.0.properties.2.customProperties"),
        (lambda c: AMOUNT(c)["customProperties"][0].update(value="no"), "customProperties.0.value"),
        (lambda c: CUSTOMER(c).update(classification="C1"), "column customer: personal data is C2 at least, not C1"),
        (lambda c: AMOUNT(c).update(logicalType="string"), "column amount: decimal(18,8) is no string"),
        (lambda c: DAY(c).pop("required"), "column day: a key has a value in every row"),
        (lambda c: DAY(c).update(primaryKeyPosition=2), "raw.tiny: the key's columns have the places [2, 2]"),
        (
            lambda c: c["schema"][1]["properties"][0].pop("primaryKey"),
            "marts.tiny: the key's columns have the places none",
        ),
        (lambda c: AMOUNT(c).update(name="day"), "raw.tiny: column day is there twice"),
        (lambda c: AMOUNT(c).update(colour="red"), "schema.0.properties.2.colour: unknown key"),
        (lambda c: c.update(tables=c.pop("schema")), "schema: Field required"),
        (lambda c: c["schema"].append(c["schema"][1]), "table marts.tiny is there twice"),
        (lambda c: c["schema"].pop(0), "a dataset has the table raw.tiny and a mart"),
        (lambda c: c["schema"].pop(1), "a dataset has the table raw.tiny and a mart"),
        (lambda c: c["schema"][0].pop("quality"), "no table says its least rows"),
        (lambda c: c["schema"][0].update(name="lab.tiny"), "schema.0.name"),
        (lambda c: c["description"].pop("purpose"), "description.purpose: Field required"),
        (lambda c: c.pop("team"), "team: Field required"),
        (lambda c: c["slaProperties"].pop(3), "slaProperties: retention must be there once"),
        (lambda c: c["slaProperties"].append(c["slaProperties"][3]), "slaProperties: retention must be there once"),
        (lambda c: c["slaProperties"][0].update(value=1110), "slaProperties.0.timeOfAvailability.value"),
        (lambda c: c["slaProperties"][0].update(valueExt="Paris"), "'Paris' is no time zone"),
        (
            lambda c: c["slaProperties"][1].update(element="marts.tiny.hour"),
            "marts.tiny.hour is no column of the schema",
        ),
        (lambda c: c["slaProperties"][2].update(element="marts.huge"), "marts.huge is no table of the schema"),
        (lambda c: c["slaProperties"][3].update(property="patience"), "slaProperties.3"),
        (lambda c: c.update(apiVersion="v2.2.2"), "apiVersion"),
    ],
)
def test_a_mistake_is_told_with_file_and_key(tmp_path: Path, change: Change, words: str) -> None:
    with pytest.raises(PlatformError) as error:
        read(tmp_path, change)
    assert str(tmp_path / "contract.odcs.yaml") in error.value.problem
    assert words in error.value.problem
