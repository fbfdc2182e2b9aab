"""What dbt leaves of a dataset: results of its run, and documentation of the published tables.

In the bucket `reports`, below `<dataset>/dbt/`: `run_results.json` of the newest run, `index.html` (the documentation,
one file), `manifest.json` and `catalog.json`, in which tables have the names that readers use.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from data_platform.clients import connect, dbt
from data_platform.stack.capabilities import MODELS
from data_platform.stack.errors import PlatformError
from data_platform.stack.holders import PIPELINES
from data_platform.stack.lake import FLOORS, REPORTS

if TYPE_CHECKING:
    from data_platform.targets.base import Target

PROJECT = Path(__file__).resolve().parents[3] / "dbt_project"
#: Floors of the project: what is loaded is no model.
FOLDERS = FLOORS[1:]
#: What `build_docs` publishes: name in dbt's target folder, name in the bucket, content type.
_DOCS = (
    ("static_index.html", "index.html", "text/html; charset=utf-8"),
    ("manifest.json", "manifest.json", "application/json"),
    ("catalog.json", "catalog.json", "application/json"),
)
_RESULTS = (("run_results.json", "run_results.json", "application/json"),)
_SHOWN = 30


def build_docs(target: Target, dataset: str, seconds: float) -> str:
    """Make the documentation of a dataset's published models and put it into the bucket `reports`.

    Args:
        target: where.
        dataset: its name.
        seconds: deadline.

    Returns:
        Key of the page.

    Raises:
        PlatformError: dbt fails; with the end of its output.
    """
    with TemporaryDirectory() as folder:
        select = [f"path:models/{floor}/{dataset}" for floor in FOLDERS]
        arguments = ["docs", "generate", "--static", "--target-path", folder, "--select", *select]
        done = target.run_tool(MODELS, dbt.TOOL, arguments, seconds, writes=[Path(folder)])
        if done.returncode != 0:
            last = "\n".join(done.output.strip().splitlines()[-_SHOWN:])
            raise PlatformError(
                f"dbt docs generate ended with {done.returncode}:\n{last}", "mend the cause, then clear this task"
            )
        return _upload(target, dataset, Path(folder), _DOCS)


def keep_results(project: str, dataset: str, context: Mapping[str, Any] | None = None) -> None:
    """Put the results of a run into the bucket `reports`; Cosmos calls it after each `dbt build`, also a failed one.

    Args:
        project: folder in which dbt ran.
        dataset: its name.
        context: of the task.
    """
    del context
    from data_platform.targets.current import current

    folder = Path(project) / "target"
    # It ended before its first model: the task's log says why.
    if (folder / "run_results.json").exists():
        _upload(current(), dataset, folder, _RESULTS)


def _upload(target: Target, dataset: str, folder: Path, files: tuple[tuple[str, str, str], ...]) -> str:
    """Put files into the bucket; returns the key of the first one."""
    store = connect.s3(target, PIPELINES)
    for name, published, kind in files:
        content = (folder / name).read_bytes()
        store.put_object(REPORTS, f"{dataset}/{dbt.FOLDER}/{published}", io.BytesIO(content), len(content), kind)
    return f"{dataset}/{dbt.FOLDER}/{files[0][1]}"
