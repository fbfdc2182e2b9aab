"""What is there: the same looks as those of `status`, the page Health, `stack_drift`, `doctor` and Airflow's pages."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from bootstrap import preflight
from bootstrap.cache import size_of
from bootstrap.doctor import notes, refuse_unfit
from bootstrap.place import connect, make_target
from bootstrap.support.archive import Entry, as_json
from bootstrap.support.scene import Scene, ended
from data_platform import lifecycle, summary
from data_platform.clients.airflow import Airflow
from data_platform.records import leases, results
from data_platform.stack.errors import PlatformError
from data_platform.targets.local.cache import cache_folder
from data_platform.targets.local.disk import disk_of
from data_platform.targets.local.state import DATA

#: Of each DAG the newest runs; of those that failed the logs of so many tasks in all, each with so many bytes.
_RUNS, _LOGS, _LOG_BYTES = 5, 25, 64 << 10
#: Results of checks of so many hours, as the page Health shows them.
_HOURS = 24
_LAG = "look at its server: python3 -m bootstrap status"


def status(scene: Scene) -> Iterator[Entry]:
    """What `status --json` says.

    Raises:
        PlatformError: there is no platform, or it cannot be asked.
    """
    with scene.target() as target:
        yield Entry("status.json", "as of `status --json`", as_json(summary.describe(target)))


def checks(scene: Scene) -> Iterator[Entry]:
    """The newest result of each check, and all of the last day.

    Raises:
        PlatformError: the database does not answer, or its schema is another one.
    """
    with scene.target() as target:
        for name, what, found in (
            ("checks/newest.json", "the newest result of each check", results.latest(target)),
            ("checks/day.json", "all results of the last 24 hours", results.since(target, _HOURS)),
        ):
            yield Entry(name, what, as_json([each._asdict() for each in found]))


def open_leases(scene: Scene) -> Iterator[Entry]:
    """Who changes the platform, and whose turn it is at each dataset.

    Raises:
        PlatformError: the database does not answer, or its schema is another one.
    """
    with scene.target() as target:
        names = [leases.PLATFORM, *map(leases.of_dataset, target.stack.datasets)]
        found = {
            name: lease._asdict() if (lease := leases.current(target, name, patience=0)) else None for name in names
        }
        yield Entry("leases.json", "who holds the platform and each dataset; null for nobody", as_json(found))


def drift(scene: Scene) -> Iterator[Entry]:
    """What `stack_drift` would name, and whether all checks passed lately with what is declared.

    Raises:
        PlatformError: a component cannot be looked at.
    """
    failed = []
    with scene.target() as target:
        for name in target.stack.components:
            try:
                found = lifecycle.observe(target, name)
            except Exception as error:  # noqa: BLE001 - one that cannot be looked at hides no other
                failed.append(f"{name}: {error}")
                continue
            said = {
                "steps": [str(step) for step in found.steps],
                "proven": found.proven,
                "wanted": [each.model_dump() for each in found.wanted],
                "seen": [each.model_dump() for each in found.seen],
            }
            yield Entry(
                f"drift/{name}.json", f"what of {name} is not as declared (steps), and proven or not", as_json(said)
            )
    ended(failed, _LAG)


def runs(scene: Scene) -> Iterator[Entry]:
    """The newest runs of each DAG, files that could not be parsed, and ends of logs of tasks that failed.

    Raises:
        PlatformError: Airflow does not answer, or a part of it could not be had.
    """
    failed: list[str] = []
    with scene.target() as target, connect(target) as airflow:
        yield Entry("airflow/health.json", "its parts, by its own word", as_json(airflow.health()))
        yield Entry("airflow/import-errors.json", "files that could not be parsed", as_json(airflow.import_errors()))
        red: list[tuple[str, str]] = []
        for dag in airflow.dag_ids():
            found = airflow.runs(dag, most=_RUNS)
            yield Entry(f"airflow/{dag}/runs.json", f"the newest runs of {dag}", as_json(found))
            red += [(dag, str(run["dag_run_id"])) for run in found if run["state"] == "failed"]
        logs = 0
        for dag, run in red:
            tasks = airflow.tasks(dag, run)
            yield Entry(f"airflow/{dag}/{run}/tasks.json", "tasks of a run that failed", as_json(tasks))
            for task in tasks:
                if task["state"] == "failed" and logs < _LOGS:
                    logs += 1
                    try:
                        yield _log(airflow, dag, run, task)
                    except httpx.HTTPError as error:
                        failed.append(f"log of {task['task_id']} in {dag}: {error}")
    ended(failed, _LAG)


def _log(airflow: Airflow, dag: str, run: str, task: dict[str, Any]) -> Entry:
    text = "\n".join(airflow.log(dag, run, task["task_id"], task["try_number"])) + "\n"
    end = text[-_LOG_BYTES:]
    # No half line, which might begin with half a secret.
    end = end if len(end) == len(text) else end.partition("\n")[2]
    name = f"airflow/{dag}/{run}/{task['task_id']}.{task['map_index']}.log"
    return Entry(name, "the end of the log of a task that failed", end, len(text) - len(end))


def doctor(scene: Scene) -> Iterator[Entry]:
    """What `doctor` says of this machine, for a platform that runs on it.

    Raises:
        PlatformError: the definition is wrong.
    """
    state = scene.state
    found = [
        f"{each.what}\n  → {each.remedy}" for each in preflight.problems(state.folder, cache_folder(), cached=True)
    ]
    target = make_target(state.folder, state.settings())
    try:
        refuse_unfit(target, tuple(target.stack.components))
    except PlatformError as error:
        found.append(str(error))
    lines = [*(f"- {each}" for each in found), *notes(target)] if found else ["This machine is ready.", *notes(target)]
    yield Entry("doctor.txt", "what stands in the way on this machine", "\n".join(lines) + "\n")


def disks(scene: Scene) -> Iterator[Entry]:
    """How much the platform takes of this machine's disks, and what they have left."""
    state, cache = scene.state, cache_folder()
    free = {}
    for place in (state.folder, cache, Path(tempfile.gettempdir())):
        disk, _ = disk_of(place)
        free[str(disk)] = shutil.disk_usage(disk)._asdict()
    yield Entry("disks/free.json", "the disks of state, cache and temporary files, in bytes", as_json(free))
    tops = [path for folder in (state.folder, cache) if folder.is_dir() for path in sorted(folder.iterdir())]
    tops += sorted((state.folder / DATA).glob("*"))
    sizes = {str(path): size_of(path) for path in tops}
    yield Entry("disks/used.json", "what folders of state and cache take, in bytes", as_json(sizes))
