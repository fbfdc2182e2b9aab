"""Judge what a run has loaded: files that break a rule are set aside, and what was done is told at the run's end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.utils.skipmixin import SkipMixin

from data_platform.checks.base import Deadline
from data_platform.operators.dataset import DatasetOperator, failed, result_of
from data_platform.operators.triggerer import TriggererOperator
from data_platform.stack.capabilities import VALIDATION
from data_platform.targets.current import current

if TYPE_CHECKING:
    from airflow.sdk import Context

    from data_platform.datasets.decisions import Decision
    from data_platform.targets.base import Target


class ValidateTablesOperator(DatasetOperator, SkipMixin):
    """Hold tables of the branch against their expectations, and set aside files of the run that break one.

    Args:
        suite: which expectations of the dataset.
        rest: ids of the tasks that load and judge again without what was set aside. They are skipped when nothing was;
            without them the run ends there, and the next one goes on.
        bounds: hold the branch against the contract's bounds of change, too; a load that breaks one is set aside whole.
    """

    tools_of = VALIDATION

    def __init__(self, *, suite: str, rest: Sequence[str] = (), bounds: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.suite = suite
        self.bounds = bounds
        self.rest = tuple(rest)

    def execute(self, context: Context) -> dict[str, Any]:
        """What was found, the commit that was judged, and the code of its audit.

        Raises:
            AirflowFailException: an expectation was not met, and the run does not go on without the files; or the load
                changes more than the contract allows.
        """
        from data_platform.datasets.audit import branch_of, head
        from data_platform.datasets.decisions import accepted_names, read_decisions
        from data_platform.datasets.opened import require_own
        from data_platform.datasets.store import store_of

        target, catalog = current(), branch_of(self.dataset)
        opened = require_own(target, self.dataset, context["run_id"], Deadline(self.seconds))
        commit = head(target, self.dataset, Deadline(self.seconds))
        decisions = read_decisions(store_of(target, self.seconds), self.dataset)
        names = accepted_names(decisions)
        arguments = ["--dataset", self.dataset, "--suite", self.suite, "--catalog", catalog, "--publish"]
        arguments += [word for name in names for word in ("--accepted", name)]
        result = result_of(target.run_tool(VALIDATION, "validate", arguments, self.seconds), "the validation")
        for warning in result["warnings"]:
            self.log.warning("%s", warning)
        found = {"evaluated": result["evaluated"], "docs": result["docs"], "commit": commit, "code": opened.code}
        if not result["success"]:
            self._set_aside(target, context["run_id"], result)
        elif self.bounds:
            self._hold_bounds(target, context["run_id"], decisions)
        elif self.rest:
            context["ti"].xcom_push(key="return_value", value=found)
            after = self.get_flat_relatives(upstream=False)
            self.skip(context["ti"], [task for task in after if task.task_id in self.rest])
        return found

    def _set_aside(self, target: Target, run: str, result: Mapping[str, Any]) -> None:
        """Set aside what broke the rules; returns where the run goes on without it."""
        from data_platform.datasets.files import read_manifest
        from data_platform.datasets.review import set_aside, wake

        manifest = read_manifest(target, self.dataset, run, self.seconds)
        aside = set_aside(target, manifest, _blamed(result["failed"]), self.seconds)
        if aside and self.rest:
            for decision in aside:
                self.log.warning("%s is %s; the run goes on without it", decision.name, decision.reason)
            return
        wake(target, self.dataset, aside, self.seconds)
        rules = "\n".join(_rule(found) for found in result["failed"])
        raise failed(
            f"{self.dataset}: {len(result['failed'])} of {result['evaluated']} expectations of {self.suite} were"
            f" not met; nothing was published, readers see what was there before\n{rules}{_told(aside)}",
            _next_step(self.dataset, aside),
        )

    def _hold_bounds(self, target: Target, run: str, decisions: Mapping[str, Decision]) -> None:
        """Set the load aside as a whole where it changes more than it may, unless somebody has said yes to it."""
        from data_platform.datasets.bounds import agreed, broken_bounds
        from data_platform.datasets.files import read_manifest
        from data_platform.datasets.review import set_aside, wake

        if not (broken := broken_bounds(target, self.dataset, self.seconds)):
            return
        manifest = read_manifest(target, self.dataset, run, self.seconds)
        if said := agreed(manifest, decisions):
            for one in broken:
                self.log.warning("%s; it is published all the same: %s", one, said)
            return
        # Where all is made anew because the code changed, no file is to blame.
        files = () if manifest.rebuild else manifest.candidates
        aside = set_aside(target, manifest, {file.source_file: broken for file in files}, self.seconds)
        wake(target, self.dataset, aside, self.seconds)
        rules = "\n".join(f"- {one}" for one in broken)
        remedy = _next_step(self.dataset, aside)
        if manifest.rebuild:
            remedy = (
                "the tables were made anew, because their code changed: mend it; or, if the change is meant: python3 -m"
                f" bootstrap files accept {self.dataset} {manifest.code} --why '…'"
            )
        raise failed(
            f"{self.dataset}: this load changes more than its contract allows; nothing was published, readers see what"
            f" was there before\n{rules}{_told(aside)}",
            remedy,
        )


def _blamed(broken: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Names of files, and the rules that each broke."""
    found: dict[str, list[str]] = defaultdict(list)
    for entry in broken:
        for name in entry.get("files", ()):
            found[name].append(f"{entry['expectation']} ({entry['observed']})")
    return dict(found)


def _rule(found: Mapping[str, Any]) -> str:
    where = f" on {found['column']}" if found.get("column") else ""
    files = f", in {', '.join(found['files'])}" if found.get("files") else ""
    return f"- {found['expectation']}{where}: found {found['observed']}{files} → {found['next_step']}"


def _told(aside: Sequence[Decision]) -> str:
    return "".join(f"\n{d.name} ({d.subject[:12]}) is {d.reason}" for d in aside)


def _next_step(dataset: str, aside: Sequence[Decision]) -> str:
    if aside:
        return (
            "the next run begins by itself and goes on without what was set aside; deliver a corrected file, or accept"
            f" it: python3 -m bootstrap files accept {dataset} {aside[0].subject[:12]} --why '…'"
        )
    return (
        f"look at the tables in Trino's catalog audit_{dataset}; ingest a corrected file, take a wrong one back"
        f" (python3 -m bootstrap files list {dataset}), or change expectations/{dataset}/, then trigger"
        f" pipelines_{dataset} again"
    )


def tell(target: Target, context: Context, dataset: str, seconds: float) -> str:
    """Nothing was set aside, in words.

    Raises:
        AirflowFailException: the run has set files aside: all others are published, and somebody must look at these.
    """
    from data_platform.datasets.review import set_aside_by

    aside = set_aside_by(target, dataset, context["run_id"], seconds)
    if not aside:
        return f"{dataset}: no file was set aside"
    raise failed(
        f"{dataset}: {len(aside)} of the run's files were set aside; the others are published{_told(aside)}",
        "deliver a corrected file; if this one is right: python3 -m bootstrap files accept"
        f" {dataset} {aside[0].subject[:12]} --why '…'",
    )


class TellSetAsideOperator(TriggererOperator):
    """Fail, and name each file with its rule, when the run has set files aside. What is published stays.

    Args:
        dataset: its name.
        seconds: deadline of each request.
    """

    act = staticmethod(tell)

    def __init__(self, *, dataset: str, seconds: float = 60, **kwargs: Any) -> None:
        super().__init__(arguments={"dataset": dataset, "seconds": seconds}, **kwargs)
        self.dataset = dataset
