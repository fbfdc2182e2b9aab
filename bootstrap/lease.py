"""The platform's lease, as commands take it."""

from __future__ import annotations

import platform
import time
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import psycopg
from rich.markup import escape

from bootstrap.progress import Progress
from data_platform.records import database, holding, leases, schema, writes
from data_platform.records.leases import HeldError
from data_platform.stack.errors import PlatformError
from data_platform.targets.base import Target

#: Seconds between two looks at a lease that somebody else holds, and between two lines about it.
_LOOK, _TELL = 1.0, 20.0
#: Conditions of Airflow in which no run of it goes on.
_AWAY = ("absent", "stopped")


class CommandLease:
    """The lease of one command; a context manager that gives it back.

    It is taken when something is to be changed, as far as it can be: before PostgreSQL and the database are there
    nobody else can change anything.

    Args:
        target: whose.
        purpose: what for.
        progress: says who is waited for.
    """

    def __init__(self, target: Target, purpose: str, progress: Progress) -> None:
        self._target, self._purpose, self._progress = target, purpose, progress
        self._holder = leases.of_command(platform.node())
        self._held = ExitStack()
        self._taken = False

    def __enter__(self) -> Self:
        # Called after the renewals have ended.
        self._held.callback(self._release)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # With the error that there is: a lease that was lost meanwhile must not stand in its place.
        self._held.__exit__(kind, error, trace)

    def take(self) -> None:
        """Take the lease, unless it was taken; wait while somebody else holds it.

        Raises:
            PlatformError: the database is of a later version, or went away while somebody held the lease.
        """
        if self._taken or not self._is_there():
            return
        try:
            schema.migrate(self._target)
            self._wait()
        except psycopg.OperationalError as error:
            raise PlatformError(f"PostgreSQL went away: {error}", "run this again") from None
        self._taken = True

    def _is_there(self) -> bool:
        try:
            database.connect(self._target).close()
        except psycopg.OperationalError:
            return False
        return True

    def _wait(self) -> None:
        """Return when the lease is held."""
        told, dead = float("-inf"), ""
        while True:
            work = holding.holding(self._target, self._holder, self._purpose, dead=dead)
            try:
                self._held.enter_context(work)
            except HeldError as error:
                owner = self._target.stack.resolve(database.OWNER)
                holder = error.lease.holder if error.lease and error.lease.is_of_a_run else ""
                if holder not in ("", dead) and self._target.condition(owner) in _AWAY:
                    dead = holder
                    continue
                if time.monotonic() - told >= _TELL:
                    told = time.monotonic()
                    self._progress.say(self._purpose, escape(f"waiting: {error.problem}"))
                time.sleep(_LOOK)  # between two looks; the loop ends on what it sees
            else:
                return

    def _release(self) -> None:
        if not self._taken:
            return
        try:
            writes.release(self._target, self._holder)
        except psycopg.Error as error:
            self._progress.say(self._purpose, escape(f"the lease is not released, and expires: {error}"))
