"""Look at the pipelines of all datasets: what Airflow says of their runs, and how old their data is.

What follows from that is decided in `pipeline_state.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

from data_platform import times
from data_platform.clients import connect
from data_platform.datasets import pipeline_state
from data_platform.datasets.pipeline_state import Pipeline, Run, Seen, Step, dag_of
from data_platform.stack.capabilities import ORCHESTRATOR
from data_platform.stack.contract import Promise
from data_platform.stack.datasets import Dataset, dataset
from data_platform.stack.errors import PlatformError
from data_platform.stack.lake import CATALOG

if TYPE_CHECKING:
    from data_platform.clients.airflow import Airflow
    from data_platform.clients.trino import Trino
    from data_platform.targets.base import Target

#: For each question. Who reads a page must not wait for a server that is away.
_SECONDS = 5.0
#: Of DAGs with which the platform looks after itself. Who else has DAGs in this Airflow may pause them as he likes.
_OWN = frozenset({"stack", "operations"})
_FAILED, _SUCCESS = "failed", "success"


def look(target: Target, now: datetime | None = None) -> tuple[Pipeline, ...]:
    """Every pipeline, and the platform's own DAGs that are paused. Raises nothing for servers that are away.

    Args:
        target: whose.
        now: the present time, where it is another one than the clock's.
    """
    now = now or datetime.now(UTC)
    orchestrator = target.stack.resolve(ORCHESTRATOR)
    whole, broken = _datasets(target)
    try:
        with connect.airflow(target, _SECONDS) as airflow:
            dags = airflow.dags()
            active = _by_dag(airflow.active_runs())
            seen = {name: _seen(airflow, dags, active, dag_of(name)) for name in whole}
    except Exception as error:  # noqa: BLE001 - whatever it is, it is said, and the rest is shown
        why = f"Airflow could not be asked ({type(error).__name__})"
        step = Step("see what is wrong with it", f"python3 -m bootstrap check {orchestrator}")
        return (*(pipeline_state.unknown(name, why, step) for name in whole), *broken)
    newest = _newest(target, {name: one.contract.promise for name, one in whole.items()})
    found = []
    for name, one in whole.items():
        known = seen[name]
        aged = known._replace(newest=newest.get(name)) if known else None
        found.append(pipeline_state.state_of(one, aged, now, orchestrator))
    own = (
        pipeline_state.paused(dag, active.get(dag, ()))
        for dag, told in dags.items()
        if told["is_paused"] and _OWN & {tag["name"] for tag in told["tags"]}
    )
    return (*found, *broken, *own)


def told(target: Target, pipelines: Sequence[Pipeline]) -> list[dict[str, Any]]:
    """Pipelines for programs: a part of the contract of `status --json`."""
    base = target.public_url(ORCHESTRATOR, connect.API)
    return [
        {
            "dag": one.dag,
            "dataset": one.dataset,
            "state": one.state.value,
            "late": one.is_late,
            "waits": one.waits,
            "good_at": one.good_at and times.iso([one.good_at]),
            "says": times.iso(one.says),
            "next": [{"says": s.says, "command": s.command, "url": s.path and base + s.path} for s in one.steps],
        }
        for one in pipelines
    ]


def _datasets(target: Target) -> tuple[dict[str, Dataset], list[Pipeline]]:
    """Datasets by name, and what is to be said of those whose files are wrong."""
    whole, broken = {}, []
    for name in target.stack.datasets:
        try:
            whole[name] = dataset(target.stack.root, name)
        except PlatformError as error:
            broken.append(pipeline_state.unknown(name, error.problem, Step(error.remedy)))
    return whole, broken


def _by_dag(runs: Sequence[Mapping[str, Any]]) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(str(run["dag_id"]), []).append(_run(run))
    return found


def _run(run: Mapping[str, Any], failed: tuple[str, ...] = ()) -> Run:
    # A run that was marked by hand may lack one of them.
    at = run["end_date"] or run["start_date"] or run["queued_at"] or run["run_after"]
    return Run(str(run["dag_run_id"]), str(run["state"]), times.instant(at), failed)


def _seen(
    airflow: Airflow, dags: Mapping[str, Mapping[str, Any]], active: Mapping[str, Sequence[Run]], dag: str
) -> Seen | None:
    import httpx

    if dag not in dags:
        return None
    try:
        ended = good = airflow.last_ended(dag)
    except httpx.HTTPStatusError as error:
        # It went between two questions.
        if error.response.status_code == httpx.codes.NOT_FOUND:
            return None
        raise
    failed: list[str] = []
    if ended and ended["state"] == _FAILED:
        tasks = airflow.tasks(dag, str(ended["dag_run_id"]))
        failed = [str(task["task_id"]) for task in tasks if task["state"] == _FAILED]
        good = airflow.last_ended(dag, _SUCCESS)
    return Seen(
        paused=bool(dags[dag]["is_paused"]),
        active=active.get(dag, ()),
        ended=_run(ended, tuple(failed)) if ended else None,
        good_at=_run(good).at if good else None,
    )


def _newest(target: Target, promises: Mapping[str, Promise]) -> dict[str, datetime]:
    """When the newest data is from, by dataset and its contract; without those of which that is not known."""
    found: dict[str, datetime] = {}
    try:
        with connect.trino(target, _SECONDS, CATALOG) as trino:
            for name, promise in promises.items():
                if newest := _newest_of(trino, promise):
                    found[name] = newest
    except Exception:  # noqa: BLE001 - the checks of the servers say what is wrong with them
        return found
    return found


def _newest_of(trino: Trino, promise: Promise) -> datetime | None:
    from data_platform.clients.trino import identifier

    table, column = promise.age_of
    place = ".".join(identifier(part) for part in table.split("."))
    rows = trino.rows_if_there(f"select max({identifier(column)}) from {place}")  # noqa: S608 - they are quoted
    at = rows[0][0] if rows else None
    if isinstance(at, date) and not isinstance(at, datetime):
        return datetime.combine(at, time(), UTC)
    return times.instant(at) if at is not None else None
