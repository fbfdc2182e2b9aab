"""Airflow's own overhead a task: a chain of 20 no-op tasks through Airflow against the same 20 calls directly.

    PYTHONPATH=.:plugins <environment>/bin/python benchmarks/airflow_overhead.py

The chain is a DAG of a scratch copy of the checkout, so that no benchmark lives among the platform's DAGs. The first
run after a start is a warm-up and not counted.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bootstrap.arguments import ROOT
from data_platform.clients import connect
from data_platform.clients.airflow import Airflow
from data_platform.stack.load import load_stack
from data_platform.targets.local.state import State
from data_platform.targets.local.target import LocalTarget

TASKS, RUNS = 20, 5
_DAG = """
from airflow.sdk import DAG, chain, task

with DAG("benchmark_chain", schedule=None):
    @task
    def nothing(): pass

    chain(*[nothing.override(task_id=f"n{{i}}")() for i in range({tasks})])
"""


def nothing() -> None:
    """What each task does."""


def airflow_run(airflow: Airflow) -> float:
    """Wall seconds of one run of the chain, as the scheduler recorded it."""
    run_id = airflow.trigger("benchmark_chain", {})
    while airflow.run_state("benchmark_chain", run_id) not in ("success", "failed"):
        time.sleep(0.2)
    run = next(r for r in airflow.runs("benchmark_chain") if r["dag_run_id"] == run_id)
    if run["state"] != "success":
        raise RuntimeError(f"the chain ended {run['state']}")
    return float(run["duration"])


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        checkout, state = Path(scratch) / "checkout", Path(scratch) / "state"
        shutil.copytree(ROOT, checkout, ignore=shutil.ignore_patterns(".git", ".platform*", "__pycache__"))
        (checkout / "dags" / "benchmark.py").write_text(_DAG.format(tasks=TASKS), encoding="utf-8")

        def bootstrap(*words: str) -> None:
            command = [sys.executable, "-m", "bootstrap", *words, "--state", str(state)]
            environment = {"PYTHONPATH": f"{checkout}:{checkout / 'plugins'}"}
            subprocess.run(command, cwd=checkout, check=True, stdout=sys.stderr, env={**os.environ, **environment})

        bootstrap("up", "--only", "airflow")
        target = LocalTarget(load_stack(checkout), State(state))
        airflow = connect.airflow(target)
        airflow_run(airflow)
        through = [airflow_run(airflow) for _ in range(RUNS)]
        started = time.monotonic()
        for _ in range(TASKS):
            nothing()
        direct = time.monotonic() - started
        bootstrap("down", "--purge")
    result = {
        "tasks": TASKS,
        "airflow_seconds": [round(value, 2) for value in through],
        "direct_seconds": round(direct, 6),
        "overhead_seconds_a_task_median": round((statistics.median(through) - direct) / TASKS, 3),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
