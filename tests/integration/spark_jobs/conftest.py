"""A raw zone with tables of its own for each test."""

from __future__ import annotations

import dataclasses
from itertools import count
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from spark_jobs.fx_rates.load import FX_RATES
from tests.integration.spark_jobs.rawzone import RawZone

_NUMBERS = count()


@pytest.fixture
def raw(spark: SparkSession, tmp_path: Path) -> RawZone:
    """An empty raw zone whose tables nobody else uses."""
    return RawZone(tmp_path, spark, dataclasses.replace(FX_RATES, name=f"fx_rates_{next(_NUMBERS)}"))
