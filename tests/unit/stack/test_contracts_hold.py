"""What dbt, the expectations, Spark and the pipelines say of a dataset is what its contract says.

A difference is told with its file. Each function here that finds differences has a twin test in which it finds some.
"""

from __future__ import annotations

import importlib
import json
import re
import shutil
from collections.abc import Iterable, Mapping
from datetime import time
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from data_platform.stack.contract import Contract, Table
from data_platform.stack.datasets import contract, dataset
from data_platform.stack.stack import datasets

ROOT = Path(__file__).resolve().parents[3]
EVERY_DATASET = pytest.mark.parametrize("name", datasets(ROOT))
#: The load's own books beside a dataset's table: no contract describes them.
_BOOKS = ("_files", "_days")
_SPARK_TO_TRINO = {"string": "varchar", "timestamp": "timestamp(6) with time zone"}


def test_there_are_contracts_to_hold_others_against() -> None:
    assert {"currencies", "fx_rates"} <= set(datasets(ROOT))


# The standard.


def outside_the_standard(document: Any) -> list[str]:
    """What the standard's own JSON schema says against a contract."""
    schema = json.loads(resources.files("open_data_contract_standard").joinpath("schema.json").read_text("utf-8"))
    validator = jsonschema.Draft201909Validator(schema)
    return [f"{'.'.join(map(str, e.absolute_path))}: {e.message}" for e in validator.iter_errors(document)]


@EVERY_DATASET
def test_a_contract_is_one_by_the_standard(name: str) -> None:
    path = ROOT / "datasets" / name / "contract.odcs.yaml"
    assert outside_the_standard(yaml.safe_load(path.read_text(encoding="utf-8"))) == []


def test_a_key_that_the_standard_does_not_have_is_found() -> None:
    path = ROOT / "datasets" / "fx_rates" / "contract.odcs.yaml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    document["schema"][0]["colour"] = "red"
    document["slaProperties"][0].pop("value")
    found = outside_the_standard(document)
    assert len(found) == 2
    assert "'colour' was unexpected" in found[0]
    assert found[1] == "slaProperties.0: 'value' is a required property"


# dbt.


def words(text: str) -> str:
    return " ".join(text.split())


def differs(where: str, **said: tuple[object, object]) -> list[str]:
    """A line for each thing of which a file and the contract say different things."""
    return [
        f"{where}: {what.replace('_', ' ')} is {there!r}, the contract says {wanted!r}"
        for what, (there, wanted) in said.items()
        if there != wanted
    ]


def dbt_tables(root: Path, name: str) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Sources and models of a dataset by floor and table, each with its file."""
    found = {}
    for path in sorted((root / "dbt_project" / "models").glob(f"*/{name}/*.yml")):
        file, floor = str(path.relative_to(root)), path.parts[-3]
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        for source in document.get("sources", ()):
            found |= {f"{source['schema']}.{t['name']}": (file, t) for t in source["tables"]}
        found |= {f"{floor}.{model['name']}": (file, model) for model in document.get("models", ())}
    return found


def dbt_unique(said: Mapping[str, Any]) -> set[tuple[str, ...]]:
    """Columns, or sorted combinations of them, that dbt tests for being unique."""
    found = {(c["name"],) for c in said["columns"] if "unique" in c.get("data_tests", ())}
    tests = [t["unique_combination"] for t in said.get("data_tests", ()) if "unique_combination" in t]
    return found | {tuple(sorted(test["arguments"]["columns"])) for test in tests}


def dbt_differences(root: Path, contract: Contract) -> list[str]:
    """Where dbt says something else than the contract."""
    said = dbt_tables(root, contract.id)
    known = names(contract)
    found = [f"{file}: {table} is not in the contract" for table, (file, _) in said.items() if table not in known]
    for table in contract.tables:
        if table.name not in said:
            found.append(f"dbt_project: {table.name} of the contract is no source and no model")
            continue
        file, entry = said[table.name]
        is_source = table.name.startswith("raw.")
        found += differs(
            f"{file}: {table.name}",
            description=(words(entry["description"]), words(table.description)),
            columns=([c["name"] for c in entry["columns"]], [c.name for c in table.columns]),
        )
        if is_source:
            found += _freshness(f"{file}: {table.name}", entry, table, contract)
        else:
            unique = {(c.name,) for c in table.columns if c.unique} | {tuple(sorted(table.key))}
            found += differs(f"{file}: {table.name}", unique=(dbt_unique(entry), unique))
        columns = {column.name: column for column in table.columns}
        for one in entry["columns"]:
            if one["name"] in columns:
                column = columns[one["name"]]
                found += differs(
                    f"{file}: {table.name}.{column.name}",
                    type=(one["data_type"], column.type),
                    description=(words(one["description"]), words(column.description)),
                )
                if not is_source:
                    never_null = any(c["type"] == "not_null" for c in one.get("constraints", ()))
                    found += differs(f"{file}: {table.name}.{column.name}", not_null=(never_null, column.required))
    return found


def _freshness(where: str, entry: Mapping[str, Any], table: Table, contract: Contract) -> list[str]:
    promise = contract.promise
    if promise.age_of[0] != table.name:
        return []
    config = entry.get("config", {})
    wanted = {"count": promise.oldest_age.days, "period": "day"}
    return differs(
        where,
        loaded_at_field=(config.get("loaded_at_field"), promise.age_of[1]),
        freshness=(config.get("freshness", {}).get("warn_after"), wanted),
    )


def names(contract: Contract) -> set[str]:
    return {table.name for table in contract.tables}


@EVERY_DATASET
def test_dbt_says_what_the_contract_says(name: str) -> None:
    assert dbt_tables(ROOT, name)
    assert dbt_differences(ROOT, contract(ROOT, name)) == []


# Expectations.


def rules_of(root: Path, name: str) -> Iterable[tuple[str, str, Mapping[str, Any]]]:
    """File, table and rule of every expectation of a dataset."""
    for path in sorted((root / "expectations" / name).glob("*.yaml")):
        for table, rules in yaml.safe_load(path.read_text(encoding="utf-8"))["tables"].items():
            for rule in rules:
                yield str(path.relative_to(root)), table, rule


def unique_by(rule: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Sorted columns whose values a rule wants to be there once; None where it is no such rule."""
    if rule["type"] == "expect_column_values_to_be_unique":
        return (rule["kwargs"]["column"],)
    query = words(rule["kwargs"].get("unexpected_rows_query", ""))
    # The form of this project: rows that are counted by the key, and are there more than once.
    found = re.search(r"count\(\*\) over \(partition by ([\w, ]+)\) as n from \{batch\}\) where n > 1", query)
    return tuple(sorted(found[1].split(", "))) if found else None


def expectation_differences(root: Path, contract: Contract) -> list[str]:
    """Where the expectations say something else than the contract."""
    found, least, keys = [], {}, set()
    books = {f"raw.{contract.id}{book}" for book in _BOOKS}
    for file, name, rule in rules_of(root, contract.id):
        if name in books:
            continue
        where, kwargs = f"{file}: {name}: {rule['description']}", rule["kwargs"]
        if name not in names(contract):
            found.append(f"{where}: the contract has no such table")
            continue
        table = contract.table(name)
        columns = {column.name: column for column in table.columns}
        if (column := kwargs.get("column")) and column not in columns:
            found.append(f"{where}: the contract has no column {column}")
            continue
        if (unique := unique_by(rule)) is not None:
            keys.add((name, unique))
            wanted = {tuple(sorted(table.key)), *((c.name,) for c in table.columns if c.unique)}
            if unique not in wanted:
                found.append(f"{where}: by the contract {', '.join(unique)} is not unique")
        match rule["type"]:
            case "expect_table_columns_to_match_set":
                found += differs(where, columns=(sorted(kwargs["column_set"]), sorted(columns)))
            case "expect_table_row_count_to_be_between":
                least[name] = kwargs["min_value"]
                found += differs(where, least_rows=(kwargs["min_value"], table.least_rows))
            case "expect_column_values_to_not_be_null" if rule["severity"] == "critical":
                found += differs(where, required=(True, columns[column].required))
    promised = contract.promise.least_rows
    found += [f"expectations/{contract.id}: nothing looks at the least rows of {t}" for t in promised if t not in least]
    found += [
        f"expectations/{contract.id}: nothing looks at the key of {table.name}: {', '.join(table.key)}"
        for table in contract.tables
        # dbt looks at that of the tables between, and Great Expectations at what readers begin and end with.
        if not table.name.startswith("staging.") and (table.name, tuple(sorted(table.key))) not in keys
    ]
    return found


@EVERY_DATASET
def test_the_expectations_say_what_the_contract_says(name: str) -> None:
    assert len(list(rules_of(ROOT, name))) >= 6
    assert expectation_differences(ROOT, contract(ROOT, name)) == []


# Twins of both: one word is changed, and one difference is found.


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what is said of datasets."""
    for folder in ("datasets", "dbt_project/models", "expectations"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


DAILY, RAW = "dbt_project/models/marts/fx_rates/fx_rates_daily.yml", "expectations/fx_rates/raw.yaml"
SOURCES, MARTS = "dbt_project/models/staging/fx_rates/sources.yml", "expectations/fx_rates/marts.yaml"
CONTRACT = "datasets/fx_rates/contract.odcs.yaml"


@pytest.mark.parametrize(
    ("file", "old", "new", "difference"),
    [
        (DAILY, "decimal(24,12)", "double", "marts.fx_rates_daily.xof_per_unit: type is 'double', the contract says"),
        (DAILY, "ISO 4217 code", "A code", "marts.fx_rates_daily.currency: description is 'A code of the currency.'"),
        (DAILY, "What one euro and", "How", "marts.fx_rates_daily: description is 'How one unit"),
        (
            DAILY,
            "columns: [rate_date, currency]",
            "columns: [currency]",
            "marts.fx_rates_daily: unique is {('currency'",
        ),
        (DAILY, "- name: origin", "- name: source", "marts.fx_rates_daily: columns is ['rate_date', 'currency'"),
        (DAILY, "name: fx_rates_daily\n", "name: fx_daily\n", "marts.fx_daily is not in the contract"),
        (
            SOURCES,
            "count: 6",
            "count: 7",
            "raw.fx_rates: freshness is {'count': 7, 'period': 'day'}, the contract says",
        ),
        (SOURCES, "loaded_at_field: in", "loaded_at_field: ", "raw.fx_rates: loaded at field is 'gested_at'"),
        (RAW, "column_set: [rate_date, ", "column_set: [", "The table has exactly the agreed columns: columns is ['cu"),
        (
            RAW,
            "{min_value: 1}",
            "{min_value: 2}",
            "raw.fx_rates: The table is not empty: least rows is 2, the contract",
        ),
        (RAW, "{column: rate}", "{column: value}", "Every row has a rate: the contract has no column value"),
        (
            RAW,
            "by rate_date, currency) as n",
            "by rate_date, rate) as n",
            "by the contract rate, rate_date is not unique",
        ),
        (
            MARTS,
            "  marts.fx_currency_monthly:",
            "  marts.fx_monthly:",
            "The table is not empty: the contract has no such",
        ),
    ],
)
def test_a_word_that_differs_is_told_with_its_file(
    checkout: Path, file: str, old: str, new: str, difference: str
) -> None:
    assert difference in "\n".join(line for line in changed(checkout, file, old, new) if line.startswith(f"{file}: "))


@pytest.mark.parametrize(
    ("file", "old", "new", "difference"),
    [
        (
            MARTS,
            "by month, currency) as n",
            "by month, currency) as m",
            "nothing looks at the key of marts.fx_currency_m",
        ),
        (
            MARTS,
            "expect_table_row_count_to_be_between",
            "another",
            "nothing looks at the least rows of marts.fx_rates_d",
        ),
        (
            DAILY,
            "  - name: fx_rates_daily\n",
            "  - name: fx\n",
            "marts.fx_rates_daily of the contract is no source and",
        ),
        (
            CONTRACT,
            "        required: true\n        transform",
            "        transform",
            "Every row has a rate: required is",
        ),
    ],
)
def test_what_is_missing_is_told(checkout: Path, file: str, old: str, new: str, difference: str) -> None:
    assert difference in "\n".join(changed(checkout, file, old, new))


def changed(checkout: Path, file: str, old: str, new: str) -> list[str]:
    """Differences after a word of a file was changed."""
    text = (checkout / file).read_text(encoding="utf-8")
    assert old in text
    (checkout / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    said = contract(checkout, "fx_rates")
    return dbt_differences(checkout, said) + expectation_differences(checkout, said)


def test_a_value_that_may_be_missing_differs_from_one_that_may_not(checkout: Path) -> None:
    (found,) = changed(checkout, DAILY, "constraints: [{type: not_null, warn_unsupported: false}]", "")
    assert found == f"{DAILY}: marts.fx_rates_daily.rate_date: not null is False, the contract says True"


# Spark.


def written_by_spark(name: str, patch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Columns of the raw table as the job makes it, with Trino's types; all of them are `not null`."""
    from spark_jobs.loading import job
    from spark_jobs.loading.manifest import Manifest

    class MadeError(Exception):
        pass

    module: Any = importlib.import_module(f"spark_jobs.{name}.load")
    (table,) = (value for value in vars(module).values() if isinstance(value, job.Table))

    def ensure(_spark: object, made: str, columns: str, *_: object, **__: object) -> None:
        if made == table.table:
            raise MadeError(columns)

    for place in (job, module):
        patch.setattr(place, "ensure_table", ensure, raising=False)
    work = getattr(module, "load", job.load)
    with pytest.raises(MadeError) as made:
        work(None, table, Manifest.__new__(Manifest), "")
    # A comma within parentheses belongs to a type.
    columns = [part.split() for part in re.split(r",(?![^(]*\))", str(made.value))]
    assert all(rest == ["not", "null"] for _, _, *rest in columns)
    return [(column, _SPARK_TO_TRINO.get(kind, kind)) for column, kind, *_ in columns]


@EVERY_DATASET
def test_spark_writes_the_columns_of_the_contract(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    table = contract(ROOT, name).table(f"raw.{name}")
    assert written_by_spark(name, monkeypatch) == [(column.name, column.type) for column in table.columns]
    assert [column.name for column in table.columns if not column.required] == []


# Pipelines.


def runs_too_late(cron: str, zone: str, contract: Contract) -> str:
    """Why a pipeline cannot keep the promise of its contract; empty when it can."""
    minute, hour, *_ = cron.split()
    promise = contract.promise
    if zone != promise.zone.key:
        return f"runs at times of {zone}, and the promise is of {promise.zone.key}"
    begins = time(int(hour), int(minute))
    if begins >= promise.fresh_by:
        return f"runs at {begins:%H:%M}, and data is promised by {promise.fresh_by:%H:%M}"
    return ""


@EVERY_DATASET
def test_a_pipeline_runs_before_its_data_is_promised(name: str) -> None:
    one = dataset(ROOT, name)
    assert runs_too_late(one.pipeline.runs.cron, one.pipeline.runs.zone, one.contract) == ""


@pytest.mark.parametrize(
    ("cron", "zone", "why"),
    [("30 20 * * *", "Europe/Paris", "runs at 20:30, and data is"), ("0 6 * * *", "UTC", "runs at times of UTC, and")],
)
def test_a_pipeline_that_runs_too_late_is_found(cron: str, zone: str, why: str) -> None:
    assert runs_too_late(cron, zone, contract(ROOT, "fx_rates")).startswith(why)
