"""Write, audit, publish: a dataset's run works on a branch of the table catalog, and readers see it when it has passed.

The branch `audit_<dataset>` begins at what readers see. Spark and dbt write to it, validations read it, by Trino's
catalog of the same name. `publish` merges it: one commit of Nessie, so all tables change at once. A branch whose audit
failed stays as it is to be looked at, until the next run begins anew. Branch and catalog always are there (made by a
deploy); an audit is open while the branch has commits of its own. See docs/decisions/write-audit-publish.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import httpx

from data_platform.checks.base import Deadline
from data_platform.clients import connect, trino
from data_platform.clients.nessie import Commit, Nessie, NessieConflictError, NessieUnavailableError
from data_platform.stack.capabilities import QUERY_ENGINE, TABLE_CATALOG
from data_platform.stack.errors import PlatformError
from data_platform.stack.lake import BRANCH_PREFIX, CATALOG, FLOORS, MAIN

if TYPE_CHECKING:
    from data_platform.targets.base import Target

T = TypeVar("T")

#: Marks the commits of `publish` with the dataset's name.
DATASET_PROPERTY = "data-platform-dataset"

_DATASET = re.compile(r"[a-z][a-z0-9_]{0,39}")
#: A server is being restarted, or somebody else did the same at the same moment; the same act may succeed again.
_AWAY = (httpx.TransportError, NessieUnavailableError, NessieConflictError, *trino.UNREACHABLE)


def branch_of(dataset: str) -> str:
    """Name of a dataset's branch, and of the catalog in Trino that shows it.

    Raises:
        PlatformError: that is no name of a dataset.
    """
    if not _DATASET.fullmatch(dataset):
        raise PlatformError(f"{dataset!r} is no name of a dataset", "use lower-case letters, digits and underscores")
    return f"{BRANCH_PREFIX}{dataset}"


def open_audit(target: Target, dataset: str, deadline: Deadline) -> str:
    """Move the branch to main's newest commit; what it held is given up. It is made where somebody removed it.

    Args:
        target: where.
        dataset: its name.
        deadline: until when servers that are away are asked again.

    Returns:
        The commit at which it begins.

    Raises:
        PlatformError: Trino does not know the dataset yet, or a server does not answer until the deadline.
    """
    branch = branch_of(dataset)

    def act() -> str:
        with connect.trino(target, deadline.remaining) as client:
            if branch not in client.catalogs():
                raise PlatformError(
                    f"Trino has no catalog {branch}: {dataset} was added after it started",
                    "run stack_deploy, or python3 -m bootstrap up: Trino begins anew once",
                )
        with connect.nessie(target, deadline.remaining) as nessie:
            # Two branches that each make the same namespace could not both be merged.
            nessie.create_namespaces(MAIN, FLOORS)
            old = nessie.head(branch)
            return nessie.create_branch(branch, MAIN) if old is None else nessie.reset_branch(branch, old, MAIN)

    return _patiently(target, f"opening {branch}", deadline, act)


def find_head(target: Target, dataset: str, deadline: Deadline) -> str | None:
    """Newest commit of the branch; None where there is no branch.

    Raises:
        PlatformError: Nessie does not answer until the deadline.
    """
    branch = branch_of(dataset)

    def act() -> str | None:
        with connect.nessie(target, deadline.remaining) as nessie:
            return nessie.head(branch)

    return _patiently(target, f"reading {branch}", deadline, act)


def head(target: Target, dataset: str, deadline: Deadline) -> str:
    """Newest commit of the branch: what an audit has seen when nobody writes any more.

    Raises:
        PlatformError: there is no branch, or Nessie does not answer until the deadline.
    """
    if (found := find_head(target, dataset, deadline)) is None:
        raise _no_branch(branch_of(dataset), dataset)
    return found


def publish(target: Target, dataset: str, deadline: Deadline, audited: str | None = None) -> str:
    """Give the branch to readers in one commit, then move it there. May be repeated at any point.

    Args:
        target: where.
        dataset: its name.
        deadline: until when servers that are away are asked again.
        audited: commit of the branch that was audited (see `head`); another one is not published.

    Returns:
        One line: what was published, or why there was nothing to publish.

    Raises:
        PlatformError: somebody else changed one of the tables since `open_audit`, the branch moved since it was
            audited, it is gone and was not published, or a server does not answer until the deadline. Main is as it
            was, and so is the branch.
    """
    branch = branch_of(dataset)

    def act() -> str:
        # Kept over repetitions: once it was published, the branch is elsewhere.
        nonlocal audited
        with connect.nessie(target, deadline.remaining) as nessie:
            there = nessie.head(branch)
            audited = audited or there
            if audited is None:
                raise _no_branch(branch, dataset)
            if there is None or audited != there:
                return _done_before(nessie, dataset, audited, there)
            said = _merge(nessie, dataset, audited)
            _move_to_main(nessie, branch, audited)
            return said

    return _patiently(target, f"publishing {dataset}", deadline, act)


def discard(target: Target, dataset: str, deadline: Deadline) -> None:
    """Give up what the branch holds, where it is there: it moves to main, which stays as it is.

    Raises:
        PlatformError: a server does not answer until the deadline.
    """
    branch = branch_of(dataset)

    def act() -> None:
        with connect.nessie(target, deadline.remaining) as nessie:
            if (there := nessie.head(branch)) is not None:
                _move_to_main(nessie, branch, there)

    _patiently(target, f"moving {branch} to {MAIN}", deadline, act)


def settle(nessie: Nessie) -> set[str]:
    """Move audit branches that have no commits of their own to main; return those that have, whose audits are open."""
    heads = nessie.branches()
    newest = heads.pop(MAIN)
    opened = set()
    for name, commit in heads.items():
        if not name.startswith(BRANCH_PREFIX) or commit == newest:
            continue
        if nessie.ahead(commit, MAIN).commits:
            opened.add(name)
        else:
            _move_to_main(nessie, name, commit)
    return opened


def _merge(nessie: Nessie, dataset: str, commit: str) -> str:
    """Merge, or find the merge of an earlier try; say what it did."""
    branch = branch_of(dataset)
    try:
        merge = nessie.merge(branch, commit, MAIN, f"publish {dataset}", {DATASET_PROPERTY: dataset})
    except NessieConflictError as conflict:
        tables = ", ".join(f"{CATALOG}.{key}" for key in conflict.keys)
        raise PlatformError(
            f"{dataset} was not published: since {branch} was opened somebody else changed {tables}; readers see that"
            " change",
            f"trigger pipelines_{dataset} again, it begins at the new state; what was refused stays in the catalog"
            f" {branch} until then",
        ) from None
    made, keys = merge.commit, merge.keys
    if not keys:
        before = _publication(nessie, dataset, commit)
        if before is None:
            return f"{dataset}: nothing changed, nothing to publish"
        made, keys = before.commit, before.keys
    if wrong := nessie.differences(f"{MAIN}@{made}", f"{branch}@{commit}").intersection(keys):
        raise PlatformError(
            f"{dataset} was published as {made[:12]}, but {', '.join(sorted(wrong))} are not what was audited",
            f"compare {CATALOG} with the catalog {branch}, which stays",
        )
    return f"{dataset}: published {', '.join(keys)} as {made[:12]}"


def _done_before(nessie: Nessie, dataset: str, audited: str, there: str | None) -> str:
    """What became of an audited commit that the branch is no longer at, or whose branch is gone; for a repetition.

    Raises:
        PlatformError: it was not published.
    """
    ahead = nessie.ahead(audited, MAIN)
    if not ahead.commits and (before := _publication(nessie, dataset, audited)):
        return f"{dataset}: published before, at {before.time}: {', '.join(before.keys)} as {before.commit[:12]}"
    if not ahead.keys:
        return f"{dataset}: nothing changed, nothing to publish"
    if there is None:
        raise PlatformError(
            f"there is no branch {branch_of(dataset)}: what was audited, {audited[:12]}, was not published",
            "clear this run from `load` on, with 'Downstream': it makes the branch again",
        )
    raise PlatformError(
        f"{branch_of(dataset)} is at {there[:12]}, but what was audited is {audited[:12]}: somebody wrote in between",
        "clear this run from `load` on, with 'Downstream'",
    )


def _publication(nessie: Nessie, dataset: str, commit: str) -> Commit | None:
    """The commit of main that published this very commit of the branch."""
    published = nessie.history(MAIN, {DATASET_PROPERTY: dataset})
    return next((entry for entry in published if commit in entry.parents[1:]), None)


def _move_to_main(nessie: Nessie, branch: str, commit: str) -> None:
    """Move a branch, if it still is at that commit, to main's newest one."""
    nessie.reset_branch(branch, commit, MAIN)


def _no_branch(branch: str, dataset: str) -> PlatformError:
    return PlatformError(f"there is no branch {branch}", f"trigger pipelines_{dataset}: its first tasks make it")


def _patiently(target: Target, doing: str, deadline: Deadline, act: Callable[[], T]) -> T:
    """Act, again while a server is away (it is being restarted); every act here may be repeated.

    Raises:
        PlatformError: a server is still away at the deadline.
    """
    try:
        return deadline.retry(act, on=_AWAY)
    except _AWAY as error:
        asked = (target.stack.resolve(each) for each in (TABLE_CATALOG, QUERY_ENGINE))
        raise PlatformError(
            f"{doing}: no answer within {deadline.seconds:.0f} s: {error}",
            f"run python3 -m bootstrap check {' '.join(asked)}, then clear this task",
        ) from error
