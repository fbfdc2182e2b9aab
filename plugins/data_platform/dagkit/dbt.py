"""A dataset's dbt models as a task group, drawn by Astronomer Cosmos.

One task runs one `dbt build` for all models of the dataset; each model and its tests have a task that follows what that
run says of them, and that runs the model itself where it is tried again. See docs of Cosmos: ExecutionMode.WATCHER.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from airflow.sdk import TaskGroup
from cosmos.airflow.task_group import DbtTaskGroup
from cosmos.config import ExecutionConfig, ProfileConfig, ProjectConfig, RenderConfig
from cosmos.constants import ExecutionMode, InvocationMode, LoadMode, TestBehavior
from cosmos.operators._watcher.base import BaseConsumerSensor
from cosmos.operators.local import DbtLocalBaseOperator

from data_platform.clients import dbt
from data_platform.datasets.dbt_docs import FOLDERS, PROJECT
from data_platform.operators.models import wait_in_triggerer
from data_platform.operators.pods import pod_of, tasks_are_pods
from data_platform.stack.capabilities import MODELS
from data_platform.stack.errors import PlatformError
from data_platform.stack.lake import BRANCH_PREFIX

_MANIFEST = "slim_manifest.json"
#: Seconds between two looks at what the run says. The models' tasks wait in their own process, or from their start in
#: the triggerer: giving a process back and getting another one (`deferrable`) takes longer than most models.
_LOOK = 1
#: The run itself is tried again by the models' tasks. Cosmos skips its second try, and the models' tasks must see that
#: before they begin theirs.
_RUN: dict[str, Any] = {"retries": 1, "retry_delay": timedelta(seconds=1)}


def manifest() -> dict[str, Any]:
    """Which models and tests there are, and their order; see dbt_project/slim_manifest.py."""
    found: dict[str, Any] = json.loads((PROJECT / _MANIFEST).read_text(encoding="utf-8"))
    return found


def dbt_group(dataset: str, group_id: str = dbt.GROUP, **arguments: Any) -> TaskGroup:
    """Draw the models of a dataset, in the DAG of the context.

    Parsing reads `dbt_project/slim_manifest.json` only; dbt need not be there. The run works in the catalog
    `audit_<dataset>`, in a folder of its own, and leaves its results in the bucket `reports` (see
    data_platform.datasets.dbt_docs). Unit tests are not part of it: they do not look at data.

    Args:
        dataset: folder in dbt_project/models/staging and dbt_project/models/marts.
        group_id: name of the group.
        arguments: of every task, such as `pool`; the DAG's default_args apply too.

    Raises:
        PlatformError: there are no models of that dataset.
    """
    select = [f"path:models/{floor}/{dataset}" for floor in FOLDERS if (PROJECT / "models" / floor / dataset).is_dir()]
    if not select:
        raise PlatformError(
            f"there are no models of {dataset!r} in {PROJECT / 'models'}", f"make models/staging/{dataset}"
        )
    project = ProjectConfig(
        dbt_project_path=PROJECT,
        project_name="data_platform",
        install_dbt_deps=False,
        # Cosmos runs dbt in a copy of the project and reads what it leaves there.
        env_vars={"DBT_CATALOG": f"{BRANCH_PREFIX}{dataset}", "DBT_TARGET_PATH": "target", "DBT_LOG_PATH": "logs"},
    )
    # As an argument it would become an ObjectStoragePath, whose `open` loads all plugins of Airflow: seconds.
    project.manifest_path = PROJECT / _MANIFEST
    group: TaskGroup = DbtTaskGroup(
        group_id=group_id,
        project_config=project,
        profile_config=ProfileConfig(
            profile_name="data_platform", target_name="platform", profiles_yml_filepath=PROJECT / "profiles.yml"
        ),
        execution_config=ExecutionConfig(
            execution_mode=ExecutionMode.WATCHER,
            invocation_mode=InvocationMode.SUBPROCESS,
            dbt_executable_path=PROJECT / "bin" / dbt.PROGRAM,
            setup_operator_args={
                **_RUN,
                "dbt_cmd_flags": ["--exclude-resource-type", "unit_test"],
                "callback": "data_platform.datasets.dbt_docs.keep_results",
                "callback_args": {"dataset": dataset},
            },
        ),
        render_config=RenderConfig(
            load_method=LoadMode.DBT_MANIFEST,
            test_behavior=TestBehavior.AFTER_EACH,
            select=select,
            # Tables are named by `publish`, when readers can see them; here they would be named after the branch.
            emit_datasets=False,
        ),
        operator_args={"poke_interval": _LOOK, "deferrable": False, "executor_config": pod_of(MODELS), **arguments},
    )
    for task in group.iter_tasks():
        if isinstance(task, DbtLocalBaseOperator):
            # Cosmos would read the profile to name the tables for OpenLineage: after Trino's address and the branch.
            # Their lineage comes from the manifest of the published tables (see data_platform.datasets.dbt_docs).
            task.calculate_openlineage_events_completes = _no_events
        if isinstance(task, BaseConsumerSensor) and tasks_are_pods():
            wait_in_triggerer(task)
    return group


def _no_events(*_: Any, **__: Any) -> bool:
    return False
