"""Who changes something at present: a lease, which one holder has at a time and which expires unless it is renewed.

The platform's keeps apart what must not happen at once: deploy, upgrade, rotation, the bootstrap's own work; coming:
repair of drift, backup, restore, drills. Each dataset has one too, its turn. Time is the database's alone.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from data_platform.records.database import PATIENCE, attempt
from data_platform.stack.errors import PlatformError
from data_platform.times import local

if TYPE_CHECKING:
    from data_platform.targets.base import Target

#: Name of the lease of the whole platform.
PLATFORM = "platform"
#: After this time without a renewal it is free: its holder is dead. Longer than anything between two tasks of a run.
EXPIRY = timedelta(minutes=5)
#: So often whoever works under it renews it.
RENEWAL = timedelta(minutes=1)
#: Held for longer than this it turns `stack_health` red: nobody looks at the platform while it is held. A first deploy
#: on a small machine takes an hour.
TOO_LONG = timedelta(hours=2)
#: A dataset's turn is not renewed: its holder is a run, and Airflow knows whether that goes on. So long it is held by a
#: run that Airflow calls running and that nobody has looked after.
TURN = timedelta(days=30)
_DATASET = "dataset "


#: How a command's holder begins; all others are runs of DAGs.
_COMMAND = "python3 -m bootstrap on "


def of_run(dag: str, run: str) -> str:
    """A run of a DAG as a holder: its tasks hold the lease together, also when they are tried again or Airflow is."""
    return f"{dag}/{run}"


def run_of(holder: str) -> tuple[str, str]:
    """DAG and run of a holder that is a run; the other way of `of_run`."""
    dag, _, run = holder.partition("/")
    return dag, run


def of_dataset(dataset: str) -> str:
    """Name of a dataset's turn."""
    return _DATASET + dataset


def of_command(machine: str) -> str:
    """A command as a holder. It has the lock of its state folder, so what a killed one left is the next one's."""
    return _COMMAND + machine


class Lease(NamedTuple):
    """A lease that somebody holds.

    Attributes:
        name: of what.
        holder: who, as text: the run of a DAG, or a command and its machine.
        purpose: what for.
        acquired_at: since when, without a gap.
        renewed_at: when its holder was heard of last.
        expires_at: until when, unless it is renewed.
        seconds: for how long it has been held.
    """

    name: str
    holder: str
    purpose: str
    acquired_at: datetime
    renewed_at: datetime
    expires_at: datetime
    seconds: float

    def __str__(self) -> str:
        now = self.acquired_at + timedelta(seconds=self.seconds)
        since, until = (local(at, now) for at in (self.acquired_at, self.expires_at))
        return f"{self.holder} ({self.purpose}) since {since}, until {until} unless it is renewed"

    @property
    def is_of_a_run(self) -> bool:
        """Whether its holder is a run of a DAG."""
        return not self.holder.startswith(_COMMAND)

    @property
    def is_held_too_long(self) -> bool:
        """Whether somebody should look after its holder."""
        return self.seconds > TOO_LONG.total_seconds()


class HeldError(PlatformError):
    """Somebody else holds the lease.

    Attributes:
        lease: the other's; None when it changes hands faster than one can look.
    """

    def __init__(self, lease: Lease | None, name: str = PLATFORM) -> None:
        doing = "changing the platform" if name == PLATFORM else f"working on {name}"
        super().__init__(
            f"somebody else is {doing}: {lease or 'they change too fast to be named'}",
            "wait until that has ended, then run this again (docs/runbooks/somebody-holds-the-platform.md)",
        )
        self.lease = lease


def current(target: Target, name: str = PLATFORM, patience: float = PATIENCE) -> Lease | None:
    """Who holds a lease; None for nobody. One that has expired is nobody's.

    Args:
        target: whose database.
        name: of the lease.
        patience: see `database.attempt`.

    Raises:
        psycopg.OperationalError: the database does not answer.
        PlatformError: its schema is not the one of this code.
    """
    query = (
        "select name, holder, purpose, acquired_at, renewed_at, expires_at,"
        " extract(epoch from now() - acquired_at)::float8 from leases where name = %s and expires_at > now()"
    )
    row = attempt(target, lambda connection: connection.execute(query, (name,)).fetchone(), patience=patience)
    return Lease(*row) if row else None  # type: ignore[arg-type]
