"""DataHub's Airflow listener, made to cost nothing where there is nothing to tell.

As it comes, the plugin is imported by every Airflow process (2 CPU seconds and 110 MiB each), writes to the catalog
twice a task, whether or not the task has data, and once from the scheduler. Here it speaks once, when a task that says
what it reads or writes has succeeded. It is imported by the scheduler alone where tasks are forked from it, and where
each task is a process of its own, by those that have something to say.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

#: `on` for the process from which tasks are forked, `late` where each task is a process of its own.
SWITCH = "DATA_PLATFORM_LINEAGE"
#: What Airflow would load by the package's entry point.
_ENTRY_POINT = "datahub_airflow_plugin.datahub_plugin"
#: Longest time that a task waits for a catalog that answers slowly. One that does not answer is given up at the first
#: request, after the `timeout_sec` of its connection.
_SECONDS = 10


def listeners() -> list[Any]:
    """Listeners for Airflow's plugin manager: none but where lineage is switched on. The package's own is left out."""
    nothing = ModuleType(_ENTRY_POINT)
    nothing.DatahubPlugin = None  # type: ignore[attr-defined]
    sys.modules[_ENTRY_POINT] = nothing
    match os.environ.get(SWITCH):
        case "on":
            return [_listener()]
        case "late":
            return [_late()]
        case _:
            return []


def _late() -> Any:
    from airflow.listeners import hookimpl

    class LateListener:
        """Imports the other one when a task has something to say."""

        @hookimpl
        def on_task_instance_success(self, previous_state: Any, task_instance: Any) -> None:
            """Pass it on."""
            if tells(task_instance.task):
                _listener().on_task_instance_success(previous_state=previous_state, task_instance=task_instance)

    return LateListener()


def _listener() -> Any:
    from data_platform.clients.datahub import load_library

    load_library()
    os.environ.setdefault("DATAHUB_AIRFLOW_PLUGIN_RUN_IN_THREAD_TIMEOUT", str(_SECONDS))
    from airflow.listeners import hookimpl
    from datahub.api.entities.dataprocess.dataprocess_instance import InstanceRunResult
    from datahub_airflow_plugin._config import get_lineage_config
    from datahub_airflow_plugin.airflow3.datahub_listener import DataHubListener, run_in_thread

    class PipelineListener(DataHubListener):
        """Tells the catalog of a task and its data when the task has succeeded."""

        @hookimpl
        def on_task_instance_running(self, previous_state: Any, task_instance: Any, **more: Any) -> None:
            """Nothing: what a task is going to do is told when it is done."""

        @hookimpl
        def on_task_instance_failed(self, previous_state: Any, task_instance: Any, **more: Any) -> None:
            """Nothing: it has written nothing that counts."""

        @hookimpl
        def on_dag_run_running(self, dag_run: Any, msg: str) -> None:
            """Nothing: the scheduler must not wait for the catalog."""

        @hookimpl
        @run_in_thread
        def on_task_instance_success(self, previous_state: Any, task_instance: Any, **more: Any) -> None:
            """Send the DAG, the task, and what the task reads and writes."""
            del previous_state, more
            if self.config.dag_filter_pattern.allowed(task_instance.dag_id) and tells(task_instance.task):
                run: Any = SimpleNamespace(
                    dag=task_instance.task.dag, dag_id=task_instance.dag_id, run_id=task_instance.run_id
                )
                self.on_dag_start(run)
                self.on_task_instance_finish(task_instance, InstanceRunResult.SUCCESS)

        def _create_single_emitter_from_connection(self, conn_id: str) -> Any:
            emitter: Any = super()._create_single_emitter_from_connection(conn_id)
            if emitter is not None:
                emitter.session.trust_env = False  # the catalog is never behind the user's proxy
            return emitter

    return PipelineListener(config=get_lineage_config())


def tells(task: Any) -> bool:
    """Whether a task has something to say: inlets or outlets.

    What operators find out by themselves is left out: of ours only Cosmos' do, and what dbt read and wrote is told from
    its own manifest (see data_platform.datasets.lineage).
    """
    return bool(task.inlets or task.outlets)
