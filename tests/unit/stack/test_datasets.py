"""The registry knows every dataset, and a dataset is whole."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from data_platform.stack.datasets import contract, dataset, registry
from data_platform.stack.errors import PlatformError
from data_platform.stack.stack import datasets
from tests.unit.stack.test_contract import GOOD

ROOT = Path(__file__).resolve().parents[3]
PIPELINE = "runs: {cron: 0 6 * * 1, zone: Europe/Paris}\n"
#: What a dataset has beside its contract.
PARTS = (
    "datasets/{}/pipeline.yaml",
    "nifi_flows/{}/parameters.yaml",
    "spark_jobs/{}/load.py",
    "dbt_project/models/staging/{}/sources.yml",
    "dbt_project/models/marts/{}",
    "expectations/{}/raw.yaml",
    "expectations/{}/marts.yaml",
    "dags/pipelines/{}.py",
    "docs/datasets/{}.md",
)


def write(root: Path, name: str, contract: str, pipeline: str = PIPELINE) -> Path:
    folder = root / "datasets" / name
    folder.mkdir(parents=True)
    (folder / "contract.odcs.yaml").write_text(contract, encoding="utf-8")
    (folder / "pipeline.yaml").write_text(pipeline, encoding="utf-8")
    return folder


def missing(root: Path, name: str) -> list[str]:
    return [part.format(name) for part in PARTS if not (root / part.format(name)).exists()]


def test_the_project_has_datasets() -> None:
    assert {"currencies", "fx_rates"} <= set(registry(ROOT))


@pytest.mark.parametrize("name", datasets(ROOT))
def test_every_dataset_is_whole(name: str) -> None:
    assert missing(ROOT, name) == []
    if reference := dataset(ROOT, name).pipeline.reference:
        assert reference.package or (ROOT / reference.file).is_file()


def test_a_part_that_is_missing_is_found(tmp_path: Path) -> None:
    write(tmp_path, "tiny", GOOD)
    assert missing(tmp_path, "tiny") == [part.format("tiny") for part in PARTS[1:]]


@pytest.mark.parametrize(
    ("pattern", "place"),
    [
        ("nifi_flows/*/parameters.yaml", -2),
        ("dbt_project/models/*/*/*.yml", -2),
        ("expectations/*/raw.yaml", -2),
        ("dags/pipelines/*.py", -1),
        ("docs/datasets/*.md", -1),
        ("reports/*/page.py", -2),
    ],
)
def test_nothing_is_of_a_dataset_that_the_registry_does_not_know(pattern: str, place: int) -> None:
    found = {path.parts[place].partition(".")[0] for path in ROOT.glob(pattern)}
    assert found
    assert found <= set(datasets(ROOT))


def test_a_dataset_has_its_contract_and_its_pipeline(tmp_path: Path) -> None:
    write(tmp_path, "tiny", GOOD, PIPELINE + "reference: {file: a.csv}\ndays: true\n")
    found = registry(tmp_path)["tiny"]
    assert (found.name, found.contract.id) == ("tiny", "tiny")
    assert (found.pipeline.runs.cron, found.pipeline.runs.zone) == ("0 6 * * 1", "Europe/Paris")
    assert found.pipeline.reference is not None
    assert (found.pipeline.reference.file, found.pipeline.days) == ("a.csv", True)


def test_an_unknown_dataset_is_told_with_the_known_ones(tmp_path: Path) -> None:
    write(tmp_path, "tiny", GOOD)
    with pytest.raises(PlatformError, match=r"no dataset 'huge': datasets/huge/contract\.odcs\.yaml") as error:
        contract(tmp_path, "huge")
    assert error.value.remedy.startswith("use one of: tiny;")


def test_a_contract_in_another_ones_folder_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path, "small", GOOD)
    with pytest.raises(PlatformError) as error:
        contract(tmp_path, "small")
    assert error.value.problem == f"{folder / 'contract.odcs.yaml'}: id is 'tiny', but the folder is 'small'"


def test_a_table_of_two_contracts_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "tiny", GOOD)
    other = yaml.safe_load(GOOD.replace("raw.tiny", "raw.other"))
    write(tmp_path, "other", yaml.safe_dump(other | {"id": "other"}))
    with pytest.raises(PlatformError, match=r"contracts of other and tiny both have the table marts\.tiny"):
        registry(tmp_path)


@pytest.mark.parametrize(
    ("pipeline", "words"),
    [
        ("days: true\n", "runs: Field required"),
        ("runs: {cron: daily, zone: Europe/Paris}\n", "runs.cron"),
        ("runs: {cron: 0 6 * * 1, zone: Nowhere}\n", "'Nowhere' is no time zone"),
        (PIPELINE + "retries: 3\n", "retries: unknown key"),
    ],
)
def test_a_mistake_in_a_pipeline_is_told_with_file_and_key(tmp_path: Path, pipeline: str, words: str) -> None:
    folder = write(tmp_path, "tiny", GOOD, pipeline)
    with pytest.raises(PlatformError) as error:
        dataset(tmp_path, "tiny")
    assert str(folder / "pipeline.yaml") in error.value.problem
    assert words in error.value.problem


def test_a_dataset_without_a_pipeline_file_names_it(tmp_path: Path) -> None:
    folder = write(tmp_path, "tiny", GOOD)
    (folder / "pipeline.yaml").unlink()
    with pytest.raises(PlatformError, match=r"pipeline\.yaml is missing"):
        dataset(tmp_path, "tiny")
