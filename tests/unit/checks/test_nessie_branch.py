"""The check kind `nessie_branch`."""

from __future__ import annotations

from typing import Self

import pytest

from data_platform.checks import nessie_branch
from data_platform.checks.base import CheckFailed, Deadline, Params
from tests.unit.checks.fake_lake import FakePlatform

OLD = "check_1600000000_0123abcd"


class FakeNessie:
    """Branches in memory; `broken` names the verb that does nothing."""

    def __init__(self, broken: str = "") -> None:
        self.here, self.broken = {"main": "aa", "dev": "bb", OLD: "cc"}, broken

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def branches(self) -> dict[str, str]:
        return dict(self.here)

    def create_branch(self, name: str, source: str) -> str:
        if self.broken != "create":
            self.here[name] = self.here[source]
        return self.here[source]

    def delete_branch(self, name: str, commit: str) -> None:
        if self.broken != "delete":
            assert self.here.pop(name, commit) == commit


def run(monkeypatch: pytest.MonkeyPatch, nessie: FakeNessie) -> str:
    monkeypatch.setattr("data_platform.clients.nessie.Nessie", lambda *_: nessie)
    return nessie_branch.check(Params(), FakePlatform(), Deadline(5))


def test_it_leaves_the_branches_of_others_and_removes_its_own_and_old_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    nessie = FakeNessie()
    assert "removed 1 left by earlier runs" in run(monkeypatch, nessie)
    assert nessie.here == {"main": "aa", "dev": "bb"}


def test_a_branch_that_is_not_seen_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckFailed, match="at aa, saw None"):
        run(monkeypatch, FakeNessie(broken="create"))


def test_a_branch_that_stays_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckFailed, match="still there"):
        run(monkeypatch, FakeNessie(broken="delete"))
