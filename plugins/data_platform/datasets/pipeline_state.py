"""The state of a dataset's pipeline, what is to be said of it, and what to do next.

It is decided here alone, for `status`, the pages *Data* and *Health* and the DAG `stack_health`. What is looked at for
it: `pipelines.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import quote
from zoneinfo import ZoneInfo

from data_platform.stack.datasets import Dataset
from data_platform.times import Told


class State(StrEnum):
    """In which state a pipeline is."""

    #: Airflow could not be asked, or the dataset's files are wrong.
    UNKNOWN = "unknown"
    #: Airflow knows no such DAG.
    MISSING = "missing"
    PAUSED = "paused"
    NEVER_RUN = "never_run"
    FAILED = "failed"
    #: No run has ended well since the last fixed time whose result is promised by now.
    LATE = "late"
    #: Runs end well, and the newest data is older than the contract allows.
    STALE = "stale"
    RUNNING = "running"
    ON_TIME = "on_time"

    @property
    def shown(self) -> str:
        """As people read it."""
        return self.replace("_", " ")


class Run(NamedTuple):
    """A run of a DAG.

    Attributes:
        id: Airflow's.
        state: queued, running, success or failed.
        at: when it ended; when it began where it goes on; since when it waits where it has not begun.
        failed: ids of its tasks that failed.
    """

    id: str
    state: str
    at: datetime
    failed: tuple[str, ...] = ()


class Seen(NamedTuple):
    """What was seen of a DAG.

    Attributes:
        paused: whether Airflow begins no run of it and goes on with none.
        active: its runs that are queued or going on.
        ended: of those that have ended the one that ended last.
        good_at: when the last good one ended.
        newest: when the newest data is from, by the contract; None where that is not known.
    """

    paused: bool = False
    active: Sequence[Run] = ()
    ended: Run | None = None
    good_at: datetime | None = None
    newest: datetime | None = None


class Step(NamedTuple):
    """Something to do next.

    Attributes:
        says: what, as an order.
        command: that does it; empty where none does.
        path: of Airflow's page where it is done, below its address; empty where there is none.
    """

    says: str
    command: str = ""
    path: str = ""


class Pipeline(NamedTuple):
    """A pipeline as it is told.

    Attributes:
        dag: its id.
        dataset: its name; empty for a DAG that is of no dataset.
        state: see `State`.
        says: what is the matter.
        steps: what to do next; none where all is well.
        is_late: whether it should have published by now and has not, whatever the state is called.
        waits: how many of its runs wait because it is paused.
        good_at: when its last good run ended.
    """

    dag: str
    dataset: str
    state: State
    says: Told
    steps: tuple[Step, ...] = ()
    is_late: bool = False
    waits: int = 0
    good_at: datetime | None = None

    @property
    def needs_care(self) -> bool:
        """Whether somebody should do something."""
        return self.state not in (State.ON_TIME, State.RUNNING)

    @property
    def alarms(self) -> bool:
        """Whether nobody was told yet of what is wrong: a run that fails tells by itself."""
        return self.is_late or self.waits > 0

    @property
    def verdict(self) -> str:
        """As results of checks are called: passed, failed, or skipped where it is not known to be either."""
        if self.is_late or self.state in (State.FAILED, State.MISSING):
            return "failed"
        return "skipped" if self.needs_care else "passed"


def dag_of(dataset: str) -> str:
    """Id of the DAG that is a dataset's pipeline."""
    return f"pipelines_{dataset}"


def unknown(dataset: str, why: str, *remedies: Step) -> Pipeline:
    """A pipeline that could not be looked at."""
    return Pipeline(dag_of(dataset), dataset, State.UNKNOWN, (why,), remedies)


def paused(dag: str, active: Sequence[Run], dataset: str = "") -> Pipeline:
    """A DAG that is paused, of a dataset or of the platform itself."""
    says: list[str | datetime] = ["no run of it begins, neither by the clock nor for files that come"]
    if not dataset:
        says = ["no run of it begins"]
    if active:
        oldest = min(run.at for run in active)
        count = "a run waits" if len(active) == 1 else f"{len(active)} runs wait, the first"
        says = [f"{count} since ", oldest]
    step = Step("unpause it and run it", _run(dag), f"/dags/{dag}")
    return Pipeline(dag, dataset, State.PAUSED, tuple(says), (step,), waits=len(active))


def state_of(one: Dataset, seen: Seen | None, now: datetime, orchestrator: str) -> Pipeline:
    """Decide in which state a pipeline is.

    Args:
        one: its dataset, with contract and fixed times.
        seen: what was seen of it; None where Airflow does not know it.
        now: the present time.
        orchestrator: the component whose checks say what is wrong with DAGs.
    """
    dag = dag_of(one.name)
    if seen is None:
        look = Step("see which file it cannot read", f"python3 -m bootstrap check {orchestrator}")
        return Pipeline(dag, one.name, State.MISSING, ("Airflow knows no such DAG (yet)",), (look,))
    late = _lateness(one, seen, now)
    found = _decided(one.name, dag, seen, late)
    return found._replace(is_late=late is not None and late.state is State.LATE, good_at=seen.good_at)


class _Late(NamedTuple):
    """Which promise is broken, and what mends it when nothing else is the matter."""

    state: State
    says: Told
    step: Step


def _decided(name: str, dag: str, seen: Seen, late: _Late | None) -> Pipeline:
    also: Told = ("; ", *late.says) if late else ()
    if seen.paused:
        found = paused(dag, seen.active, name)
        return found._replace(says=(*found.says, *(also or _history(seen))))
    if not seen.active and seen.ended is None:
        says = ("no run of it is on record",)
        return Pipeline(dag, name, State.NEVER_RUN, says, (Step("run it", _run(dag), f"/dags/{dag}"),))
    if seen.active:
        return _active(name, dag, seen.active, late)
    if seen.ended and seen.ended.state == "failed":
        return _failed(name, dag, seen.ended, also)
    if late:
        return Pipeline(dag, name, late.state, late.says, (late.step,))
    return Pipeline(dag, name, State.ON_TIME, ("its last run ended well ", seen.good_at or ""))


def _active(name: str, dag: str, active: Sequence[Run], late: _Late | None) -> Pipeline:
    run = min(active, key=lambda run: run.at)
    goes_on = ("a run is going on since " if run.state == "running" else "a run waits to begin since ", run.at)
    watch = (Step("watch it", path=_page(dag, run)),)
    if late:
        return Pipeline(dag, name, late.state, (*late.says, "; ", *goes_on), watch)
    return Pipeline(dag, name, State.RUNNING, goes_on, watch)


def _history(seen: Seen) -> Told:
    if seen.good_at:
        return ("; its last good run ended ", seen.good_at)
    return ("; none of its runs on record ended well",) if seen.ended else ("; it has never run",)


def _failed(name: str, dag: str, run: Run, also: Told) -> Pipeline:
    at = f" at {', '.join(run.failed)}" if run.failed else ""
    steps = (
        Step("read its log", path=_page(dag, run, *run.failed[:1])),
        Step("see what to do: docs/runbooks/pipeline-is-red.md"),
        Step("when the cause is mended, run it again", _run(dag)),
    )
    return Pipeline(dag, name, State.FAILED, (f"its last run failed{at} ", run.at, *also), steps)


def _run(dag: str) -> str:
    return f"python3 -m bootstrap run {dag}"


def _page(dag: str, run: Run, *task: str) -> str:
    """Path of a run in Airflow, or of a task of it."""
    return "/".join((f"/dags/{dag}/runs/{quote(run.id, safe='')}", *(f"tasks/{quote(one, safe='')}" for one in task)))


def _lateness(one: Dataset, seen: Seen, now: datetime) -> _Late | None:
    """Which promise of the contract is broken; None when none is, and while no run has ever ended."""
    if seen.ended is None and seen.good_at is None:
        return None
    begins, promised = last_due(one, now)
    since = seen.good_at or (seen.ended.at if seen.ended else now)
    if since < begins:
        last = ("the last good run ended ", seen.good_at) if seen.good_at else ("no run has ended well",)
        says = ("its run of ", begins, " should have published by ", promised, "; ", *last)
        return _Late(State.LATE, says, Step("run it now", _run(dag_of(one.name)), f"/dags/{dag_of(one.name)}"))
    oldest = one.contract.promise.oldest_age
    if seen.newest and now - seen.newest > oldest:
        says = ("its newest data is from ", seen.newest, f"; by the contract it is never older than {_days(oldest)}")
        give = Step("ask who delivers it, or put a newer file there", f"python3 -m bootstrap ingest {one.name} FILE")
        return _Late(State.STALE, says, give)
    return None


def last_due(one: Dataset, now: datetime) -> tuple[datetime, datetime]:
    """The last fixed time of a pipeline whose result is promised by now, and by when it was promised.

    What begins after the contract's time of a day is promised by that time of the next day.
    """
    from croniter import croniter

    promise, runs = one.contract.promise, one.pipeline.runs

    def promised_on(day: datetime) -> datetime:
        return datetime.combine(day.date(), promise.fresh_by, promise.zone)

    today = now.astimezone(promise.zone)
    latest = promised_on(today) if promised_on(today) <= now else promised_on(today - timedelta(days=1))
    # A second later, since a time that is exactly then counts.
    after = (latest + timedelta(seconds=1)).astimezone(ZoneInfo(runs.zone))
    begins: datetime = croniter(runs.cron, after).get_prev(datetime)
    day = begins.astimezone(promise.zone)
    promised = promised_on(day) if promised_on(day) >= begins else promised_on(day + timedelta(days=1))
    return begins, promised


def _days(span: timedelta) -> str:
    return "1 day" if span.days == 1 else f"{span.days} days"
