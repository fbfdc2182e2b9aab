"""Whose audit a dataset's branch holds: a note of the run that began it, beside the manifests.

The branch itself does not say. Every run moves it, so after another run, a publication or a try that was killed it may
be anything; what works on it asks here first. Runs take turns (docs/decisions/loads.md), so nobody else writes
meanwhile.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from data_platform.datasets import audit
from data_platform.datasets.files import read_manifest
from data_platform.datasets.store import put, read_json, store_of
from data_platform.stack.errors import PlatformError
from data_platform.stack.lake import MANIFESTS, RAW

if TYPE_CHECKING:
    from data_platform.checks.base import Deadline
    from data_platform.targets.base import Target

_LOG = logging.getLogger(__name__)


class Opened(BaseModel):
    """An audit that was begun.

    Attributes:
        run: Airflow's id of the run.
        commit: of the branch, at which it began.
        code: digest of the code that computes its tables (see files.code_digest).
    """

    model_config = ConfigDict(frozen=True)

    run: str
    commit: str
    code: str


def begin(target: Target, dataset: str, run: str, deadline: Deadline) -> Opened:
    """Begin the audit of a run: the branch is at main, whatever it held.

    Args:
        target: where.
        dataset: its name.
        run: Airflow's run id; its manifest is there.
        deadline: until when servers that are away are asked again.

    Raises:
        PlatformError: see `audit.open_audit` and `files.read_manifest`.
    """
    manifest = read_manifest(target, dataset, run, deadline.remaining)
    commit = audit.open_audit(target, dataset, deadline)
    opened = Opened(run=run, commit=commit, code=manifest.code)
    put(store_of(target, deadline.remaining), _key(dataset), opened.model_dump_json())
    return opened


def resume(target: Target, dataset: str, run: str, deadline: Deadline) -> Opened:
    """The audit that the run has begun and not written to yet; otherwise it is begun anew.

    So a load may be repeated at any time: after a try that was killed in the middle, and when it is cleared after its
    run has published, after other runs, or when somebody has removed the branch.

    Args:
        target: where.
        dataset: its name.
        run: Airflow's run id.
        deadline: until when servers that are away are asked again.

    Raises:
        PlatformError: see `begin`.
    """
    there = look(target, dataset, deadline)
    branch = audit.branch_of(dataset)
    if there and there.run == run and there.commit == audit.find_head(target, dataset, deadline):
        return there
    _LOG.info("%s is not as this run's audit began: it begins anew at what readers see", branch)
    return begin(target, dataset, run, deadline)


def require_own(target: Target, dataset: str, run: str, deadline: Deadline) -> Opened:
    """The audit that the branch holds, which must be the run's own.

    Raises:
        PlatformError: it is another run's, or nobody has begun one.
    """
    there = look(target, dataset, deadline)
    if there and there.run == run:
        return there
    whose = f"the audit of {there.run}" if there else "no audit"
    raise PlatformError(
        f"{audit.branch_of(dataset)} holds {whose}, not this run's: what it loaded was given up since",
        "clear this run from `load` on, with 'Downstream'",
    )


def look(target: Target, dataset: str, deadline: Deadline) -> Opened | None:
    """The audit that was begun last; None before the first one."""
    found = read_json(store_of(target, deadline.remaining), RAW, _key(dataset))
    return Opened.model_validate(found) if found else None


def _key(dataset: str) -> str:
    return f"{MANIFESTS}/{dataset}/audit.json"
