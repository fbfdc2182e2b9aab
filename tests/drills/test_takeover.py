"""A platform of an earlier release is taken over by `up`: nothing is lost, and what was shared is replaced.

Reads like a runbook: when users of the release … have left …, then after `up` of the present checkout ….
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest

from tests import releases
from tests.kept import PIPELINE, QUEUED, URN, WAITING, Kept, described, hold_files, leave, logs, runs, tables
from tests.running import ROOT, UP_SECONDS, Running, end
from tests.shared_secrets import OPENS, SHARED, Pair, given_to_others, holding, opening
from tests.visits import Secrets, Visit, visit

pytestmark = [pytest.mark.timeout(3600), pytest.mark.deep]

#: The release whose platforms are taken over, and of which `SHARED` speaks.
FROM = "0.1.0"


@dataclass(frozen=True)
class Earlier:
    """A platform of the earlier release, in use."""

    platform: Running
    kept: Kept = field(repr=False)
    secrets: Secrets = field(repr=False)
    #: Secrets that open something, those that others than their holder have, and where those of `SHARED` are.
    opened: set[Pair]
    given: set[Pair] = field(default_factory=set)
    held: dict[Pair, list[str]] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Taken:
    """The same platform, after `up` of the present checkout."""

    platform: Running
    said: str = field(repr=False)
    secrets: Secrets = field(repr=False)


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Earlier]:
    folder = tmp_path_factory.mktemp("takeover")
    platform = Running(folder / "a state", root=releases.checkout(releases.release(FROM), folder))
    try:
        platform.bootstrap("up", seconds=UP_SECONDS)
        with visit(platform) as seen:
            kept, secrets = leave(seen), seen.secrets
            opened = opening(seen, kept, secrets)
        hold_files(platform, folder)
        yield Earlier(platform, kept, secrets, opened, given_to_others(platform, secrets), holding(platform, secrets))
        end(replace(platform, root=ROOT))
    finally:
        # Also when the present checkout does not know how to end it.
        if platform.folder.exists():
            platform.bootstrap("down", "--purge")


@pytest.fixture(scope="module")
def taken(earlier: Earlier) -> Taken:
    platform = replace(earlier.platform, root=ROOT)
    done = platform.bootstrap("up", seconds=UP_SECONDS)
    return Taken(platform, done.stdout, json.loads((platform.folder / "credentials.json").read_text(encoding="utf-8")))


@pytest.fixture
def seen(taken: Taken) -> Iterator[Visit]:
    with visit(taken.platform) as found:
        yield found


# --- before -----------------------------------------------------------------------------------------------------------


def test_before_the_list_of_shared_secrets_is_what_others_were_given(earlier: Earlier) -> None:
    assert earlier.given == set(SHARED)


def test_before_every_secret_that_is_asked_for_opens_something(earlier: Earlier) -> None:
    assert earlier.opened == set(OPENS)


def test_before_every_shared_secret_is_found_where_it_is_held(earlier: Earlier) -> None:
    assert set(earlier.held) == set(SHARED)


def test_before_users_have_left_something_of_everything(earlier: Earlier) -> None:
    assert {state for run, state in earlier.kept.runs.items()} == {"success"}
    assert {run.partition("/")[0] for run in earlier.kept.runs} == {"stack_deploy", PIPELINE}
    assert min(earlier.kept.logs.values()) > 3
    assert earlier.kept.tables['"raw"."fx_rates"'] > 200_000
    assert earlier.kept.tables['"kept"."words"'] == 2


# --- after ------------------------------------------------------------------------------------------------------------


def test_every_check_passed(taken: Taken) -> None:
    found = taken.platform.status()
    assert len(found["components"]) >= 8
    for component in found["components"]:
        assert component["state"] in ("running", "installed"), component
        assert len(component["checks"]) == component["checks_declared"], component
        assert {check["status"] for check in component["checks"]} == {"passed"}, component


def test_no_row_is_lost(earlier: Earlier, seen: Visit) -> None:
    word = earlier.kept.word
    assert seen.rows("select number, word from lakehouse.kept.words order by 1") == [[1, word], [2, word]]
    assert seen.rows("select word from postgresql.public.kept") == [[word]]
    now = tables(seen)
    assert {name: now.get(name) for name, rows in earlier.kept.tables.items() if now.get(name, 0) < rows} == {}


def test_no_commit_of_the_catalog_is_lost(earlier: Earlier, seen: Visit) -> None:
    with seen.http("nessie.http") as nessie:
        # A commit is known by this name only where it is one of main's.
        found = nessie.get(f"/api/v2/trees/main@{earlier.kept.commit}/history", params={"max-records": 1})
    assert found.status_code == 200, found.text


def test_no_object_and_no_version_of_it_is_lost(earlier: Earlier, seen: Visit) -> None:
    versions = list(seen.store().list_objects("raw", "kept/word", include_version=True))
    assert len(versions) == 2
    contents = set()
    for version in versions:
        with seen.store().get_object("raw", "kept/word", version_id=version.version_id) as answer:
            contents.add(answer.read().decode())
    assert contents == {f"{earlier.kept.word} first", f"{earlier.kept.word} last"}


def test_what_airflow_had_encrypted_is_still_read(earlier: Earlier, seen: Visit) -> None:
    with seen.airflow() as airflow:
        variable = airflow.get("/api/v2/variables/kept").raise_for_status().json()
        connection = airflow.get("/api/v2/connections/kept").raise_for_status().json()
    assert variable["is_encrypted"]
    assert variable["value"] == earlier.kept.word
    assert json.loads(connection["extra"]) == {"kept": earlier.kept.word}


def test_no_run_and_no_log_is_lost(earlier: Earlier, seen: Visit) -> None:
    now = runs(seen)
    assert {run: now.get(run) for run in earlier.kept.runs} == earlier.kept.runs
    assert logs(seen, earlier.kept.run) == earlier.kept.logs


def test_what_was_described_in_the_catalog_is_still_there(earlier: Earlier, seen: Visit) -> None:
    assert described(seen) == earlier.kept.word, URN


@pytest.mark.parametrize("day", [QUEUED, WAITING])
def test_a_file_on_its_way_arrives(seen: Visit, day: str) -> None:
    rates = f"select currency, cast(rate as double) from lakehouse.raw.fx_rates where rate_date = date '{day}'"
    found = seen.rows(rates)
    assert sorted(found) == [["JPY", 126.5], ["USD", 1.07]]


@pytest.mark.parametrize("pair", SHARED, ids=".".join)
def test_a_shared_secret_is_replaced(earlier: Earlier, taken: Taken, pair: Pair) -> None:
    component, key = pair
    old = earlier.secrets[component][key]
    now = {value for entry in taken.secrets.values() for value in entry.values()}
    assert old not in now


@pytest.mark.parametrize("pair", OPENS, ids=".".join)
def test_a_shared_secret_opens_nothing_any_more(earlier: Earlier, seen: Visit, pair: Pair) -> None:
    component, key = pair
    assert not OPENS[pair](seen, earlier.kept, earlier.secrets[component][key])


def test_no_file_and_no_process_holds_a_shared_secret(earlier: Earlier, taken: Taken) -> None:
    assert holding(taken.platform, earlier.secrets) == {}


def test_no_secret_is_printed(earlier: Earlier, taken: Taken) -> None:
    entries = [*earlier.secrets.values(), *taken.secrets.values()]
    secrets = [value for entry in entries for value in entry.values() if len(value) >= 32]
    assert len(secrets) > 20
    assert [value for value in secrets if value in taken.said] == []


def test_a_second_up_changes_nothing(taken: Taken) -> None:
    before = taken.platform.programs()
    done = taken.platform.bootstrap("up")
    assert len(before) >= 8
    assert taken.platform.programs() == before
    assert "apply" not in done.stdout
