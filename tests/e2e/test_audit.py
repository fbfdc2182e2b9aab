"""Write, audit, publish on the real platform: what readers of main see, and when.

Datasets are the branches to try things on, tables are scratch ones; nothing of them is left.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

import pytest

from data_platform.checks.base import Deadline
from data_platform.clients.trino import Trino
from data_platform.datasets import audit
from data_platform.datasets.audit import branch_of, head, open_audit, publish
from data_platform.stack.errors import PlatformError
from data_platform.stack.holders import names_of
from tests.holding import soon
from tests.lake import SECONDS, Lake

pytestmark = pytest.mark.timeout(1800)


#: Something that was seen, with the time before and after the look.
Seen = list[tuple[float, float, Any]]


def poll(look: Callable[[], Any], seen: Seen, stop: threading.Event) -> None:
    """Look until the stop, and once more after it."""
    last = False
    while not last:
        last = stop.is_set()
        started = time.monotonic()
        found = look()
        seen.append((started, time.monotonic(), found))


def test_readers_see_nothing_until_all_tables_change_at_once(lake: Lake) -> None:
    one, two = lake.table(), lake.table()
    dataset = lake.published(one, two)
    keys = (f"scratch.{one}", f"scratch.{two}")

    def catalog() -> tuple[object, ...]:
        """The state of both tables in one answer of the catalog."""
        tables = lake.nessie.tables("main")
        return tuple(tables[key] for key in keys)

    def count() -> tuple[int, ...]:
        """Rows of both tables, counted in one statement."""
        sql = f"select (select count(*) from lakehouse.scratch.{one}), (select count(*) from lakehouse.scratch.{two})"
        with Trino(lake.target.address("trino", "http").url, SECONDS) as client:
            return tuple(client.rows(sql)[0])

    stop = threading.Event()
    catalogs: Seen = []
    counts: Seen = []
    with ThreadPoolExecutor(2) as pool:
        polls = [pool.submit(poll, catalog, catalogs, stop), pool.submit(poll, count, counts, stop)]
        try:
            lake.open(dataset)
            lake.write(dataset, one, two, value=2)
            # Nothing is published before both have been seen as they were.
            soon(lambda: catalogs and counts)
            began = time.monotonic()
            lake.publish(dataset)
            ended = time.monotonic()
        finally:
            stop.set()
    for each in polls:
        each.result()
    states = [found for _, _, found in catalogs]
    old, new = states[0], states[-1]
    assert all(a != b for a, b in zip(old, new, strict=True))
    # The catalog: one table new and the other old was never to be seen.
    assert set(states) == {old, new}
    assert states == sorted(states, key=lambda state: state == new)
    # Trino asks the catalog once a table, so a statement that was planned in that moment may have met both states.
    before = {found for _, done, found in counts if done < began}
    after = {found for started, _, found in counts if started > ended}
    assert before == {(1, 1)}
    assert after == {(2, 2)}
    assert {found for _, _, found in counts} <= {(1, 1), (1, 2), (2, 1), (2, 2)}


def test_a_failed_audit_leaves_main_and_stays_to_be_looked_at(lake: Lake) -> None:
    table = lake.table()
    dataset = lake.published(table)
    before = lake.nessie.tables("main")[f"scratch.{table}"]
    lake.open(dataset)
    lake.write(dataset, table, value=-1)
    # The audit fails here: nobody calls publish.
    assert lake.nessie.tables("main")[f"scratch.{table}"] == before
    assert lake.values(table) == [1]
    assert lake.values(table, branch_of(dataset)) == [-1, 1]
    assert lake.is_open(dataset)
    # The next run begins at what readers see.
    lake.open(dataset)
    assert lake.values(table, branch_of(dataset)) == [1]


def test_a_second_publish_says_so_and_changes_nothing(lake: Lake) -> None:
    table = lake.table()
    dataset = lake.dataset()
    lake.open(dataset)
    lake.write(dataset, table, value=1)
    audited = head(lake.target, dataset, Deadline(SECONDS))
    assert lake.publish(dataset, audited).startswith(f"{dataset}: published scratch.{table} as ")
    (commit,) = lake.commits(dataset)
    before = f"{dataset}: published before, at {datetime.now(UTC):%Y-}"
    assert lake.publish(dataset, audited).startswith(before)
    assert lake.commits(dataset) == [commit]
    assert lake.values(table) == [1]
    assert lake.is_at_main(dataset)
    # Without what was audited it cannot be told from an audit of nothing; when the next run is under way, it can.
    assert lake.publish(dataset) == f"{dataset}: nothing changed, nothing to publish"
    lake.write(dataset, table, value=2)
    assert lake.publish(dataset, audited).startswith(before)
    assert lake.commits(dataset) == [commit]
    assert lake.values(table, branch_of(dataset)) == [1, 2]


@pytest.mark.parametrize("ended_at", ["_merge", "_move_to_main"])
def test_a_publish_that_was_ended_is_completed_by_the_next_one(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, ended_at: str
) -> None:
    table, other = lake.table(), lake.table()
    dataset, neighbour = lake.published(table), lake.published(other)
    lake.open(dataset)
    lake.write(dataset, table, value=2)
    with monkeypatch.context() as patch:
        patch.setattr(audit, ended_at, Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            lake.publish(dataset)
    # Somebody else publishes in between.
    lake.open(neighbour)
    lake.write(neighbour, other, value=2)
    lake.publish(neighbour)
    done = lake.commits(dataset)
    assert len(done) == (1 if ended_at == "_merge" else 2)
    said = lake.publish(dataset)
    assert len(lake.commits(dataset)) == 2
    assert said == f"{dataset}: published scratch.{table} as {lake.commits(dataset)[0][:12]}"
    assert (lake.values(table), lake.values(other)) == ([1, 2], [1, 2])
    assert lake.is_at_main(dataset)


def test_a_branch_without_changes_publishes_nothing_and_says_so(lake: Lake) -> None:
    dataset = lake.dataset()
    begin = lake.open(dataset)
    assert lake.publish(dataset, begin) == f"{dataset}: nothing changed, nothing to publish"
    assert lake.commits(dataset) == []
    # An earlier publication is none of this audit.
    table = lake.table()
    lake.write(dataset, table, value=1)
    lake.publish(dataset)
    begin = lake.open(dataset)
    for _ in range(2):
        assert lake.publish(dataset, begin) == f"{dataset}: nothing changed, nothing to publish"


def test_a_table_that_was_made_and_dropped_again_publishes_nothing(lake: Lake) -> None:
    dataset, table = lake.dataset(), lake.table()
    lake.open(dataset)
    lake.write(dataset, table, value=1)
    lake.trino.rows(f"drop table {branch_of(dataset)}.scratch.{table}")
    audited = head(lake.target, dataset, Deadline(SECONDS))
    for _ in range(2):
        assert lake.publish(dataset, audited) == f"{dataset}: nothing changed, nothing to publish"
        assert lake.is_at_main(dataset)


def test_a_dataset_that_was_never_deployed_is_named_with_the_way_to_do_it(lake: Lake) -> None:
    with pytest.raises(PlatformError, match="there is no branch audit_never_deployed"):
        publish(lake.target, "never_deployed", Deadline(SECONDS))
    with pytest.raises(PlatformError, match="Trino has no catalog audit_never_deployed") as caught:
        open_audit(lake.target, "never_deployed", Deadline(SECONDS))
    assert "stack_deploy" in caught.value.remedy


def test_what_was_written_after_the_audit_is_not_published(lake: Lake) -> None:
    dataset, table = lake.dataset(), lake.table()
    lake.open(dataset)
    lake.write(dataset, table, value=1)
    audited = head(lake.target, dataset, Deadline(SECONDS))
    lake.write(dataset, table, value=2)
    with pytest.raises(PlatformError, match="somebody wrote in between"):
        lake.publish(dataset, audited)
    assert lake.values(table) is None


def test_a_conflict_names_the_table_and_leaves_both_sides(lake: Lake) -> None:
    touched, quiet = lake.table(), lake.table()
    dataset = lake.published(touched, quiet)
    lake.open(dataset)
    lake.write(dataset, touched, quiet, value=2)
    lake.trino.rows(f"insert into lakehouse.scratch.{touched} values 3")
    with pytest.raises(PlatformError, match=f"somebody else changed lakehouse.scratch.{touched};") as raised:
        lake.publish(dataset)
    assert f"trigger pipelines_{dataset} again" in str(raised.value)
    assert (lake.values(touched), lake.values(quiet)) == ([1, 3], [1])
    assert lake.values(touched, branch_of(dataset)) == [1, 2]
    # As it says: again from the start.
    lake.open(dataset)
    lake.write(dataset, touched, quiet, value=2)
    lake.publish(dataset)
    assert (lake.values(touched), lake.values(quiet)) == ([1, 2, 3], [1, 2])


def test_two_datasets_at_a_time_do_not_meet(lake: Lake) -> None:
    one, two = lake.table(), lake.table()
    first, second = lake.published(one), lake.published(two)
    lake.open(first)
    lake.open(second)
    lake.write(first, one, value=2)
    lake.write(second, two, value=2)
    lake.publish(second)
    assert (lake.values(one), lake.values(two)) == ([1], [1, 2])
    # The first one's branch does not know of it, and takes nothing back.
    assert lake.values(two, branch_of(first)) == [1]
    lake.publish(first)
    assert (lake.values(one), lake.values(two)) == ([1, 2], [1, 2])


def test_what_spark_writes_to_the_branch_is_audited_and_not_yet_read(lake: Lake) -> None:
    dataset, table = lake.dataset(), lake.table()
    lake.open(dataset)
    branch, rows = branch_of(dataset), 100
    lake.spark(dataset, table, rows)
    assert lake.trino.value(f"select count(*) from {branch}.scratch.{table}") == rows
    assert lake.values(table) is None
    lake.publish(dataset)
    assert lake.trino.value(f"select count(*) from lakehouse.scratch.{table}") == rows


def test_lists_of_all_catalogs_work_before_during_and_after_an_audit(lake: Lake) -> None:
    table = lake.table()

    def listed() -> set[str]:
        """Catalogs that have the table, in a list over all of them, as tools for SQL ask for it."""
        rows = lake.trino.rows(f"select table_cat from system.jdbc.tables where table_name = '{table}'")
        assert lake.trino.value("select count(*) from system.jdbc.tables") > len(rows)
        return {str(catalog) for (catalog,) in rows}

    assert listed() == set()
    dataset = lake.dataset()
    lake.open(dataset)
    lake.write(dataset, table, value=1)
    assert listed() == {branch_of(dataset)}
    lake.publish(dataset)
    assert listed() == {branch_of(dataset), "lakehouse"}


def test_every_dataset_and_every_branch_to_try_things_on_is_a_catalog(lake: Lake) -> None:
    branches = set(names_of(lake.target.stack, "branch"))
    assert {branch_of("fx_rates"), branch_of(lake.dataset())} <= branches
    assert {name for name in lake.trino.catalogs() if name.startswith("audit_")} == branches
    assert branches <= lake.nessie.branches().keys()
