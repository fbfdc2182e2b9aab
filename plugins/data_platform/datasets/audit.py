"""Write, audit, publish: a dataset's run works on a branch of the table catalog, and readers see it when it has passed.

The branch `audit_<dataset>` begins at what readers see. Spark and dbt write to it, validations read it, by Trino's
catalog of the same name. `publish` merges it: one commit of Nessie, so all tables change at once. A branch whose audit
failed stays to be looked at, until the next run begins anew. See docs/decisions/write-audit-publish.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import httpx

from data_platform.checks.base import Deadline
from data_platform.clients import trino
from data_platform.clients.nessie import Nessie, NessieConflictError, NessieUnavailableError
from data_platform.stack.errors import PlatformError

if TYPE_CHECKING:
    from data_platform.targets.base import Target

T = TypeVar("T")

#: The branch that readers see, and the catalog that shows it.
MAIN, CATALOG = "main", "lakehouse"
#: The floors of the lakehouse.
NAMESPACES = ("raw", "staging", "marts")
#: Marks the commits of `publish` with the dataset's name.
DATASET_PROPERTY = "data-platform-dataset"

_DATASET = re.compile(r"[a-z][a-z0-9_]{0,39}")
_REF = "iceberg.nessie-catalog.ref"
#: A server is being restarted, or somebody else did the same at the same moment; the same act may succeed again.
_AWAY = (httpx.TransportError, NessieUnavailableError, NessieConflictError, *trino.UNREACHABLE)
#: Seconds that adding a catalog may take.
_CATALOG_SECONDS = 120.0


def branch_of(dataset: str) -> str:
    """Name of a dataset's branch, and of the catalog in Trino that shows it.

    Raises:
        PlatformError: that is no name of a dataset.
    """
    if not _DATASET.fullmatch(dataset):
        raise PlatformError(f"{dataset!r} is no name of a dataset", "use lower-case letters, digits and underscores")
    return f"audit_{dataset}"


def open_audit(target: Target, dataset: str, deadline: Deadline) -> str:
    """Make the branch at main's newest commit, or move it there; what it held is given up.

    Args:
        target: where.
        dataset: its name.
        deadline: until when servers that are away are asked again.

    Returns:
        The commit at which it begins.

    Raises:
        PlatformError: a server does not answer until the deadline.
    """
    branch = branch_of(dataset)

    def act() -> str:
        # Made anew, in case the settings of the catalog for readers have changed.
        with _trino(target, deadline) as client:
            client.drop_catalog(branch)
        with _nessie(target, deadline) as nessie:
            # Two branches that each make the same namespace could not both be merged.
            nessie.create_namespaces(MAIN, NAMESPACES)
            old = nessie.head(branch)
            head = nessie.create_branch(branch, MAIN) if old is None else nessie.reset_branch(branch, old, MAIN)
        with _trino(target, deadline) as client:
            client.create_catalog(branch, catalog_settings(target, branch))
        return head

    return _patiently(f"opening {branch}", deadline, act)


def ensure_catalog(target: Target, dataset: str, deadline: Deadline | None = None) -> None:
    """Make Trino's catalog of the branch where it is missing; for tasks that are repeated.

    Raises:
        PlatformError: there is no branch, or a server does not answer until the deadline.
    """
    branch, until = branch_of(dataset), deadline or Deadline(_CATALOG_SECONDS)

    def act() -> None:
        with _nessie(target, until) as nessie:
            if nessie.head(branch) is None:
                raise _no_branch(branch, dataset)
        with _trino(target, until) as client:
            client.create_catalog(branch, catalog_settings(target, branch))

    _patiently(f"making the catalog {branch}", until, act)


def head(target: Target, dataset: str, deadline: Deadline) -> str:
    """Newest commit of the branch: what an audit has seen when nobody writes any more.

    Raises:
        PlatformError: there is no branch, or Nessie does not answer until the deadline.
    """
    branch = branch_of(dataset)

    def act() -> str:
        with _nessie(target, deadline) as nessie:
            if (found := nessie.head(branch)) is None:
                raise _no_branch(branch, dataset)
            return found

    return _patiently(f"reading {branch}", deadline, act)


def publish(target: Target, dataset: str, deadline: Deadline, audited: str | None = None) -> str:
    """Give the branch to readers in one commit, then remove branch and catalog. May be repeated at any point.

    Args:
        target: where.
        dataset: its name.
        deadline: until when servers that are away are asked again.
        audited: commit of the branch that was audited (see `head`); another one is not published.

    Returns:
        One line: what was published, or why there was nothing to publish.

    Raises:
        PlatformError: somebody else changed one of the tables since `open_audit`, the branch moved since it was
            audited, there is no branch and never was, or a server does not answer until the deadline. Main is as it
            was, and the branch stays.
    """
    branch = branch_of(dataset)

    def act() -> str:
        with _nessie(target, deadline) as nessie:
            commit = nessie.head(branch)
            if commit is None:
                return _published_before(nessie, dataset)
            if audited is not None and commit != audited:
                raise PlatformError(
                    f"{branch} is at {commit[:12]}, but what was audited is {audited[:12]}: somebody wrote in between",
                    "audit it again: clear the tasks that validate, then this one",
                )
            said = _merge(nessie, dataset, commit)
        _remove(target, branch, commit, deadline)
        return said

    return _patiently(f"publishing {dataset}", deadline, act)


def discard(target: Target, dataset: str, deadline: Deadline) -> None:
    """Remove branch and catalog, where they are there; main stays as it is.

    Raises:
        PlatformError: a server does not answer until the deadline.
    """
    branch = branch_of(dataset)

    def act() -> None:
        with _nessie(target, deadline) as nessie:
            commit = nessie.head(branch)
        _remove(target, branch, commit, deadline)

    _patiently(f"removing {branch}", deadline, act)


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
        before = next((c for c in nessie.history(MAIN, _mark(dataset)) if commit in c.parents[1:]), None)
        if before is None:
            return f"{dataset}: nothing changed, nothing to publish"
        made, keys = before.commit, before.keys
    if wrong := nessie.differences(f"{MAIN}@{made}", f"{branch}@{commit}").intersection(keys):
        raise PlatformError(
            f"{dataset} was published as {made[:12]}, but {', '.join(sorted(wrong))} are not what was audited",
            f"compare {CATALOG} with the catalog {branch}, which stays",
        )
    return f"{dataset}: published {', '.join(keys)} as {made[:12]}"


def _published_before(nessie: Nessie, dataset: str) -> str:
    """What the newest publication did; for a repetition that finds no branch any more."""
    before = next(nessie.history(MAIN, _mark(dataset)), None)
    if before is None:
        raise _no_branch(branch_of(dataset), dataset)
    return f"{dataset}: published before, at {before.time}: {', '.join(before.keys)} as {before.commit[:12]}"


def _remove(target: Target, branch: str, commit: str | None, deadline: Deadline) -> None:
    """Remove catalog, then branch: a catalog without its branch makes Trino's lists of all tables fail."""
    with _trino(target, deadline) as client:
        client.drop_catalog(branch)
    if commit is not None:
        with _nessie(target, deadline) as nessie:
            if nessie.head(branch) is not None:
                nessie.delete_branch(branch, commit)


def catalog_settings(target: Target, branch: str) -> dict[str, str]:
    """Settings of the catalog that readers use, at a branch."""
    file = target.stack.components["trino"].folder / "etc" / "catalog" / f"{CATALOG}.properties"
    return at_branch(read_properties(file), branch)


def read_properties(file: Path) -> dict[str, str]:
    """Settings of a catalog's file: lines `key=value`, and comments."""
    lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {key.strip(): value.strip() for key, _, value in pairs}


def at_branch(properties: Mapping[str, str], branch: str) -> dict[str, str]:
    """The same catalog at another branch.

    Raises:
        PlatformError: the settings name no branch, so another one would change nothing.
    """
    if _REF not in properties:
        raise PlatformError(
            f"{CATALOG}.properties of trino has no {_REF}",
            f"write {_REF}={MAIN} into it; branches are catalogs with another one",
        )
    return {**properties, _REF: branch}


def _mark(dataset: str) -> dict[str, str]:
    return {DATASET_PROPERTY: dataset}


def _no_branch(branch: str, dataset: str) -> PlatformError:
    return PlatformError(f"there is no branch {branch}", f"trigger pipelines_{dataset}: its first tasks make it")


def _trino(target: Target, deadline: Deadline) -> trino.Trino:
    return trino.Trino(target.address("trino", "http").url, deadline.remaining)


def _nessie(target: Target, deadline: Deadline) -> Nessie:
    return Nessie(target.address("nessie", "http").url, deadline.remaining)


def _patiently(doing: str, deadline: Deadline, act: Callable[[], T]) -> T:
    """Act, again while a server is away (it is being restarted); every act here may be repeated.

    Raises:
        PlatformError: a server is still away at the deadline.
    """
    try:
        return deadline.retry(act, on=_AWAY)
    except _AWAY as error:
        raise PlatformError(
            f"{doing}: no answer within {deadline.seconds:.0f} s: {error}",
            "run python3 -m bootstrap check nessie trino, then clear this task",
        ) from error
