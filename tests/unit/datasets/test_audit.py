"""What is decided about branches; the servers are stood in for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from data_platform.checks.base import Deadline
from data_platform.clients.nessie import Ahead, Commit, Merge, NessieConflictError, NessieUnavailableError
from data_platform.datasets import audit
from data_platform.datasets.audit import branch_of, discard, open_audit, publish, settle
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import load_stack

BRANCH = "audit_rates"


class Servers:
    """A catalog of branches and a query engine with its catalogs. `log` holds what was changed, in order."""

    stack = load_stack(Path(__file__).parents[3])

    def __init__(self) -> None:
        self.heads: dict[str, str] = {"main": "m1", BRANCH: "m0"}
        #: Commits that main has by its own history.
        self.known = {"m0", "m1"}
        self.shown = {"lakehouse", BRANCH}
        self.merged: list[Commit] = []
        self.changes: tuple[str, ...] = ("raw.rates",)
        self.wrong: set[str] = set()
        self.troubles: list[Exception] = []
        self.log: list[str] = []

    # Nessie
    def head(self, branch: str) -> str | None:
        if self.troubles:
            raise self.troubles.pop(0)
        return self.heads.get(branch)

    def create_namespaces(self, branch: str, names: tuple[str, ...]) -> None:
        self.log.append(f"namespaces {branch} {' '.join(names)}")

    def create_branch(self, name: str, source: str) -> str:
        self.log.append(f"create {name}")
        self.heads[name] = self.heads[source]
        return self.heads[name]

    def branches(self) -> dict[str, str]:
        return dict(self.heads)

    def reset_branch(self, name: str, commit: str, source: str) -> str:
        assert self.heads[name] == commit
        self.log.append(f"reset {name} from {commit}")
        self.heads[name] = self.heads[source]
        return self.heads[name]

    def merge(self, source: str, commit: str, target: str, message: str, properties: dict[str, str]) -> Merge:
        assert (source, target, properties) == (BRANCH, "main", {"data-platform-dataset": "rates"})
        self.log.append(message)
        if not self.changes or commit in self.known:
            return Merge(self.heads["main"], ())
        self.heads["main"] = "m2"
        self.known |= {"m2", commit}
        self.merged.insert(0, Commit("m2", "2026-01-02T03:04:05Z", ("m1", commit), self.changes))
        return Merge("m2", self.changes)

    def ahead(self, commit: str, target: str) -> Ahead:
        assert target == "main"
        return Ahead(False, ()) if commit in self.known else Ahead(True, self.changes)

    def differences(self, one: str, other: str) -> set[str]:
        assert (one, other) == ("main@m2", f"{BRANCH}@b1")
        return {"raw.of_others"} | self.wrong

    def history(self, reference: str, having: dict[str, str]) -> Iterator[Commit]:
        assert (reference, having) == ("main", {"data-platform-dataset": "rates"})
        return iter(self.merged)

    # Trino
    def catalogs(self) -> set[str]:
        return self.shown


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Servers:
    servers = Servers()

    @contextmanager
    def session(*_: object) -> Iterator[Servers]:
        yield servers

    monkeypatch.setattr(audit.connect, "nessie", session)
    monkeypatch.setattr(audit.connect, "trino", session)
    return servers


def soon() -> Deadline:
    return Deadline(5)


def opened(servers: Any) -> None:
    """A branch with a commit of its own."""
    open_audit(servers, "rates", soon())
    servers.heads[BRANCH] = "b1"
    servers.log.clear()


def test_branch_and_catalog_have_the_name_of_the_dataset() -> None:
    assert branch_of("fx_rates") == "audit_fx_rates"


@pytest.mark.parametrize("name", ["", "Rates", "a-b", "a b", "../x", "1st", 'a"b', "a" * 41])
def test_what_is_no_name_of_a_dataset_is_refused(name: str) -> None:
    with pytest.raises(PlatformError, match="is no name of a dataset"):
        branch_of(name)


def test_an_audit_begins_at_main_whatever_the_branch_held(servers: Any) -> None:
    servers.heads[BRANCH] = "b0"
    assert open_audit(servers, "rates", soon()) == "m1"
    assert servers.log == ["namespaces main raw staging marts", f"reset {BRANCH} from b0"]
    assert servers.heads[BRANCH] == "m1"


def test_a_branch_that_somebody_removed_is_made_again(servers: Any) -> None:
    del servers.heads[BRANCH]
    assert open_audit(servers, "rates", soon()) == "m1"
    assert f"create {BRANCH}" in servers.log


def test_a_dataset_that_trino_does_not_know_yet_is_refused_with_the_way_to_add_it(servers: Any) -> None:
    servers.shown.remove(BRANCH)
    with pytest.raises(PlatformError, match="Trino has no catalog audit_rates") as caught:
        open_audit(servers, "rates", soon())
    assert "stack_deploy" in caught.value.remedy
    assert servers.log == []


def test_publishing_merges_once_and_moves_the_branch_to_main(servers: Any) -> None:
    opened(servers)
    assert publish(servers, "rates", soon(), audited="b1") == "rates: published raw.rates as m2"
    assert servers.log == ["publish rates", f"reset {BRANCH} from b1"]
    assert servers.heads[BRANCH] == "m2"


def test_publishing_again_finds_what_was_merged(servers: Any) -> None:
    opened(servers)
    publish(servers, "rates", soon())
    # As if it had been killed before the branch was moved.
    servers.heads[BRANCH] = "b1"
    assert publish(servers, "rates", soon()) == "rates: published raw.rates as m2"
    assert len(servers.merged) == 1


def test_a_repetition_says_what_became_of_the_very_commit_that_was_audited(servers: Any) -> None:
    opened(servers)
    publish(servers, "rates", soon(), audited="b1")
    before = "rates: published before, at 2026-01-02T03:04:05Z: raw.rates as m2"
    assert publish(servers, "rates", soon(), audited="b1") == before
    # Also when the next run is under way.
    servers.heads[BRANCH] = "b2"
    assert publish(servers, "rates", soon(), audited="b1") == before
    assert len(servers.merged) == 1
    assert servers.heads[BRANCH] == "b2"


def test_an_older_publication_is_not_said_to_be_this_one(servers: Any) -> None:
    opened(servers)
    publish(servers, "rates", soon(), audited="b1")
    # Nothing was written since: what was audited is main itself.
    open_audit(servers, "rates", soon())
    assert publish(servers, "rates", soon(), audited="m2") == "rates: nothing changed, nothing to publish"
    assert publish(servers, "rates", soon()) == "rates: nothing changed, nothing to publish"
    servers.heads[BRANCH] = "b2"
    assert publish(servers, "rates", soon(), audited="m2") == "rates: nothing changed, nothing to publish"
    # Something was written, audited, and given up.
    with pytest.raises(PlatformError, match="is at b2, but what was audited is b9"):
        publish(servers, "rates", soon(), audited="b9")


def test_a_repetition_of_what_changed_nothing_is_no_complaint(servers: Any) -> None:
    opened(servers)
    servers.changes = ()
    publish(servers, "rates", soon(), audited="b1")
    assert publish(servers, "rates", soon(), audited="b1") == "rates: nothing changed, nothing to publish"


def test_an_answer_that_was_lost_after_the_branch_was_moved_is_not_an_empty_audit(
    servers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(servers)
    move = servers.reset_branch

    def lose(*arguments: str) -> None:
        monkeypatch.setattr(servers, "reset_branch", move)
        move(*arguments)
        raise httpx.ReadError("connection reset")

    monkeypatch.setattr(servers, "reset_branch", lose)
    assert publish(servers, "rates", soon()).startswith("rates: published before, at 2026")


def test_without_its_branch_a_publication_is_found_again_and_nothing_else_is(servers: Any) -> None:
    opened(servers)
    publish(servers, "rates", soon(), audited="b1")
    del servers.heads[BRANCH]
    assert publish(servers, "rates", soon(), audited="b1") == (
        "rates: published before, at 2026-01-02T03:04:05Z: raw.rates as m2"
    )
    with pytest.raises(PlatformError, match="there is no branch audit_rates: what was audited, b9, was not published"):
        publish(servers, "rates", soon(), audited="b9")
    assert len(servers.merged) == 1


def test_there_is_nothing_to_publish_without_a_branch(servers: Any) -> None:
    del servers.heads[BRANCH]
    with pytest.raises(PlatformError, match="there is no branch audit_rates"):
        publish(servers, "rates", soon())


def test_nothing_changed_is_said(servers: Any) -> None:
    opened(servers)
    servers.changes = ()
    assert publish(servers, "rates", soon()) == "rates: nothing changed, nothing to publish"
    assert servers.heads[BRANCH] == "m1"


def test_a_branch_that_moved_after_the_audit_is_not_published(servers: Any) -> None:
    opened(servers)
    with pytest.raises(PlatformError, match="is at b1, but what was audited is b0"):
        publish(servers, "rates", soon(), audited="b0")
    assert servers.log == []


def test_a_conflict_names_the_tables_and_leaves_the_branch(servers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(servers)

    def refuse(*_: object) -> Merge:
        raise NessieConflictError("409", ("marts.daily", "raw.rates"))

    monkeypatch.setattr(servers, "merge", refuse)
    with pytest.raises(PlatformError, match=r"changed lakehouse\.marts\.daily, lakehouse\.raw\.rates;"):
        publish(servers, "rates", soon())
    assert servers.log == []
    assert servers.heads[BRANCH] == "b1"


def test_what_is_not_as_audited_is_named_and_the_branch_stays(servers: Any) -> None:
    opened(servers)
    servers.wrong = {"raw.rates"}
    with pytest.raises(PlatformError, match=r"published as m2, but raw\.rates are not what was audited"):
        publish(servers, "rates", soon())
    assert servers.heads[BRANCH] == "b1"


def test_discarding_gives_up_what_the_branch_holds(servers: Any) -> None:
    opened(servers)
    discard(servers, "rates", soon())
    assert servers.heads == {"main": "m1", BRANCH: "m1"}
    assert servers.merged == []
    del servers.heads[BRANCH]
    discard(servers, "rates", soon())
    assert servers.heads == {"main": "m1"}


def test_branches_without_commits_of_their_own_are_moved_to_main_and_no_others(servers: Any) -> None:
    servers.heads |= {"audit_open": "b9", "audit_at_main": "m1", "somebodys": "m0"}
    assert settle(servers) == {"audit_open"}
    assert servers.log == [f"reset {BRANCH} from m0"]
    assert servers.heads == {
        "main": "m1", BRANCH: "m1", "audit_open": "b9", "audit_at_main": "m1", "somebodys": "m0"
    }  # fmt: skip


def test_a_server_that_comes_back_is_waited_for(servers: Any) -> None:
    opened(servers)
    servers.troubles = [httpx.ConnectError("refused"), NessieUnavailableError("503")]
    assert publish(servers, "rates", soon()).startswith("rates: published")


def test_a_server_that_stays_away_is_named_with_the_next_step(servers: Any) -> None:
    servers.troubles = [httpx.ConnectError("refused")] * 100
    with pytest.raises(
        PlatformError, match=r"(?s)publishing rates: no answer within 0 s: refused.*bootstrap check nessie trino"
    ):
        publish(servers, "rates", Deadline(0.3))
