"""The package `spark_jobs` by its own path: to look for it in the checkout, a job would have to list that."""

from pathlib import Path

__path__ = [str(Path(__file__).resolve().parents[6] / "spark_jobs")]
