"""The load of `fx_rates` into tables of its own, for `load_rows.py`: Spark runs it."""

from __future__ import annotations

import dataclasses

from spark_jobs.fx_rates.load import FX_RATES
from spark_jobs.loading.job import run

if __name__ == "__main__":
    run(dataclasses.replace(FX_RATES, name="benchmark_load"))
