"""What models of YAML files are made of."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from data_platform.stack.terms import CheckName, Key, Name, Seconds, Sha256, Strict, Variable


class Sample(Strict):
    """A model with one field."""

    within: Seconds = 1.0


@pytest.mark.parametrize(
    ("given", "seconds"), [(5, 5.0), (0.5, 0.5), ("90s", 90.0), ("2m", 120.0), ("1h", 3600.0), ("1.5h", 5400.0)]
)
def test_a_duration_is_a_number_of_seconds_or_says_its_unit(given: object, seconds: float) -> None:
    assert Sample.model_validate({"within": given}).within == seconds


@pytest.mark.parametrize("given", ["soon", "90", "1d", "2 m", "-3s", "s"])
def test_words_that_are_no_duration_are_refused_with_examples(given: str) -> None:
    with pytest.raises(ValidationError, match=f"{re.escape(repr(given))} is not a duration; write for example 90s"):
        Sample.model_validate({"within": given})


@pytest.mark.parametrize("given", [0, -1, "0s"])
def test_no_time_is_no_duration(given: object) -> None:
    with pytest.raises(ValidationError, match="greater than 0"):
        Sample.model_validate({"within": given})


def test_an_unknown_key_is_refused_and_a_value_never_changes() -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Sample.model_validate({"witin": 3})
    with pytest.raises(ValidationError, match="frozen"):
        Sample().within = 3


TERMS: list[tuple[Any, tuple[str, ...], tuple[str, ...]]] = [
    (Name, ("spark-operator", "s3"), ("fx_rates", "Trino", "3s", "", "a" * 41)),
    (Key, ("fx_rates", "s3"), ("spark-operator", "Rates", "_x", "", "a" * 41)),
    (Variable, ("S3_SECRET_KEY",), ("s3", "S3-KEY", "3S", "")),
    (CheckName, ("answers-on-its-page",), ("short", "Answers-on-its-page", "answers_on_its_page")),
    (Sha256, ("0af9" * 16,), ("0af9", "0AF9" * 16, "g" * 64)),
]


@pytest.mark.parametrize(("term", "fits", "others"), TERMS, ids=["name", "key", "variable", "check", "sha256"])
def test_a_term_takes_what_fits_and_nothing_else(term: Any, fits: tuple[str, ...], others: tuple[str, ...]) -> None:
    adapter = TypeAdapter(term)
    assert [adapter.validate_python(text) for text in fits] == list(fits)
    for text in others:
        with pytest.raises(ValidationError, match="pattern"):
            adapter.validate_python(text)
