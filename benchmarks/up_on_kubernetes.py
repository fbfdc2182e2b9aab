"""`up --target kubernetes` against the components' own starts on the longest chain; start of task pods; memory.

    python3 -m bootstrap cluster up --state /tmp/bench
    PYTHONPATH=.:plugins <environment>/bin/python benchmarks/up_on_kubernetes.py --state /tmp/bench

Runs `up` on that cluster, which is to be empty, with images and programs there. Both sides are of this one run: what a
component's pods took from being made to being ready, and its checks, is its own start. Since everything starts on the
same cores, that is longer than it would be alone. `--only-look` judges a platform that `up` has just brought up.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from up import bootstrap, cpu_seconds, longest_chain

from bootstrap.cluster import cgroups, machine
from bootstrap.cluster.layout import Layout
from bootstrap.cluster.report import pss_mib
from bootstrap.place import connect, open_target
from data_platform.clients.airflow import Airflow
from data_platform.records import results
from data_platform.targets.kubernetes import places, rollout
from data_platform.targets.kubernetes.target import KubernetesTarget

DAGS = ("stack_deploy", "pipelines_fx_rates")


def seconds_between(first: str, last: str) -> float:
    """Between two times as Kubernetes and Airflow write them."""
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()


def own_starts(target: KubernetesTarget) -> dict[str, float]:
    """Seconds of each component: its slowest pod from being made to being ready, then its checks."""
    checks = results.latest(target)
    found = {}
    for name in target.stack.components:
        pods = rollout.pods_of(target.cluster, name, places.namespace(target.stack, name))
        ready = [
            seconds_between(pod["metadata"]["creationTimestamp"], condition["lastTransitionTime"])
            for pod in pods
            for condition in pod["status"]["conditions"]
            if condition["type"] == "Ready"
        ]
        found[name] = max(ready, default=0.0) + sum(check.seconds for check in checks if check.component == name)
    return found


def tasks(airflow: Airflow, dag: str) -> dict[str, Any]:
    """The first run of a DAG: its seconds, and how long its task pods took to begin."""
    run = airflow.runs(dag)[-1]
    begun = [
        seconds_between(task["queued_when"], task["start_date"])
        for task in airflow.tasks(dag, run["dag_run_id"])
        if task["queued_when"] and task["start_date"] and task["hostname"]
    ]
    cuts = statistics.quantiles(begun, n=20)
    return {
        "seconds": round(seconds_between(run["start_date"], run["end_date"]), 1),
        "pods": len(begun),
        "begins_p50": round(statistics.median(begun), 1),
        "begins_p95": round(cuts[-1], 1),
        "begins_least": round(min(begun), 1),
    }


def memory_mib(target: KubernetesTarget, layout: Layout) -> dict[str, int]:
    """Proportional set size (PSS): the node's servers together, and the pods of each component."""
    record = machine.read(layout)
    if record is None:
        sys.exit(f"there is no cluster of ours in {layout.folder}")
    pids = [int(line) for line in cgroups.entrance(record.group).read_text(encoding="ascii").split()]
    found = {"node": sum(map(pss_mib, pids))}
    for name in target.stack.components:
        for pod in rollout.pods_of(target.cluster, name, places.namespace(target.stack, name)):
            groups = (cgroups.telling() / record.group).rglob(f"pod{pod['metadata']['uid']}/**/cgroup.procs")
            inside = {int(line) for file in groups for line in file.read_text(encoding="ascii").split()}
            found[name] = found.get(name, 0) + sum(map(pss_mib, inside))
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--only-look", action="store_true")
    arguments = parser.parse_args()
    result: dict[str, Any] = {}
    if not arguments.only_look:
        cpu, started = cpu_seconds(), time.time()
        up = bootstrap(arguments.state, "up", "--target", "kubernetes")
        result = {"up_seconds": round(up, 1), "up_cpu_seconds": round(cpu_seconds() - cpu, 1)}
    with closing(cast("KubernetesTarget", open_target(arguments))) as target, connect(target) as airflow:
        seconds = own_starts(target)
        chain, names = longest_chain(target.stack, seconds)
        if not arguments.only_look:
            deployed = datetime.fromisoformat(airflow.runs("stack_deploy")[-1]["end_date"]).timestamp() - started
            result |= {"until_deployed_seconds": round(deployed, 1), "ratio": round(deployed / chain, 2)}
        result |= {
            "component_seconds": {name: round(value, 1) for name, value in seconds.items()},
            "longest_chain": names,
            "longest_chain_seconds": round(chain, 1),
            **{dag: tasks(airflow, dag) for dag in DAGS},
            "memory_pss_mib": memory_mib(target, Layout(arguments.state)),
        }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
