"""Declared renamings: those of the component itself, and what is no rule."""

from __future__ import annotations

import pytest
import yaml
from datahub_lite.rules import Rules
from datahub_lite.store import Change

from data_platform.stack.load import load_stack
from tests.running import ROOT


def urn(name: str, platform: str) -> str:
    return f"urn:li:dataset:(urn:li:dataPlatform:{platform},{name},PROD)"


@pytest.fixture(scope="module")
def declared() -> Rules:
    local = yaml.safe_load((load_stack(ROOT).components["datahub"].folder / "local.yaml").read_text(encoding="utf-8"))
    return Rules(local["processes"]["server"]["environment"]["DATAHUB_NAMES"])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("trino,lakehouse.raw.fx_rates", "iceberg,lakehouse.raw.fx_rates"),
        ("trino,audit_fx_rates.staging.stg_fx_rates", "iceberg,lakehouse.staging.stg_fx_rates"),
        ("iceberg,audit_fx_rates.marts.fx_rates_daily", "iceberg,lakehouse.marts.fx_rates_daily"),
        ("iceberg,published.raw.quarantine", "iceberg,lakehouse.raw.quarantine"),
        ("dbt,audit_fx_rates.marts.fx_rates_daily", "dbt,lakehouse.marts.fx_rates_daily"),
        ("iceberg,lakehouse.check_lineage_1.daily", "iceberg,lakehouse.check_lineage_1.daily"),
        (f"s3,raw/fx_rates/{'a' * 64}.csv", "s3,raw/fx_rates"),
        ("s3,quarantine/fx_rates/abc/a%20b.csv", "s3,quarantine/fx_rates"),
        ("s3,raw/fx_rates", "s3,raw/fx_rates"),
        ("s3,elsewhere/fx_rates/a.csv", "s3,elsewhere/fx_rates/a.csv"),
        ("trino,tpch.tiny.nation", "trino,tpch.tiny.nation"),
        ("iceberg,lakehouse.raw.fx_rates_files", None),
        ("iceberg,lakehouse.raw.fx_rates_days", None),
        ("iceberg,lakehouse.scratch.check_1795446908_943fb09a", None),
        ("s3,raw/_manifests/fx_rates/manual.json", None),
        ("s3,raw/_arrivals/fx_rates", None),
        ("s3,lakehouse/warehouse/raw/fx_rates_89ae724a/data", None),
    ],
)
def test_what_the_component_declares(declared: Rules, given: str, expected: str | None) -> None:
    platform, _, name = given.partition(",")
    found = declared.urn(urn(name, platform))
    assert found == (expected and urn(expected.partition(",")[2], expected.partition(",")[0]))


def test_a_proposal_is_written_under_the_declared_name_wherever_it_stands(declared: Rules) -> None:
    old, new = urn("audit_x.marts.m", "trino"), urn("lakehouse.marts.m", "iceberg")
    value = {"upstreams": [{"dataset": old}], "fields": [f"urn:li:schemaField:({old},rate)"], old: 1}
    change = declared.change(Change(old, "upstreamLineage", value))
    assert change is not None
    assert change.urn == new
    assert change.value == {"upstreams": [{"dataset": new}], "fields": [f"urn:li:schemaField:({new},rate)"], new: 1}


def test_the_platform_follows_the_name_and_the_old_key_is_not_kept(declared: Rules) -> None:
    old = urn("lakehouse.marts.m", "trino")
    told = declared.change(Change(old, "dataPlatformInstance", {"platform": "urn:li:dataPlatform:trino"}))
    assert told is not None
    assert told.value == {"platform": "urn:li:dataPlatform:iceberg"}
    assert declared.change(Change(old, "datasetKey", {"name": "lakehouse.marts.m"})) is None


def test_names_in_the_paths_of_patches_are_found(declared: Rules) -> None:
    old = urn("raw~1fx_rates~1abc.csv", "s3")
    patch = [{"op": "add", "path": f"/upstreams/{old}", "value": {}}]
    change = declared.change(Change(urn("x", "iceberg"), "upstreamLineage", patch))
    assert change is not None
    assert change.value[0]["path"] == f"/upstreams/{urn('raw~1fx_rates', 's3')}"


def test_the_first_rule_decides_and_must_match_the_whole() -> None:
    rules = Rules("a:x -> b:one\na:x.* -> b:two")
    assert [rules.urn(urn(name, "a")) for name in ("x", "xy", "wx")] == [
        urn("one", "b"),
        urn("two", "b"),
        urn("wx", "a"),
    ]


@pytest.mark.parametrize("line", ["a:b", "-> a:b", "a:( -> a:b", "a:b -> nothing", "a:(b) -> a:\\2"])
def test_what_is_no_rule_is_named(line: str) -> None:
    with pytest.raises(ValueError, match="is no rule"):
        Rules(line)
