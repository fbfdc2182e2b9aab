"""Names of the lakehouse are said in one module. What cannot read it says the same, and nothing else says them anew."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from data_platform.stack import lake
from data_platform.stack.holders import claimed
from data_platform.stack.load import KUBERNETES, LOCAL, load_stack

ROOT = Path(__file__).resolve().parents[3]
COMPONENTS = ROOT / "stack" / "components"
ANALYSIS, JOBS = "stack/components/processing/analysis/tools/analysis", "spark_jobs"
#: What a file says of a name, and where in it. Spark's jobs, the tools of `analysis` and dbt have environments of their
#: own, without this package; a change of dbt's files or a job's would have all data loaded again.
HELD = (
    (lake.CATALOG, "dbt_project/profiles.yml", r"env_var\('DBT_CATALOG', '(\w+)'\)"),
    (lake.CATALOG, "dbt_project/models/staging/*/sources.yml", r"env_var\('DBT_CATALOG', '(\w+)'\)"),
    (lake.SCRATCH, "dbt_project/profiles.yml", r"^ +schema: (\w+)"),
    (lake.CATALOG, f"{JOBS}/upkeep/expire.py", r'^_CATALOG = "(\w+)"'),
    (lake.CATALOG, f"{JOBS}/loading/job.py", r'return f"(\w+)[.]raw[.]'),
    (lake.PUBLISHED, f"{JOBS}/loading/job.py", r'^QUARANTINE = "(\w+)[.]raw[.]quarantine"'),
    (lake.MANIFESTS, f"{JOBS}/loading/job.py", r'rpartition\("/(\w+)/"\)'),
    (lake.REGION, f"{ANALYSIS}/store.py", r'region="(.+?)"'),
    (lake.REPORTS, f"{ANALYSIS}/store.py", r'^BUCKET = "(\w+)"'),
    (lake.CATALOG, "stack/components/processing/trino/component.yaml", r"schema: (\w+), tls"),
    (lake.ARRIVALS, "stack/stack.yaml", r"expire_days: \{(\w+)/:"),
    (lake.ARRIVALS, "nifi_flows/fx_rates/flow.json", r'"Object Key" *: *"(_\w+)/'),
    (lake.CATALOG, "datasets/*/contract.odcs.yaml", r"iceberg:(\w+)[.]"),
    (lake.CATALOG, "reports/fx_rates/page.html", r"from (\w+)[.]raw[.]quarantine"),
)
#: Texts that hold one of the names: of the catalog, a bucket, a folder, the region, what begins names of branches.
NAMES = re.compile(
    rf"\b(?:{lake.CATALOG}|{lake.REGION}|{lake.MANIFESTS}|{lake.ARRIVALS})\b|^{lake.QUARANTINE}$|^{lake.BRANCH_PREFIX}"
    rf"|\bs3a?:(?://)?(?:{lake.RAW}|{lake.REPORTS}|{lake.QUARANTINE})\b"
)
#: Where Python says them: constants in an environment that has this package.
PYTHON = ("plugins", "bootstrap", "dags", "benchmarks", "deploy")


def said(pattern: str, files: str) -> set[str]:
    paths = sorted(ROOT.glob(files))
    assert paths, files
    return {text for path in paths for text in re.findall(pattern, path.read_text(encoding="utf-8"), re.MULTILINE)}


@pytest.mark.parametrize(("name", "files", "pattern"), HELD, ids=[f"{name} in {files}" for name, files, _ in HELD])
def test_what_cannot_read_a_name_says_the_same(name: str, files: str, pattern: str) -> None:
    assert said(pattern, files) == {name}


def test_the_buckets_are_those_that_are_claimed() -> None:
    for target in (LOCAL, KUBERNETES):
        names = {each.claim.name for each in claimed(load_stack(ROOT, target=target), "minio", "bucket")}
        assert names == {lake.RAW, lake.QUARANTINE, lake.REPORTS, lake.TABLES}


def test_flows_put_files_into_the_zones() -> None:
    flow = json.loads((ROOT / "nifi_flows" / "fx_rates" / "flow.json").read_text(encoding="utf-8"))
    properties = [processor["properties"] for processor in flow["flowContents"]["processors"]]
    assert {each["Bucket"] for each in properties if "Bucket" in each} == {lake.RAW, lake.QUARANTINE}


def test_checks_ask_for_buckets_that_there_are() -> None:
    found = set()
    for path in COMPONENTS.glob("*/*/component.yaml"):
        checks = yaml.safe_load(path.read_text(encoding="utf-8"))["checks"]
        found |= {check["with"]["bucket"] for check in checks if "bucket" in check.get("with", {})}
    assert found == {lake.RAW, lake.TABLES}


def test_a_catalogs_file_is_called_as_the_catalog() -> None:
    assert (COMPONENTS / "processing" / "trino" / "etc" / "catalog" / f"{lake.CATALOG}.properties.j2").is_file()


def test_the_catalog_of_lineage_knows_what_is_one_data_set() -> None:
    (path,) = COMPONENTS.glob("*/datahub/local.yaml")
    text = yaml.safe_load(path.read_text(encoding="utf-8"))["processes"]["server"]["environment"]["DATAHUB_NAMES"]
    other = rf"{lake.PUBLISHED}|{lake.BRANCH_PREFIX}\w+"
    mine = rf"(?:trino|iceberg):(?:{lake.CATALOG}|{other})"
    notes = "|".join(name.removeprefix("_") for name in (lake.ARRIVALS, lake.MANIFESTS))
    assert [line for line in text.splitlines() if line and not line.startswith("#")] == [
        rf"{mine}[.](?:{lake.SCRATCH}[.].+|raw[.]\w+_(?:files|days)) ->",
        rf"{mine}[.](.+) -> iceberg:{lake.CATALOG}.\1",
        rf"dbt:(?:{other})[.](.+) -> dbt:{lake.CATALOG}.\1",
        rf"s3:{lake.RAW}/_(?:{notes})(?:/.*)? ->",
        rf"s3:{lake.TABLES}/{lake.FOLDER}/.+ ->",
        rf"s3:({lake.RAW}|{lake.QUARANTINE})/([^/]+)/.+ -> s3:\1/\2",
    ]


def test_floors_are_the_folders_of_dbts_models_and_what_is_loaded() -> None:
    assert lake.FLOORS[0] == "raw"
    assert {path.name for path in (ROOT / "dbt_project" / "models").iterdir()} == set(lake.FLOORS[1:])


def anew(source: str) -> Iterator[str]:
    """Constants of a module that hold one of the names; docstrings and templates' words for people are none."""
    tree = ast.parse(source)
    words = {
        node.body[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and node not in words
            and NAMES.search(node.value)
        ):
            yield f"{node.lineno}: {node.value}"


def test_python_says_them_in_one_module() -> None:
    files = [path for folder in PYTHON for path in sorted((ROOT / folder).rglob("*.py"))]
    assert len(files) > 150
    found = {str(path.relative_to(ROOT)): list(anew(path.read_text(encoding="utf-8"))) for path in files}
    here = "plugins/data_platform/stack/lake.py"
    assert found.pop(here)
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_configuration_files_are_told_them() -> None:
    names = re.compile(rf"s3://{lake.TABLES}|{lake.REGION}")
    files = [path for path in COMPONENTS.glob("*/*/etc*/**/*") if path.is_file()]
    assert len(files) > 30
    assert [str(path) for path in files if names.search(path.read_text(encoding="utf-8"))] == []
    told = [name for path in files for name in re.findall(r"\bLAKE_[A-Z]+\b", path.read_text(encoding="utf-8"))]
    assert set(told) == set(lake.told())


@pytest.mark.parametrize(
    "text",
    [
        "x = 'lakehouse'",
        "x = f'select * from lakehouse.raw.{y}'",
        "x = 's3://raw/a'",
        "f('us-east-1')",
        "x = 'quarantine'",
        "x = f'audit_{y}'",
        "x = 'a/_manifests/b'",
    ],
)
def test_a_name_that_is_said_anew_is_found(text: str) -> None:
    assert list(anew(f'"""Of the lakehouse."""\n{text}\n'))


@pytest.mark.parametrize("text", ["def f():\n    'The lakehouse.'", "x = 'quarantined'", "x = 'raw'", "# lakehouse"])
def test_words_are_no_names(text: str) -> None:
    assert list(anew(text)) == []
