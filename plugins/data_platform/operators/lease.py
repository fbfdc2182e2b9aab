"""The platform's lease, as runs of DAGs take it, give it back, and stand back while somebody else has it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from data_platform.records import holding, leases, writes
from data_platform.records.leases import TOO_LONG, HeldError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from data_platform.targets.base import Target

_LOG = logging.getLogger(__name__)


def holder_of(context: Context) -> str:
    """The task's run, as a holder."""
    ti = context["ti"]
    return leases.of_run(ti.dag_id, ti.run_id)


@contextmanager
def held(target: Target, context: Context, purpose: str) -> Iterator[None]:
    """Hold the lease for the run within the block; `release` gives it back at the run's end.

    Args:
        target: whose.
        context: of the task.
        purpose: what for.

    Raises:
        AirflowFailException: somebody else has it; another try would not mend that.
    """
    try:
        with holding.holding(target, holder_of(context), purpose):
            yield
    except HeldError as error:
        raise AirflowFailException(str(error)) from None


def release(target: Target, context: Context) -> str:
    """Give the lease back, at the end of a run; nothing where it is not the run's."""
    given = writes.release(target, holder_of(context))
    return "the lease is released" if given else "the lease was not this run's"


def skip_while_held(target: Target) -> None:
    """Skip the task while somebody changes the platform: what it would see is not what will be.

    Raises:
        AirflowSkipException: somebody does.
    """
    try:
        lease = leases.current(target)
    except Exception as error:  # noqa: BLE001 - a database that is away must not hide what the task finds
        _LOG.warning("whether somebody holds the platform is not known: %s", error)
        return
    if lease:
        raise AirflowSkipException(f"held by {lease}; the next run of this one looks again")


def require_not_held_too_long(target: Target, context: Context) -> str:
    """Who holds the lease, in words.

    Raises:
        AirflowFailException: somebody has held it for longer than anything takes.
    """
    del context
    lease = leases.current(target)
    if lease is None:
        return "nobody is changing the platform"
    if lease.is_held_too_long:
        raise AirflowFailException(
            f"held for more than {TOO_LONG.total_seconds() / 3600:.0f} hours, and not looked after for as long:"
            f" {lease} → docs/runbooks/somebody-holds-the-platform.md"
        )
    return f"held by {lease}"
