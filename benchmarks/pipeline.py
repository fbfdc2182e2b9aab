"""The pipeline through Airflow against the same work called directly, and dbt through Cosmos against one `dbt build`.

    PYTHONPATH=.:plugins <environment>/bin/python benchmarks/pipeline.py --state .platform

Needs a running platform (`python3 -m bootstrap up`) and nothing else on the machine. Both sides load all files again
(`from` = the first day). The side that goes first changes from pair to pair: what one leaves behind, warm caches or a
JVM that ends, the other meets. Files are landed before, so NiFi's wait for quiet files is on neither side. As in the
DAG, the page is drawn beside the documentation and the lineage. Seconds of a shared machine differ from minute to
minute; what all its processors were busy for (the platform's own idle load too) differs less.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import psutil

from bootstrap.arguments import ROOT
from data_platform.checks.base import Deadline
from data_platform.clients import connect
from data_platform.clients.airflow import Airflow
from data_platform.stack import lake
from data_platform.stack.load import load_stack
from data_platform.targets.local.state import State
from data_platform.targets.local.target import LocalTarget

DATASET, DAG, FIRST = "fx_rates", "pipelines_fx_rates", "1999-01-04"
SECONDS = 600.0


def direct(target: LocalTarget) -> dict[str, float]:
    """Seconds of each step, called one after the other in this process."""
    from data_platform.datasets import audit, dbt_docs, files, flow, lineage
    from data_platform.operators.dataset import result_of

    run, catalog = f"benchmark {time.time()}", audit.branch_of(DATASET)
    days = files.Days.model_validate({"from": FIRST})
    manifest = f"s3a://{lake.RAW}/{files.manifest_key(DATASET, run)}"
    load = ["--conf", f"spark.sql.catalog.{lake.CATALOG}.ref={catalog}", f"spark_jobs/{DATASET}/load.py", "--manifest"]
    models = ["--select", f"path:models/staging/{DATASET}", f"path:models/marts/{DATASET}"]

    def deadline() -> Deadline:
        return Deadline(SECONDS)

    def tool(component: str, name: str, *words: str) -> Callable[[], object]:
        def act() -> object:
            done = target.run_tool(component, name, words, SECONDS)
            if done.returncode != 0:
                raise RuntimeError(f"{component} {name} ended with {done.returncode}:\n{done.output}")
            return done

        return act

    def validate(suite: str) -> Callable[[], object]:
        words = ("--dataset", DATASET, "--suite", suite, "--catalog", catalog, "--publish")
        return lambda: result_of(target.run_tool("analysis", "validate", words, SECONDS), suite)

    steps: dict[str, Callable[[], object]] = {
        "flow": lambda: flow.deploy_flow(target, DATASET, deadline=deadline()),
        "land": lambda: flow.await_landed(target, DATASET, deadline()),
        "discover": lambda: files.discover(target, DATASET, run, days, 60),
        "audit": lambda: audit.open_audit(target, DATASET, deadline()),
        "load": tool("spark", "submit", *load, manifest),
        "validate_raw": validate("raw"),
        "dbt": tool("dbt", "dbt", "build", "--exclude-resource-type", "unit_test", *models),
        "validate_marts": validate("marts"),
        "publish": lambda: audit.publish(target, DATASET, deadline()),
        "page": tool("analysis", "draw", "--dataset", DATASET, "--catalog", lake.CATALOG),
        "docs": lambda: dbt_docs.build_docs(target, DATASET, SECONDS),
        "lineage": lambda: [
            emit(target, DATASET, deadline()) for emit in (lineage.emit_nifi_lineage, lineage.emit_dbt_lineage)
        ],
    }
    found = {}

    def timed(*names: str) -> None:
        for name in names:
            started = time.monotonic()
            steps[name]()
            found[name] = time.monotonic() - started

    for name in list(steps)[: list(steps).index("page")]:
        os.environ["DBT_CATALOG"] = catalog if name == "dbt" else lake.CATALOG
        timed(name)
    os.environ["DBT_CATALOG"] = lake.CATALOG
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(timed, "page"), pool.submit(timed, "docs", "lineage")]:
            done.result()
    return found


@contextmanager
def busy(found: dict[str, float], side: str) -> Iterator[None]:
    """Add the seconds of the block, and those that all processors of the machine were busy for (`…_cpu`)."""
    before, started = psutil.cpu_times(), time.monotonic()
    yield
    after = psutil.cpu_times()
    found[side] = time.monotonic() - started
    found[f"{side}_cpu"] = sum(after) - sum(before) - (after.idle - before.idle) - (after.iowait - before.iowait)


def through_airflow(airflow: Airflow) -> tuple[float, float]:
    """Seconds of a run, and of its group of dbt tasks."""
    run_id = airflow.trigger(DAG, {"from": FIRST})
    while airflow.run_state(DAG, run_id) not in ("success", "failed"):
        # Seldom: what this side's questions cost the API server is not the pipeline's. Seconds come from Airflow.
        time.sleep(3)
    run = next(r for r in airflow.runs(DAG) if r["dag_run_id"] == run_id)
    if run["state"] != "success":
        raise RuntimeError(f"{run_id} ended {run['state']}")
    tasks = {t["task_id"]: t for t in airflow.tasks(DAG, run_id)}
    models = [t for name, t in tasks.items() if name.startswith("dbt.") and t["start_date"]]
    began = datetime.fromisoformat(tasks["validate_raw"]["end_date"])
    ended = max(datetime.fromisoformat(t["end_date"]) for t in models)
    return float(run["duration"]), (ended - began).total_seconds()


def measure(target: LocalTarget, airflow: Airflow, order: tuple[str, ...]) -> dict[str, float]:
    """One pair: both sides, and the steps of the direct one."""
    found: dict[str, float] = {}
    for side in order:
        with busy(found, side):
            if side == "direct":
                found |= direct(target)
            else:
                found["run"], found["cosmos"] = through_airflow(airflow)
    return found


def main() -> None:
    """Measure in turns and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, default=ROOT / ".platform")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    state = State(arguments.state.resolve())
    target = LocalTarget(load_stack(ROOT, str(state.settings()["profile"])), state)
    airflow = connect.airflow(target)
    sides: list[dict[str, float]] = []
    for pair in range(arguments.runs):
        order = ("direct", "airflow") if pair % 2 == 0 else ("airflow", "direct")
        sides.append(measure(target, airflow, order))
        print(json.dumps({name: round(value, 1) for name, value in sides[-1].items()}), flush=True)
    result = {name: round(statistics.median(side[name] for side in sides), 1) for name in sides[0]}
    for one, two in (("run", "direct"), ("airflow_cpu", "direct_cpu"), ("cosmos", "dbt")):
        result[f"{one} / {two}"] = round(statistics.median(side[one] / side[two] for side in sides), 2)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
