"""Housekeeping of a dataset's tables on the real platform: what goes, and what must stay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import trino.exceptions

from data_platform.checks.base import Deadline
from data_platform.clients.trino import Trino
from data_platform.datasets import upkeep
from data_platform.datasets.audit import branch_of
from data_platform.stack.lake import MAIN
from tests.lake import SECONDS, Lake

pytestmark = pytest.mark.timeout(1800)

#: Seconds that a statement may take to begin, on a busy machine too.
_SLACK = 30


class TooEarlyError(Exception):
    """Not enough time has passed."""


@pytest.fixture
def _seconds_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """States of seconds ago are old ones here."""
    monkeypatch.setattr(upkeep, "_SLACK", timedelta(seconds=_SLACK))


def states(lake: Lake, table: str) -> list[tuple[int, datetime]]:
    """Snapshot and time of every state that the table was in, the oldest first."""
    rows = lake.trino.rows(
        f'select snapshot_id, made_current_at from lakehouse.scratch."{table}$history" order by made_current_at'
    )
    return [(row[0], row[1]) for row in rows]


def as_of(lake: Lake, table: str, snapshot: int) -> list[int]:
    sql = f"select value from lakehouse.scratch.{table} for version as of {snapshot} order by value"
    return [row[0] for row in lake.trino.rows(sql)]


def change_later(lake: Lake, dataset: str, table: str, sql: str) -> None:
    """Publish a change when the states before are old enough to be told from it."""

    def look() -> None:
        if datetime.now(UTC) - states(lake, table)[-1][1] < timedelta(seconds=_SLACK + 2):
            raise TooEarlyError

    Deadline(SECONDS).retry(look, on=TooEarlyError)
    lake.open(dataset)
    lake.trino.rows(sql.format(table=f"{branch_of(dataset)}.scratch.{table}"))
    lake.publish(dataset)


def grown(lake: Lake) -> tuple[str, str]:
    """A dataset and its table of the rows 1, 2, 3; the state with 3 is a good deal younger than the others."""
    table = lake.table()
    dataset = lake.published(table)
    lake.open(dataset)
    lake.write(dataset, table, value=2)
    lake.publish(dataset)
    change_later(lake, dataset, table, "insert into {table} values 3")
    return dataset, table


def maintain(lake: Lake, dataset: str, table: str) -> str:
    """Maintain so that the past stays readable since the newest state; what was done to the table."""
    lines = upkeep.maintain(lake.target, dataset, Deadline(SECONDS), states(lake, table)[-1][1])
    (line,) = [line for line in lines if line.startswith(f"scratch.{table}: ")]
    return line.partition(": ")[2]


@pytest.mark.deep
@pytest.mark.usefixtures("_seconds_count")
def test_upkeep_keeps_the_past_for_its_time_and_nothing_longer(lake: Lake) -> None:
    dataset, table = grown(lake)
    # The first state is empty: the table was made before it was filled.
    past = [snapshot for snapshot, _ in states(lake, table)]
    assert [as_of(lake, table, snapshot) for snapshot in past] == [[], [1], [1, 2], [1, 2, 3]]
    files = {item.object_name for item in lake.files(table)}
    # A branch that nobody writes to, at an old commit of main, does not stand against it.
    idle = lake.dataset()
    name, first = branch_of(idle), lake.commits(dataset)[-1]
    old = {"type": "BRANCH", "name": MAIN, "hash": first}
    lake.nessie._json("PUT", f"/trees/{name}@{lake.nessie.branches()[name]}", params={"type": "BRANCH"}, body=old)
    assert lake.values(table, branch_of(idle)) == [1]
    assert maintain(lake, dataset, table) == "small files merged; 2 of 5 states kept"
    assert lake.values(table, branch_of(idle)) == [1, 2, 3]
    assert lake.values(table) == [1, 2, 3]
    assert lake.trino.value(f'select count(*) from lakehouse.scratch."{table}$files"') == 1
    # What readers saw then can still be read; what nobody needs is gone, files too.
    assert as_of(lake, table, past[-1]) == [1, 2, 3]
    for snapshot in past[:-1]:
        with pytest.raises(trino.exceptions.TrinoUserError, match="snapshot ID does not exist"):
            as_of(lake, table, snapshot)
    assert files - {item.object_name for item in lake.files(table)}


@pytest.mark.deep
@pytest.mark.usefixtures("_seconds_count")
def test_upkeep_leaves_what_a_branch_needs(lake: Lake) -> None:
    dataset, table = grown(lake)
    other = lake.dataset()
    lake.open(other)
    lake.write(other, table, value=9)
    assert maintain(lake, dataset, table) == (
        f"small files merged; otherwise left alone, {branch_of(other)} may need what would be removed"
    )
    assert lake.values(table, branch_of(other)) == [1, 2, 3, 9]
    assert as_of(lake, table, states(lake, table)[1][0]) == [1]


def test_upkeep_waits_for_the_end_of_an_audit(lake: Lake) -> None:
    table = lake.table()
    dataset = lake.published(table)
    lake.open(dataset)
    lake.write(dataset, table, value=2)
    before = lake.nessie.tables("main")[f"scratch.{table}"]
    assert upkeep.maintain(lake.target, dataset, Deadline(SECONDS), datetime.now(UTC)) == [
        f"{dataset}: left alone, {branch_of(dataset)} is open; publish it or run the pipeline again"
    ]
    assert lake.nessie.tables("main")[f"scratch.{table}"] == before


def test_nobody_lifts_the_guard_by_trino(lake: Lake) -> None:
    table = lake.table()
    lake.published(table)
    for catalog in ("lakehouse", branch_of(lake.dataset())):
        statement = f"alter table {catalog}.scratch.{table} set properties extra_properties"
        with pytest.raises(trino.exceptions.TrinoUserError, match=r"gc\.enabled"):
            lake.trino.rows(f"{statement} = map(array['gc.enabled'], array['true'])")


@pytest.mark.deep
@pytest.mark.usefixtures("_seconds_count")
def test_upkeep_expires_what_spark_made_and_puts_the_guard_back(lake: Lake) -> None:
    dataset, table = lake.dataset(), lake.table()
    lake.open(dataset)
    lake.spark(dataset, table, rows=100)
    lake.publish(dataset)
    made = f"""select count(*) from lakehouse.scratch."{table}$snapshots" where operation = 'append'"""
    guard = f"""select value from lakehouse.scratch."{table}$properties" where key = 'gc.enabled'"""
    change_later(lake, dataset, table, "delete from {table} where id = 0")
    assert (lake.trino.value(made), lake.trino.value(guard)) == (1, "false")
    with (
        Trino(lake.trino_url, SECONDS, settings={"lakehouse.expire_snapshots_min_retention": "0s"}) as anybody,
        pytest.raises(trino.exceptions.TrinoQueryError, match="GC is disabled"),
    ):
        anybody.rows(f"alter table lakehouse.scratch.{table} execute expire_snapshots(retention_threshold => '0s')")
    maintain(lake, dataset, table)
    assert (lake.trino.value(made), lake.trino.value(guard)) == (0, "false")
    assert lake.trino.value(f"select count(*) from lakehouse.scratch.{table}") == 99
