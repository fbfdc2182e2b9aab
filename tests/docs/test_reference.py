"""`docs/reference/` is what the code says now, and the schemas accept what the code accepts."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from data_platform.stack.load import KUBERNETES, LOCAL, load_stack
from docs import generate

pytestmark = pytest.mark.helm

ROOT = Path(__file__).resolve().parents[2]
COMPONENTS = sorted((ROOT / "stack" / "components").glob("*/*/component.yaml"))
ENVIRONMENTS = sorted((ROOT / "environments").glob("*.yaml"))
DATASETS = sorted((ROOT / "datasets").glob("*/*.yaml"))
LOCALS = sorted((ROOT / "stack" / "components").glob("*/*/local.yaml"))


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return generate.files()


def test_no_file_is_stale() -> None:
    assert generate.stale() == [], "run: python docs/generate.py"


def test_a_stale_a_missing_and_a_left_over_file_are_found(tmp_path: Path) -> None:
    folder = tmp_path / "reference"
    shutil.copytree(generate.REFERENCE, folder)
    stale = generate.stale(folder)
    (folder / "checks.md").write_text("# Check kinds\n", encoding="utf-8")
    (folder / "local.schema.json").unlink()
    (folder / "old.md").write_text("x", encoding="utf-8")
    assert set(generate.stale(folder)) - set(stale) == {"checks.md", "local.schema.json", "old.md"} - set(stale)
    assert set(generate.stale(folder)) >= {"checks.md", "local.schema.json", "old.md"}


def test_a_second_generation_is_the_same(files: dict[str, str]) -> None:
    assert generate.files() == files


def test_nothing_of_this_machine_is_in_it(files: dict[str, str]) -> None:
    assert len(files) == 15
    for name, content in files.items():
        assert str(ROOT) not in content, name
        assert str(Path.home()) not in content, name


def test_every_check_kind_has_a_chapter(files: dict[str, str]) -> None:
    used = {c["kind"] for path in COMPONENTS for c in yaml.safe_load(path.read_text(encoding="utf-8"))["checks"]}
    chapters = set(re.findall(r"^## `(\w+)`$", files["checks.md"], re.MULTILINE))
    assert len(used) >= 8
    assert chapters >= used
    assert chapters == set(generate.kinds())


def test_every_check_is_named_under_its_kind(files: dict[str, str]) -> None:
    assert len(COMPONENTS) >= 10
    for path in COMPONENTS:
        component = yaml.safe_load(path.read_text(encoding="utf-8"))
        for check in component["checks"]:
            chapter = files["checks.md"].partition(f"## `{check['kind']}`")[2].partition("\n## ")[0]
            assert f"- {component['name']}: {check['name']}" in chapter


def test_every_argument_of_a_kind_says_what_it_means(files: dict[str, str]) -> None:
    rows = re.findall(r"^\| `(\w+)` \|.*\| ([^|]*) \|$", files["checks.md"], re.MULTILINE)
    assert len(rows) >= 10
    assert [name for name, meaning in rows if not meaning.strip()] == []


def test_every_verb_and_option_is_in_the_commands(files: dict[str, str]) -> None:
    from bootstrap.arguments import make_parser

    verbs = generate._verbs(make_parser())
    assert set(re.findall(r"^## `(\w+)`$", files["commands.md"], re.MULTILINE)) == set(verbs)
    for verb, parser in verbs.items():
        chapter = files["commands.md"].partition(f"## `{verb}`")[2].partition("\n## ")[0]
        for action in parser._actions:
            if action.dest != "help":
                assert action.help, f"{verb}: {action.dest} has no help"
                assert action.help.replace("|", "\\|") in chapter


def test_every_dag_file_is_in_the_dags(files: dict[str, str]) -> None:
    ids = {"_".join(p.relative_to(ROOT / "dags").with_suffix("").parts) for p in (ROOT / "dags").rglob("*.py")}
    assert len(ids) >= 3
    assert set(re.findall(r"^## `(\w+)`$", files["dags.md"], re.MULTILINE)) == ids
    assert files["dags.md"].count("**When it fails:**") == len(ids)


def problems(schema: str, document: object) -> list[str]:
    """What a schema says against a document."""
    validator = jsonschema.Draft202012Validator(json.loads(schema))
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]


@pytest.mark.parametrize(
    "path", [*COMPONENTS, *LOCALS, ROOT / "stack" / "stack.yaml"], ids=lambda p: f"{p.parent.name}-{p.stem}"
)
def test_every_file_of_the_stack_follows_its_schema(files: dict[str, str], path: Path) -> None:
    assert problems(files[f"{path.stem}.schema.json"], yaml.safe_load(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_every_environment_follows_its_schema(files: dict[str, str], path: Path) -> None:
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert problems(files["environment.schema.json"], document) == []
    assert problems(files["environment.schema.json"], document | {"sise": "small"}) != []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sumary": "x"}, "sumary"),
        ({"checks": []}, "$.checks"),
        ({"checks": [{"name": "is-a-sentence", "kind": "http", "within": "soon"}]}, "$.checks[0].within"),
        ({"endpoints": {"http": {"port": 80}}}, "$.endpoints.http.port"),
    ],
)
def test_a_mistake_is_seen_by_the_schema_too(files: dict[str, str], change: dict[str, Any], said: str) -> None:
    document = yaml.safe_load((ROOT / "stack/components/storage/minio/component.yaml").read_text(encoding="utf-8"))
    found = problems(files["component.schema.json"], document | change)
    assert len(found) == 1
    assert said in found[0]


@pytest.mark.parametrize("path", DATASETS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_every_file_of_a_dataset_follows_its_schema(files: dict[str, str], path: Path) -> None:
    schema = files[f"{path.name.partition('.')[0]}.schema.json"]
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert problems(schema, document) == []
    assert len(problems(schema, document | {"colour": "red"})) == 1


def test_every_column_of_every_contract_is_in_the_page_of_datasets(files: dict[str, str]) -> None:
    contracts = [yaml.safe_load(path.read_text("utf-8")) for path in DATASETS if path.name.startswith("contract")]
    assert len(contracts) >= 2
    for contract in contracts:
        chapter = files["datasets.md"].partition(f"## `{contract['id']}`")[2].partition("\n## ")[0]
        for table in contract["schema"]:
            section = chapter.partition(f"### `{table['name']}`")[2].partition("\n### ")[0]
            rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| (C[0-3]) \|", section, re.MULTILINE)
            assert rows == [(c["name"], c["physicalType"], c["classification"]) for c in table["properties"]]


def test_every_key_of_a_schema_is_described_or_speaks_for_itself(files: dict[str, str]) -> None:
    schema = json.loads(files["component.schema.json"])
    properties = {**schema["properties"], **schema["$defs"]["CheckSpec"]["properties"]}
    assert {"with", "within", "kind", "after", "calls"} <= set(properties), "keys are as one writes them in YAML"
    silent = {name for name, spec in properties.items() if not spec.get("description")}
    spoken = {"name", "endpoints", "connection", "resources", "checks", "backup"}
    assert silent <= spoken


@pytest.mark.parametrize("target", [LOCAL, KUBERNETES])
def test_the_picture_of_the_components_has_an_arrow_for_each_call_and_no_other(target: str) -> None:
    stack = load_stack(generate.ROOT, target=target)
    page = (generate.REFERENCE / "components.md").read_text(encoding="utf-8")
    (picture,) = re.findall(rf"## Who calls whom on `{target}`.*?```mermaid\n(.*?)```", page, re.DOTALL)
    drawn = re.findall(r"c_(\w+) --> c_(\w+)", picture)
    assert sorted(drawn) == sorted((name, other) for name in stack.components for other in stack.callees(name)) != []
    later = {(one, other) for one, other in re.findall(r"c_(\w+) -\.-> c_(\w+)", picture)}
    # A picture has no hyphens in what it draws.
    orders = {
        (name.replace("-", "_"), other.replace("-", "_"))
        for name in stack.components
        for other in stack.dependencies(name)
    }
    assert later == orders - set(drawn)
