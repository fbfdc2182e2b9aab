"""Points at which a task waits for the word of a drill, so that a fault is done while it runs, however quick it is.

Nobody waits unless the state folder of a platform on one machine has a folder for the task (`folder_of`). A task that
finds it leaves a file there and begins its work when that file is gone; its next attempt leaves another one.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from data_platform.targets.current import STATE_VARIABLE

#: Seconds after which a task goes on although nobody gave the word: the drill is gone.
PATIENCE = 600.0
_LOOK = 0.05


def folder_of(state: Path, dag: str, task: str) -> Path:
    """Folder that holds a task, in the state folder of a platform.

    Args:
        state: the folder.
        dag: id of the DAG.
        task: id of the task, its groups too.
    """
    return state / "run" / "holds" / f"{dag}.{task}"


def wait_at_hold(context: Any) -> None:
    """Wait for the word where a drill holds this task; `pre_execute` of every task.

    Args:
        context: of the task.
    """
    # Not in a cluster: there a drill takes pods away.
    if not (state := os.environ.get(STATE_VARIABLE)):
        return
    task = context["ti"]
    try:
        descriptor, path = tempfile.mkstemp(dir=folder_of(Path(state), task.dag_id, task.task_id))
    except FileNotFoundError:
        return
    os.close(descriptor)
    _until_gone(Path(path))


@retry(
    retry=retry_if_result(lambda there: there),
    wait=wait_fixed(_LOOK),
    stop=stop_after_delay(PATIENCE),
    retry_error_callback=lambda _: None,
)
def _until_gone(path: Path) -> bool:
    return path.exists()
