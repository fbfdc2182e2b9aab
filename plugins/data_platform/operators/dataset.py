"""What all tasks about a dataset share."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from data_platform.operators.pods import pod_of
from data_platform.stack.errors import PlatformError

if TYPE_CHECKING:
    from data_platform.checks.base import ToolResult

#: Begins the line in which a tool says what it did.
_RESULT = "RESULT "
_SHOWN = 40


class DatasetOperator(BaseOperator):
    """A task about one dataset.

    Args:
        dataset: its name.
        seconds: deadline of what it does.
    """

    #: Capability whose tools the task runs; none where it only speaks to servers.
    tools_of = ""

    def __init__(self, *, dataset: str, seconds: float = 300, **kwargs: Any) -> None:
        if self.tools_of:
            kwargs.setdefault("executor_config", pod_of(self.tools_of))
        super().__init__(**kwargs)
        self.dataset = dataset
        self.seconds = seconds


def result_of(tool: ToolResult, doing: str) -> dict[str, Any]:
    """What a tool said in its line `RESULT {…}`.

    Raises:
        PlatformError: it said nothing; with the end of its output.
    """
    lines = tool.output.strip().splitlines()
    for line in reversed(lines):
        if line.startswith(_RESULT):
            found: dict[str, Any] = json.loads(line.removeprefix(_RESULT))
            return found
    last = "\n".join(lines[-_SHOWN:])
    raise PlatformError(
        f"{doing} ended with {tool.returncode} and no result:\n{last}", "mend the cause, clear the task"
    )


def failed(problem: str, remedy: str) -> AirflowFailException:
    """The failure of a task that another try would not mend."""
    return AirflowFailException(str(PlatformError(problem, remedy)))
