"""What has come of a dataset lately, found at a cost that does not grow with the files that lie there.

Keys of files are digests, in no order of time. So for each file that it has stored or refused, the flow leaves an empty
object besides, whose key begins with the time (UTC) at which it was put:

    raw/_arrivals/<dataset>/<yyyyMMdd>T<HHmmssSSS>-<first 16 characters of the content's SHA-256>

Arrivals wake a pipeline, and that is all: what it works on is found where the files lie. One that is missing delays a
file until the next scheduled run; one too many makes a run that has nothing to do. The bucket's lifecycle removes them
(`expire_days` in stack/stack.yaml).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from data_platform.datasets.files import has_received
from data_platform.datasets.store import put, store_of
from data_platform.stack.lake import ARRIVALS, RAW

if TYPE_CHECKING:
    from data_platform.targets.base import Target

#: How far behind the newest arrival a look begins. An arrival is seen up to 70 s after the time in its key, which is as
#: long as the flow waits for the store before it makes another one; the rest is for clocks of NiFi's nodes that differ.
#: What a node stores whose clock is further behind waits for the scheduled run.
_OVERLAP = timedelta(minutes=2)
#: How far back the first look begins, for a clock here that is ahead of NiFi's.
_FIRST = timedelta(hours=1)
_FORMAT = "%Y%m%dT%H%M%S%f"


class Seen(NamedTuple):
    """What a look has found, and what the next one has to know.

    Attributes:
        new: arrivals that the look before did not know. At a first look 1 when there are files at all, else 0.
        since: time in the form of a key, at which the next look begins. It never goes back.
        known: arrivals after that time, without their folder.
    """

    new: int
    since: str
    known: frozenset[str]


def look(target: Target, dataset: str, before: Seen | None, now: datetime, seconds: float) -> Seen:
    """Look for arrivals: one request to the store for each thousand of the last minutes, whatever lies there.

    Args:
        target: where.
        dataset: its name.
        before: what the look before found; None at the first one.
        now: the time in UTC.
        seconds: deadline of one request.
    """
    folder = f"{ARRIVALS}/{dataset}/"
    since = before.since if before else _stamp(now - _FIRST)
    listed = store_of(target, seconds).list_objects(RAW, prefix=folder, recursive=True, start_after=folder + since)
    found = frozenset(str(item.object_name).removeprefix(folder) for item in listed)
    new = len(found - before.known) if before else int(has_received(target, dataset, seconds))
    after = max(since, _next(found, now))
    return Seen(new, after, frozenset(name for name in found if name > after))


def leave(target: Target, dataset: str, digest: str, seconds: float) -> None:
    """Leave an arrival, so that the pipeline looks again: for a file that came earlier and may be loaded now.

    Args:
        target: where.
        dataset: its name.
        digest: of the file.
        seconds: deadline of the request.
    """
    put(store_of(target, seconds), f"{ARRIVALS}/{dataset}/{_stamp(datetime.now(UTC))}-{digest[:16]}", "")


def _next(found: frozenset[str], now: datetime) -> str:
    """Where the next look may begin; empty where nothing says so.

    A time that is yet to come, of a clock that was wrong, would hide all arrivals until then.
    """
    newest = max((at for name in found if (at := _time(name)) and at <= now), default=None)
    return _stamp(newest - _OVERLAP) if newest else ""


def _time(name: str) -> datetime | None:
    """When an arrival was put; None for an object that is none."""
    try:
        return datetime.strptime(name.partition("-")[0], _FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None


def _stamp(at: datetime) -> str:
    return at.strftime(_FORMAT)[:-3]
