"""The page of a DAG is made of what the dataset's own files say."""

from __future__ import annotations

import yaml

from data_platform.datasets.describe import pipeline_doc
from data_platform.stack.contract import Contract
from data_platform.stack.datasets import Dataset, Pipeline, Times
from tests.unit.stack.test_contract import GOOD

PIPELINE = Pipeline(runs=Times(cron="0 6 * * 1", zone="Europe/Paris"))


def page(pipeline: Pipeline = PIPELINE) -> str:
    return pipeline_doc(Dataset("tiny", Contract.model_validate(yaml.safe_load(GOOD)), pipeline))


def test_it_says_what_for_when_whose_and_what_to_do() -> None:
    text = page()
    assert text.startswith("### Tiny numbers, from files to marts\n\nto count\n\n")
    for said in ("`lakehouse.raw.tiny`", "`marts.tiny`", "`0 6 * * 1`", "(Europe/Paris)", "**Owner:** counters.",
                 "**When it fails:**", "where dataset = 'tiny'"):  # fmt: skip
        assert said in text, said
    assert max(map(len, text.splitlines())) <= 120


def test_parameters_are_said_where_days_can_be_loaded_again() -> None:
    assert "Parameters" not in page()
    assert page(PIPELINE.model_copy(update={"days": True})).endswith(
        "Parameters `from` and `to`: load these days again from all files.\n"
    )
