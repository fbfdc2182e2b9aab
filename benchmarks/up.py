"""`up` against the lower bound of the same work, both in one run.

    python3 -m bootstrap test unit            # makes the environment, once
    PYTHONPATH=.:plugins <environment>/bin/python benchmarks/up.py --out result.json

Side A installs every component by itself, one after the other, with the same target code and without Airflow's
scheduling: that gives each component's own start time, and with the order the longest chain. Side B is
`python3 -m bootstrap up` on a new state folder. Lower bound: the larger of (CPU seconds of side B / cores) and the
longest chain. Artifacts are cached before both. Run it on an idle machine: CPU seconds are the whole machine's.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from bootstrap import supervision
from bootstrap.arguments import ROOT
from bootstrap.place import make_target, remember
from bootstrap.progress import Progress
from bootstrap.up import install
from data_platform.stack.stack import Stack
from data_platform.targets.local import mark
from data_platform.targets.local.target import LocalTarget


def cpu_seconds() -> float:
    """CPU seconds that the machine has spent, without idling."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq)


def bootstrap(state: Path, *words: str) -> float:
    """Wall seconds of one call of the command line."""
    started = time.monotonic()
    command = [sys.executable, "-m", "bootstrap", words[0], "--state", str(state), *words[1:]]
    subprocess.run(command, cwd=ROOT, check=True, stdout=sys.stderr, timeout=3600)
    return time.monotonic() - started


def side_a(state: Path) -> tuple[dict[str, float], LocalTarget]:
    """Seconds of each component, installed alone on a machine that does nothing else."""
    target = make_target(state, {})
    mark.claim(target.state)
    remember(target, {})
    supervision.ensure(target.state)
    seconds = {}
    for name in target.stack.components:
        started = time.monotonic()
        install(target, name, Progress())
        seconds[name] = time.monotonic() - started
    return seconds, target


def longest_chain(stack: Stack, seconds: dict[str, float]) -> tuple[float, list[str]]:
    """The dependency chain whose start times add up to most. Airflow comes before everything that it deploys."""
    best: dict[str, tuple[float, list[str]]] = {}

    def chain_to(name: str) -> tuple[float, list[str]]:
        if name not in best:
            needs = set(stack.dependencies(name))
            if not stack.components[name].component.bootstrap:
                needs.add("airflow")
            before = max((chain_to(needed) for needed in needs), default=(0.0, []))
            best[name] = (before[0] + seconds[name], [*before[1], name])
        return best[name]

    return max(chain_to(name) for name in stack.components)


def memory_mib(state: Path) -> dict[str, float]:
    """Proportional set size (PSS) of every program with its children, in MiB."""
    supervisor = psutil.Process(int((state / "run" / "supervisord.pid").read_text(encoding="ascii")))
    found = {"supervisor": supervisor.memory_full_info().pss / 2**20}
    for program in supervisor.children():
        tree = [program, *program.children(recursive=True)]
        command = " ".join(program.cmdline())[-60:]
        found[f"{program.pid} {program.name()} …{command}"] = sum(p.memory_full_info().pss for p in tree) / 2**20
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    out = parser.parse_args().out
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        alone, together = Path(scratch) / "a", Path(scratch) / "b"
        cpu = cpu_seconds()
        try:
            seconds, target = side_a(alone)
            cpu_a = cpu_seconds() - cpu
            chain, names = longest_chain(target.stack, seconds)
        finally:
            bootstrap(alone, "down", "--purge")

        cpu = cpu_seconds()
        try:
            up = bootstrap(together, "up")
            cpu_b = cpu_seconds() - cpu
            second = [bootstrap(together, "up") for _ in range(3)]
            deploy = [bootstrap(together, "run", "stack_deploy") for _ in range(3)]
            memory = memory_mib(together)
        finally:
            bootstrap(together, "down", "--purge")
    cores = os.cpu_count() or 1
    bound = max(cpu_b / cores, chain)
    result = {
        "cores": cores,
        "component_seconds_alone": {name: round(value, 1) for name, value in seconds.items()},
        "cpu_seconds_alone": round(cpu_a, 1),
        "longest_chain": names,
        "longest_chain_seconds": round(chain, 1),
        "up_seconds": round(up, 1),
        "up_cpu_seconds": round(cpu_b, 1),
        "lower_bound_seconds": round(bound, 1),
        "ratio": round(up / bound, 2),
        "second_up_seconds": [round(value, 1) for value in second],
        "deploy_nothing_to_do_seconds": [round(value, 1) for value in deploy],
        "memory_pss_mib": {name: round(value) for name, value in memory.items()},
        "memory_pss_mib_total": round(sum(memory.values())),
    }
    text = json.dumps(result, indent=2)
    print(text)
    if out:
        out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
