"""The one module that writes to the tables of the database `platform`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, LiteralString

from data_platform.records import leases
from data_platform.records.database import PATIENCE, Connection, attempt
from data_platform.records.leases import EXPIRY, PLATFORM, HeldError, Lease

if TYPE_CHECKING:
    from data_platform.checks.base import CheckResult
    from data_platform.targets.base import Target

#: Results older than this are removed whenever new ones come.
KEEP_DAYS = 90
#: A lease that is refused may be free again by the time that one looks whose it is.
_TRIES = 3

# Its conflict is decided under the lock of the row, so one of several at once gets it.
_ACQUIRE = """
insert into leases as held (name, holder, purpose, acquired_at, renewed_at, expires_at)
values (%(name)s, %(holder)s, %(purpose)s, now(), now(), now() + %(expiry)s)
on conflict (name) do update set
    holder = excluded.holder,
    purpose = excluded.purpose,
    acquired_at = case when held.holder = excluded.holder and held.expires_at > now() then held.acquired_at
                       else now() end,
    renewed_at = excluded.renewed_at,
    expires_at = excluded.expires_at
where held.holder in (excluded.holder, %(dead)s) or held.expires_at <= now()
returning name, holder, purpose, acquired_at, renewed_at, expires_at,
    extract(epoch from now() - acquired_at)::float8
"""
_RENEW = """
update leases set renewed_at = now(), expires_at = now() + %(expiry)s
where name = %(name)s and holder = %(holder)s
"""
_RELEASE = "delete from leases where name = %(name)s and holder = %(holder)s"


def keep_results(
    target: Target, results: Sequence[CheckResult], definition: str, reason: str, patience: float = PATIENCE
) -> None:
    """Keep results of checks.

    Args:
        target: whose database.
        results: of one component or dataset.
        definition: digest of what was checked: the component's definition, the dataset's code.
        reason: deploy, health, upgrade, pipeline or hand.
        patience: see `database.attempt`.
    """

    def act(connection: Connection) -> None:
        for r in results:
            connection.execute(
                "insert into check_results (component, name, status, seconds, evidence, definition, reason)"
                " values (%s, %s, %s, %s, %s, %s, %s)",
                # PostgreSQL's text holds no zero bytes.
                (r.component, r.name, r.status, r.seconds, r.evidence.replace("\0", ""), definition, reason),
            )
        connection.execute("delete from check_results where at < now() - make_interval(days => %s)", (KEEP_DAYS,))

    attempt(target, act, writes=True, patience=patience)


def acquire(
    target: Target, holder: str, purpose: str, *, dead: str = "", name: str = PLATFORM, expiry: timedelta = EXPIRY
) -> Lease:
    """Take a lease that is free or has expired; the holder's own is renewed, so this may be repeated.

    Args:
        target: whose database.
        holder: who.
        purpose: what for.
        dead: a holder that is known to be no more; its lease need not expire.
        name: of the lease.
        expiry: after this time without a renewal it is free.

    Raises:
        HeldError: it is somebody else's; says whose, since when and until when.
    """
    wanted = {"name": name, "holder": holder, "purpose": purpose, "dead": dead, "expiry": expiry}
    for _ in range(_TRIES):
        row = attempt(target, lambda connection: connection.execute(_ACQUIRE, wanted).fetchone(), writes=True)
        if row:
            return Lease(*row)  # type: ignore[arg-type]
        if other := leases.current(target, name):
            raise HeldError(other, name)
    raise HeldError(None, name)


def renew(target: Target, holder: str, name: str = PLATFORM) -> bool:
    """Hold a lease for longer; False when it is not the holder's any more. One that nobody took meanwhile still is."""
    return _changes_one(target, _RENEW, {"name": name, "holder": holder, "expiry": EXPIRY})


def release(target: Target, holder: str, name: str = PLATFORM) -> bool:
    """Give a lease back; False when it was not the holder's: somebody else's is left alone."""
    return _changes_one(target, _RELEASE, {"name": name, "holder": holder})


def _changes_one(target: Target, statement: LiteralString, parameters: Mapping[str, object]) -> bool:
    return attempt(target, lambda connection: connection.execute(statement, parameters).rowcount, writes=True) == 1
