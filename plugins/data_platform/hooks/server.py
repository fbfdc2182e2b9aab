"""`python -m data_platform.hooks.server scheduler …`: Airflow's command of that name; its server outlives a failover.

What it does otherwise: `failover`. The API server needs no more than connections that wait, and is Airflow's own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

from data_platform.hooks import failover

#: By the command: where its loop is, and what lets that go on.
SERVERS: Mapping[str, tuple[str, str, Callable[[Any], None]]] = MappingProxyType(
    {
        "scheduler": ("airflow.jobs.scheduler_job_runner", "SchedulerJobRunner", failover.of_scheduler),
        "dag-processor": ("airflow.dag_processing.manager", "DagFileProcessorManager", failover.of_dag_processor),
        "triggerer": ("airflow.jobs.triggerer_job_runner", "TriggerRunnerSupervisor", failover.of_triggerer),
    }
)


def main() -> None:
    """Start the server that the arguments name, as `airflow` does."""
    module, name, let_go_on = SERVERS[sys.argv[1]]
    let_go_on(getattr(import_module(module), name))
    from airflow.__main__ import main as airflow

    airflow()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
