"""The database `platform` on a real PostgreSQL: its migrations, and the lease."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import psycopg
import pytest

from data_platform.checks.base import Address, CheckResult, Deadline
from data_platform.clients import postgres
from data_platform.records import database, holding, leases, results, schema, writes
from data_platform.records.leases import HeldError, Lease
from data_platform.stack.errors import PlatformError
from tests.postgresql import running

if TYPE_CHECKING:
    from data_platform.targets.base import Target

#: What the release 0.1.0 executed whenever it read or wrote.
EARLIER = """
create table if not exists check_results (
    at timestamptz not null default now(),
    component text not null,
    name text not null,
    status text not null check (status in ('passed', 'failed', 'skipped')),
    seconds double precision not null,
    evidence text not null,
    definition text not null,
    reason text not null
);
create index if not exists check_results_by_check on check_results (component, name, at desc);
"""
PASSED = CheckResult("reader", "answers", "passed", 0.5, "a row\0")
FIRST, SECOND = "stack_deploy/first", "stack_upgrade/second"


@pytest.fixture(scope="module")
def server(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    with running(root, tmp_path_factory.mktemp("postgresql") / "server", ["--auth=trust"]) as found:
        yield found.address


@pytest.fixture
def empty(server: Address) -> Iterator[Target]:
    """A platform whose database was just made."""
    login = {"database_user": "airflow", "database_password": "any"}
    with postgres.connect(server.host, server.port, "postgres", "any", "postgres") as admin:
        postgres.ensure_database(admin, "platform", "airflow", "any", "owned by airflow")
        yield cast("Target", SimpleNamespace(address=lambda *_: server, credentials=lambda _: login))
        admin.execute("drop database platform with (force)")


@pytest.fixture
def platform(empty: Target) -> Target:
    schema.migrate(empty)
    return empty


def do(target: Target, *statements: str) -> list[Any]:
    with database.connect(target) as connection:
        for statement in statements:
            found = connection.execute(statement)  # type: ignore[call-overload]
        return found.fetchall() if found.description else []


def tables(target: Target) -> set[str]:
    return {name for (name,) in do(target, "select tablename from pg_tables where schemaname = 'public'")}


# Migrations


def test_what_reads_or_writes_makes_nothing_and_says_that_there_is_no_schema(empty: Target) -> None:
    for act in (
        lambda: results.latest(empty),
        lambda: results.since(empty, 1),
        lambda: results.is_proven(empty, "reader", ["answers"], "d1", 60),
        lambda: leases.current(empty),
        lambda: writes.keep_results(empty, [PASSED], "d1", "hand"),
        lambda: writes.acquire(empty, FIRST, "deploy"),
    ):
        with pytest.raises(PlatformError, match="the database platform has no schema yet") as caught:
            act()
        assert caught.value.remedy == "run: python3 -m bootstrap up, or trigger stack_deploy"
    assert tables(empty) == set()


def test_migrations_are_carried_out_once(empty: Target) -> None:
    assert schema.migrate(empty) == [f"schema of the database platform: none → {database.REVISION}"]
    assert tables(empty) == {"schema_version", "check_results", "leases"}
    assert schema.migrate(empty) == []


def test_several_may_migrate_at_once(empty: Target) -> None:
    with ThreadPoolExecutor(4) as pool:
        begun = [pool.submit(schema.migrate, empty) for _ in range(4)]
    assert [found for each in begun for found in each.result()]
    assert do(empty, "select version_num from schema_version") == [(database.REVISION,)]


def test_the_results_of_an_earlier_platform_are_taken_over(empty: Target) -> None:
    row = "insert into check_results values (now(), 'reader', 'answers', 'passed', 1, 'of before', 'd0', 'deploy')"
    do(empty, EARLIER, row)
    with pytest.raises(PlatformError, match="has no schema yet"):
        results.latest(empty)
    schema.migrate(empty)
    writes.keep_results(empty, [PASSED], "d1", "hand")
    assert [(r.evidence, r.definition) for r in results.since(empty, 1)] == [("of before", "d0"), ("a row", "d1")]
    # What the earlier code did does no harm.
    do(empty, EARLIER)
    assert len(results.since(empty, 1)) == 2


def test_all_migrations_are_carried_out_or_none(empty: Target) -> None:
    do(empty, "create table leases (of_somebody_else int)")
    with pytest.raises(Exception, match='relation "leases" already exists'):
        schema.migrate(empty)
    assert tables(empty) == {"leases"}
    do(empty, "drop table leases")
    assert schema.migrate(empty) != []


@pytest.mark.parametrize(
    ("there", "said"),
    [("0001", "the schema 0001, and this code works with"), ("9999", "which is newer than this code's")],
)
def test_another_schema_is_told(platform: Target, there: str, said: str) -> None:
    do(platform, f"update schema_version set version_num = '{there}'")
    for act in (lambda: results.latest(platform), lambda: writes.keep_results(platform, [PASSED], "d1", "hand")):
        with pytest.raises(PlatformError, match=said):
            act()


def test_a_newer_schema_is_left_alone(platform: Target) -> None:
    do(platform, "update schema_version set version_num = '9999'")
    with pytest.raises(PlatformError, match="the schema 9999, which is newer") as caught:
        schema.migrate(platform)
    assert "use its code" in caught.value.remedy
    assert do(platform, "select version_num from schema_version") == [("9999",)]


def test_postgresql_lets_nothing_be_written_where_one_reads(platform: Target) -> None:
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        database.attempt(platform, lambda connection: connection.execute("create table made_by_a_read (x int)"))


def test_who_loses_the_connection_in_the_middle_begins_anew(platform: Target) -> None:
    counted = []

    def act(connection: database.Connection) -> object:
        counted.append(connection.execute("select count(*) from leases").fetchone())
        connection.execute("insert into leases values ('a', 'me', 'any', now(), now(), now() + interval '1 hour')")
        if len(counted) == 1:
            connection.execute("select pg_terminate_backend(pg_backend_pid())")
        return connection.execute("select count(*) from leases").fetchone()

    assert database.attempt(platform, act, writes=True) == (1,)
    # Nothing of the first try was left.
    assert counted == [(0,), (0,)]


@pytest.mark.parametrize("patience", [0.0, 1.0])
def test_a_server_that_stays_away_ends_the_patience(platform: Target, patience: float) -> None:
    away = cast(
        "Target", SimpleNamespace(address=lambda *_: Address("127.0.0.1", 9, ""), credentials=platform.credentials)
    )
    with pytest.raises(postgres.AwayError, match=r"127\.0\.0\.1"):
        leases.current(away, patience=patience)


@pytest.mark.parametrize(
    "look",
    [
        results.latest,
        lambda target: results.since(target, 24),
        lambda target: results.is_proven(target, "reader", ["answers"], "d1", 60),
    ],
    ids=["latest", "since", "is_proven"],
)
def test_who_looks_does_not_wait_for_a_server_that_is_away(
    platform: Target, monkeypatch: pytest.MonkeyPatch, look: Callable[[Target], object]
) -> None:
    asked: list[float] = []
    monkeypatch.setattr(database, "Deadline", lambda seconds: asked.append(seconds) or Deadline(seconds))
    look(platform)
    assert asked == [0]


def test_who_is_refused_is_told_at_once(platform: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = database.connect
    monkeypatch.setattr(database, "connect", lambda target: asked.append("") or real(target))
    login = {"database_user": "nobody_of_that_name", "database_password": "any"}
    other = cast("Target", SimpleNamespace(address=platform.address, credentials=lambda _: login))
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        leases.current(other)
    assert len(asked) == 1


# Results


def test_results_are_proof_until_one_fails_or_is_too_old(platform: Target) -> None:
    def proven(definition: str = "d1", seconds: float = 60) -> bool:
        return results.is_proven(platform, "reader", ["answers"], definition, seconds)

    assert not proven()
    writes.keep_results(platform, [PASSED], "d1", "hand")
    assert [proven(), proven("d2"), proven(seconds=0)] == [True, False, False]
    writes.keep_results(platform, [PASSED._replace(status="failed")], "d1", "health")
    assert not proven()
    assert [r.status for r in results.latest(platform)] == ["failed"]


def test_old_results_go_when_new_ones_come(platform: Target) -> None:
    writes.keep_results(platform, [PASSED], "d1", "hand")
    do(platform, "update check_results set at = now() - interval '91 days'")
    writes.keep_results(platform, [PASSED], "d2", "hand")
    assert do(platform, "select definition from check_results") == [("d2",)]


# The lease


def pass_time(target: Target, seconds: float) -> None:
    """Let it be so much later than it was when the leases were written."""
    times = ", ".join(
        f"{name} = {name} - interval '{seconds} seconds'" for name in ("acquired_at", "renewed_at", "expires_at")
    )
    do(target, f"update leases set {times}")


def held(target: Target) -> Lease:
    found = leases.current(target)
    assert found
    return found


def test_a_lease_has_one_holder_and_others_are_told_who_since_when_and_until_when(platform: Target) -> None:
    assert leases.current(platform) is None
    mine = writes.acquire(platform, FIRST, "deploy")
    assert mine.expires_at - mine.acquired_at == leases.EXPIRY
    with pytest.raises(HeldError) as caught:
        writes.acquire(platform, SECOND, "upgrade trino")
    assert caught.value.lease is not None
    assert caught.value.lease._replace(seconds=0) == mine._replace(seconds=0)
    for words in (f"{FIRST} (deploy) since", f"{mine.acquired_at:%H:%M:%S}", f"{mine.expires_at:%H:%M:%S}"):
        assert words in caught.value.problem
    assert held(platform).holder == FIRST


def test_of_many_at_once_one_gets_it(platform: Target) -> None:
    together = threading.Barrier(8)

    def take(number: int) -> str:
        together.wait(timeout=30)
        try:
            return writes.acquire(platform, f"run/{number}", "deploy").holder
        except HeldError:
            return ""

    with ThreadPoolExecutor(8) as pool:
        got = [holder for holder in pool.map(take, range(8)) if holder]
    assert got == [held(platform).holder]


def test_a_holder_may_take_its_lease_again_and_has_had_it_since_the_first_time(platform: Target) -> None:
    writes.acquire(platform, FIRST, "deploy")
    pass_time(platform, 100)
    again = writes.acquire(platform, FIRST, "deploy")
    assert again.seconds == pytest.approx(100, abs=60)
    assert again.expires_at - again.renewed_at == leases.EXPIRY
    assert again.renewed_at - again.acquired_at >= timedelta(seconds=100)


def test_a_lease_that_expired_is_nobodys_and_the_next_ones(platform: Target) -> None:
    writes.acquire(platform, FIRST, "deploy")
    pass_time(platform, leases.EXPIRY.total_seconds() + 1)
    assert leases.current(platform) is None
    taken = writes.acquire(platform, SECOND, "upgrade trino")
    assert (taken.holder, taken.purpose) == (SECOND, "upgrade trino")
    assert taken.seconds < 60
    assert not writes.renew(platform, FIRST)
    assert not writes.release(platform, FIRST)
    assert held(platform).holder == SECOND


def test_after_a_gap_a_holder_has_it_anew(platform: Target) -> None:
    writes.acquire(platform, FIRST, "deploy")
    pass_time(platform, leases.EXPIRY.total_seconds() + 1)
    assert writes.acquire(platform, FIRST, "deploy").seconds < 60


def test_renewing_moves_the_end_and_nothing_else(platform: Target) -> None:
    mine = writes.acquire(platform, FIRST, "deploy")
    pass_time(platform, 100)
    assert writes.renew(platform, FIRST)
    later = held(platform)
    assert (later.holder, later.purpose) == (mine.holder, mine.purpose)
    assert later.expires_at > mine.expires_at
    assert later.acquired_at == mine.acquired_at - timedelta(seconds=100)


def test_a_late_renewal_is_in_time_where_nobody_took_the_lease(platform: Target) -> None:
    writes.acquire(platform, FIRST, "deploy")
    pass_time(platform, leases.EXPIRY.total_seconds() + 1)
    assert writes.renew(platform, FIRST)
    assert held(platform).holder == FIRST


def test_its_holder_alone_gives_it_back(platform: Target) -> None:
    writes.acquire(platform, FIRST, "deploy")
    assert not writes.release(platform, SECOND)
    assert held(platform).holder == FIRST
    assert writes.release(platform, FIRST)
    assert leases.current(platform) is None
    assert not writes.release(platform, FIRST)
    assert writes.acquire(platform, SECOND, "upgrade trino").holder == SECOND


def test_the_lease_of_a_dead_holder_need_not_expire(platform: Target) -> None:
    writes.acquire(platform, FIRST, "deploy")
    pass_time(platform, 100)
    with pytest.raises(HeldError):
        writes.acquire(platform, "a command", "up", dead=SECOND)
    taken = writes.acquire(platform, "a command", "up", dead=FIRST)
    assert taken.holder == "a command"
    assert taken.seconds < 60


def test_leases_of_other_names_are_others(platform: Target) -> None:
    writes.acquire(platform, FIRST, "deploy")
    assert writes.acquire(platform, SECOND, "look", name="another").holder == SECOND
    assert writes.release(platform, SECOND, name="another")
    assert held(platform).holder == FIRST


def test_a_run_keeps_the_turn_of_a_dataset_for_as_long_as_it_takes(platform: Target) -> None:
    turn = leases.of_dataset("rates")
    writes.acquire(platform, FIRST, "its run", name=turn, expiry=leases.TURN)
    pass_time(platform, timedelta(days=2).total_seconds())
    with pytest.raises(HeldError, match=f"somebody else is working on dataset rates: {FIRST}"):
        writes.acquire(platform, SECOND, "its run", name=turn, expiry=leases.TURN)
    # Unless its holder is known to be dead.
    assert writes.acquire(platform, SECOND, "its run", name=turn, expiry=leases.TURN, dead=FIRST).holder == SECOND
    # Nobody changes the platform meanwhile, and other datasets have turns of their own.
    assert leases.current(platform) is None
    assert writes.acquire(platform, FIRST, "its run", name=leases.of_dataset("names")).holder == FIRST


# Work under it


def test_long_work_renews_its_lease_and_leaves_it_to_who_releases_it(platform: Target) -> None:
    def renewed() -> None:
        assert held(platform).renewed_at > begun

    with holding.holding(platform, FIRST, "deploy", seconds=0.01):
        begun = held(platform).renewed_at
        Deadline(30).retry(renewed, on=AssertionError)
    assert held(platform).holder == FIRST


def test_a_database_that_is_away_is_asked_again(platform: Target, caplog: pytest.LogCaptureFixture) -> None:
    """A rotation may be the work, and change the password itself."""
    known = platform.credentials

    def away(_: str) -> Any:
        raise psycopg.OperationalError("restarting")

    def told() -> None:
        assert f"the lease of {FIRST} could not be renewed: restarting" in caplog.text

    def renewed() -> None:
        assert held(platform).renewed_at > begun

    with holding.holding(platform, FIRST, "deploy", seconds=0.01):
        platform.credentials = away  # type: ignore[method-assign]
        Deadline(30).retry(told, on=AssertionError)
        platform.credentials = known  # type: ignore[method-assign]
        begun = held(platform).renewed_at
        Deadline(30).retry(renewed, on=AssertionError)


def test_work_whose_lease_was_lost_ends_with_an_error(platform: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    noticed = threading.Event()

    class Watched(holding._Renewals):
        def run(self) -> None:
            super().run()
            noticed.set()

    def work() -> None:
        with holding.holding(platform, FIRST, "deploy", seconds=0.01):
            writes.acquire(platform, SECOND, "upgrade trino", dead=FIRST)
            assert noticed.wait(timeout=30)

    monkeypatch.setattr(holding, "_Renewals", Watched)
    with pytest.raises(PlatformError, match=f"{FIRST} lost the lease while it worked"):
        work()
    assert held(platform).holder == SECOND


def test_work_that_somebody_else_does_is_not_begun(platform: Target) -> None:
    writes.acquire(platform, FIRST, "deploy")
    begun = []
    with pytest.raises(HeldError), holding.holding(platform, SECOND, "upgrade trino"):
        begun.append("it")
    assert begun == []
