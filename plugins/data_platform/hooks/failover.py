"""Airflow's servers and a metadata database that goes away for a while: a failover, a restart, a pod that moves.

By itself Airflow ends its scheduler, DAG processor and triggerer at the first connection that is refused or lost. Here
a connection that is asked for is waited for, and what was lost in the middle is done anew: each turn of a server's loop
begins by reading what is there, so a turn that broke off is as if the server had been started at that moment.

See docs/decisions/postgresql-ha.md.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Callable
from socket import gaierror
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event
from sqlalchemy.exc import DBAPIError, PendingRollbackError
from sqlalchemy.util import await_only

if TYPE_CHECKING:
    from airflow.dag_processing.manager import DagFileProcessorManager
    from airflow.executors.base_executor import BaseExecutor
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
    from airflow.jobs.triggerer_job_runner import TriggerRunnerSupervisor
    from sqlalchemy.engine import Engine, ExceptionContext
    from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect
    from sqlalchemy.ext.asyncio import AsyncEngine
    from sqlalchemy.orm import Session
    from sqlalchemy.pool import ConnectionPoolEntry

#: Seconds for which a connection is waited for: a failover takes up to 30.
PATIENCE = 45.0
#: Seconds between two tries.
_PAUSE = 0.5
#: SQLSTATE of a write to a server that has become a copy (read_only_sql_transaction).
_READ_ONLY = "25006"
#: SQLAlchemy's name of that (https://docs.sqlalchemy.org/en/21/errors.html#error-8s2b).
_NOT_ROLLED_BACK = "8s2b"
_LOG = logging.getLogger(__name__)


def is_away(error: Exception) -> bool:
    """Whether a connection was lost in the middle, or none came about because the server is not there.

    Args:
        error: of what uses SQLAlchemy.
    """
    if isinstance(error, PendingRollbackError):
        # What follows a lost connection where somebody has caught that error; a flush that failed is another matter.
        return error.code == _NOT_ROLLED_BACK
    return isinstance(error, DBAPIError) and (error.connection_invalidated or cannot_connect(error.orig))


def cannot_connect(error: BaseException | None) -> bool:
    """Whether there is nobody to connect to. A server that is up and refuses somebody is another matter.

    Args:
        error: of a driver.
    """
    import asyncpg
    import psycopg2

    from data_platform.clients.postgres import refuses

    # psycopg2 tells nothing but a text where no connection came about.
    if isinstance(error, psycopg2.OperationalError):
        return error.pgcode is None and not refuses(str(error))
    away = asyncpg.exceptions.CannotConnectNowError, asyncpg.exceptions.PostgresConnectionError
    copies = asyncpg.exceptions.TargetServerAttributeNotMatched
    # asyncpg lets the system's own errors through.
    return isinstance(error, (*away, copies, ConnectionError, TimeoutError, gaierror))


def connect(
    dialect: Dialect, entry: ConnectionPoolEntry, arguments: list[Any], parameters: dict[str, Any]
) -> DBAPIConnection:
    """SQLAlchemy's `do_connect`: a connection, waited for while the server is away."""
    del entry
    until, told = time.monotonic() + PATIENCE, False
    while True:
        try:
            return dialect.connect(*arguments, **parameters)
        except Exception as error:
            if not cannot_connect(error) or time.monotonic() >= until:
                raise
            if not told:
                _LOG.warning("the metadata database is away and waited for: %s", error)
                told = True
        if dialect.is_async:
            await_only(asyncio.sleep(_PAUSE))
        else:
            time.sleep(_PAUSE)  # between two tries


def forget_copies(context: ExceptionContext) -> None:
    """SQLAlchemy's `handle_error`: connections to a server that may not write any more are lost ones."""
    error = context.original_exception
    if _READ_ONLY in (getattr(error, "pgcode", None), getattr(error, "sqlstate", None)):
        context.is_disconnect = True


def prepare(engine: Engine) -> None:
    """Let an engine's connections be waited for."""
    event.listen(engine, "do_connect", connect)
    event.listen(engine, "handle_error", forget_copies)


def create_metadata_engine(
    sql_alchemy_conn: str, *, engine_args: dict[str, Any], connect_args: dict[str, Any]
) -> Engine:
    """Airflow's hook of this name, for `airflow_local_settings`."""
    made = create_engine(sql_alchemy_conn, connect_args=connect_args, **engine_args)
    prepare(made)
    return made


def create_async_metadata_engine(
    sql_alchemy_conn_async: str, *, connect_args: dict[str, Any], engine_args: dict[str, Any] | None = None
) -> AsyncEngine:
    """Airflow's hook of this name, for `airflow_local_settings`."""
    from sqlalchemy.ext.asyncio import create_async_engine

    made = create_async_engine(sql_alchemy_conn_async, connect_args=connect_args, **(engine_args or {}))
    prepare(made.sync_engine)
    return made


def going_on(act: Callable[..., Any]) -> Callable[..., Any]:
    """A function that is called again while the database is away, and returns what it returns in the end.

    Args:
        act: may be called again after it broke off: it begins by reading what is there.
    """

    @functools.wraps(act)
    def patient(*arguments: Any, **named: Any) -> Any:
        from airflow import settings

        while True:
            try:
                return act(*arguments, **named)
            except Exception as error:
                if not is_away(error):
                    raise
                _LOG.warning("%s goes on after the metadata database went away: %s", act.__qualname__, error)
            if settings.Session is not None:
                # The thread's own session, whose transaction is lost.
                settings.Session.remove()
            time.sleep(_PAUSE)  # between two tries; the next one waits for a connection

    return patient


def _keeping_events(act: Callable[..., int]) -> Callable[..., int]:
    """`_process_executor_events`, which takes what the executor tells out of it: put back where that broke off."""

    @functools.wraps(act)
    def kept(self: SchedulerJobRunner, executor: BaseExecutor, session: Session) -> int:
        before = dict(executor.event_buffer)
        try:
            found = act(self, executor=executor, session=session)
            # The loop would do it next, where nobody could put them back.
            session.commit()
        except Exception as error:
            if is_away(error):
                executor.event_buffer = {**before, **executor.event_buffer}
            raise
        return found

    return kept


def _heartbeat_first(act: Callable[..., Any]) -> Callable[..., Any]:
    """The scheduler's loop begins by giving up what silent schedulers have; after an outage it would be one itself."""

    @functools.wraps(act)
    def after(self: SchedulerJobRunner) -> Any:
        from airflow.jobs.job import perform_heartbeat

        perform_heartbeat(self.job, heartbeat_callback=self.heartbeat_callback, only_if_necessary=True)
        return act(self)

    return after


def of_scheduler(runner: type[SchedulerJobRunner]) -> None:
    """Let the scheduler's loop go on."""
    runner._process_executor_events = _keeping_events(runner._process_executor_events)  # type: ignore[method-assign]
    runner._run_scheduler_loop = going_on(_heartbeat_first(runner._run_scheduler_loop))  # type: ignore[method-assign]


def of_dag_processor(manager: type[DagFileProcessorManager]) -> None:
    """Let the DAG processor's loop go on."""
    manager._run_parsing_loop = going_on(manager._run_parsing_loop)  # type: ignore[method-assign]


def of_triggerer(supervisor: type[TriggerRunnerSupervisor]) -> None:
    """Let the triggerer's loop go on; what a trigger has said is kept until it is written."""
    for said in ("on_trigger_event", "on_trigger_failure"):
        setattr(supervisor, said, going_on(getattr(supervisor, said)))
    supervisor.run_once = going_on(supervisor.run_once)  # type: ignore[method-assign]
