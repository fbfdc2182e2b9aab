"""What is decided about branches; the servers are stood in for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from data_platform.checks.base import Deadline
from data_platform.clients.nessie import Commit, Merge, NessieConflictError, NessieUnavailableError
from data_platform.datasets import audit
from data_platform.datasets.audit import (
    at_branch,
    branch_of,
    discard,
    ensure_catalog,
    open_audit,
    publish,
    read_properties,
)
from data_platform.stack.errors import PlatformError
from data_platform.stack.load import load_stack

BRANCH = "audit_rates"


class Servers:
    """A catalog of branches and a query engine with catalogs. `log` holds what was changed, in order."""

    def __init__(self, root: Path) -> None:
        self.heads: dict[str, str] = {"main": "m1"}
        self.catalogs: dict[str, dict[str, str]] = {}
        self.merged: list[Commit] = []
        self.changes: tuple[str, ...] = ("raw.rates",)
        self.wrong: set[str] = set()
        self.troubles: list[Exception] = []
        self.log: list[str] = []
        self.stack = SimpleNamespace(components={"trino": load_stack(root).components["trino"]})

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

    def reset_branch(self, name: str, commit: str, source: str) -> str:
        self.log.append(f"reset {name} from {commit}")
        self.heads[name] = self.heads[source]
        return self.heads[name]

    def delete_branch(self, name: str, commit: str) -> None:
        assert self.heads.pop(name) == commit
        self.log.append(f"delete {name}")

    def merge(self, source: str, commit: str, target: str, message: str, properties: dict[str, str]) -> Merge:
        assert (source, target, properties) == (BRANCH, "main", {"data-platform-dataset": "rates"})
        self.log.append(message)
        if not self.changes or any(commit in one.parents for one in self.merged):
            return Merge(self.heads["main"], ())
        self.heads["main"] = "m2"
        self.merged.insert(0, Commit("m2", "2026-01-02T03:04:05Z", ("m1", commit), self.changes))
        return Merge("m2", self.changes)

    def differences(self, one: str, other: str) -> set[str]:
        assert (one, other) == ("main@m2", f"{BRANCH}@b1")
        return {"raw.of_others"} | self.wrong

    def history(self, reference: str, having: dict[str, str]) -> Iterator[Commit]:
        assert (reference, having) == ("main", {"data-platform-dataset": "rates"})
        return iter(self.merged)

    # Trino
    def create_catalog(self, name: str, properties: dict[str, str]) -> None:
        self.log.append(f"create catalog {name}")
        self.catalogs.setdefault(name, properties)

    def drop_catalog(self, name: str) -> None:
        self.log.append(f"drop catalog {name}")
        self.catalogs.pop(name, None)


@pytest.fixture
def servers(root: Path, monkeypatch: pytest.MonkeyPatch) -> Servers:
    servers = Servers(root)

    @contextmanager
    def session(*_: object) -> Iterator[Servers]:
        yield servers

    monkeypatch.setattr(audit, "_nessie", session)
    monkeypatch.setattr(audit, "_trino", session)
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


def test_properties_are_read_without_comments_and_values_may_hold_an_equals_sign(tmp_path: Path) -> None:
    file = tmp_path / "a.properties"
    file.write_text("# a comment\n\nconnector.name = iceberg\nuri=http://x/?a=b\n", encoding="utf-8")
    assert read_properties(file) == {"connector.name": "iceberg", "uri": "http://x/?a=b"}


def test_the_branchs_catalog_is_the_readers_catalog_at_another_branch(root: Path) -> None:
    (component,) = root.glob("stack/components/*/trino/etc/catalog/lakehouse.properties")
    readers = read_properties(component)
    mine = at_branch(readers, "audit_rates")
    assert {key for key in readers if readers[key] != mine[key]} == {"iceberg.nessie-catalog.ref"}
    assert mine.keys() == readers.keys()
    assert mine["iceberg.nessie-catalog.ref"] == "audit_rates"
    # What a statement of Trino shows to everybody.
    assert mine["s3.aws-secret-key"] == "${ENV:S3_SECRET_KEY}"


def test_settings_without_a_branch_are_refused() -> None:
    with pytest.raises(PlatformError, match=r"has no iceberg\.nessie-catalog\.ref"):
        at_branch({"connector.name": "iceberg"}, "audit_rates")


def test_a_branch_is_opened_at_main_with_its_catalog(servers: Any) -> None:
    assert open_audit(servers, "rates", soon()) == "m1"
    assert servers.log == [
        f"drop catalog {BRANCH}", "namespaces main raw staging marts", f"create {BRANCH}", f"create catalog {BRANCH}"
    ]  # fmt: skip
    assert servers.catalogs[BRANCH]["iceberg.nessie-catalog.ref"] == BRANCH


def test_a_branch_that_is_there_is_moved_to_main(servers: Any) -> None:
    opened(servers)
    assert open_audit(servers, "rates", soon()) == "m1"
    assert f"reset {BRANCH} from b1" in servers.log


def test_a_catalog_is_made_again_only_for_a_branch(servers: Any) -> None:
    with pytest.raises(PlatformError, match="there is no branch audit_rates"):
        ensure_catalog(servers, "rates", soon())
    opened(servers)
    servers.catalogs.clear()
    ensure_catalog(servers, "rates", soon())
    assert BRANCH in servers.catalogs


def test_publishing_merges_once_and_removes_the_catalog_before_the_branch(servers: Any) -> None:
    opened(servers)
    assert publish(servers, "rates", soon(), audited="b1") == "rates: published raw.rates as m2"
    assert servers.log == ["publish rates", f"drop catalog {BRANCH}", f"delete {BRANCH}"]


def test_publishing_again_finds_what_was_merged(servers: Any) -> None:
    opened(servers)
    publish(servers, "rates", soon())
    # As if it had been killed before the removal.
    servers.heads[BRANCH] = "b1"
    assert publish(servers, "rates", soon()) == "rates: published raw.rates as m2"
    assert len(servers.merged) == 1
    assert publish(servers, "rates", soon()) == ("rates: published before, at 2026-01-02T03:04:05Z: raw.rates as m2")


def test_nothing_changed_is_said(servers: Any) -> None:
    opened(servers)
    servers.changes = ()
    assert publish(servers, "rates", soon()) == "rates: nothing changed, nothing to publish"
    assert BRANCH not in servers.heads


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


def test_discarding_removes_what_is_there(servers: Any) -> None:
    opened(servers)
    discard(servers, "rates", soon())
    discard(servers, "rates", soon())
    assert servers.log == [f"drop catalog {BRANCH}", f"delete {BRANCH}", f"drop catalog {BRANCH}"]
    assert servers.merged == []


def test_a_server_that_comes_back_is_waited_for(servers: Any) -> None:
    opened(servers)
    servers.troubles = [httpx.ConnectError("refused"), NessieUnavailableError("503")]
    assert publish(servers, "rates", soon()).startswith("rates: published")


def test_a_server_that_stays_away_is_named_with_the_next_step(servers: Any) -> None:
    servers.troubles = [httpx.ConnectError("refused")] * 100
    with pytest.raises(
        PlatformError, match=r"(?s)publishing rates: no answer within 0 s: refused.*bootstrap check nessie"
    ):
        publish(servers, "rates", Deadline(0.3))
